// SPDX-License-Identifier: Apache-2.0
/*
 * A client's bytes, and a manifest's, into the parser's core: whatever they are, what comes out for
 * the supervisor has to be well-formed. Run by tests/fuzz/run, under libFuzzer and AddressSanitizer.
 *
 * The first byte chooses: its lowest bit a manifest or a stream; of a stream, the next three how
 * many descriptors come with the first piece, and the rest how long the pieces are.
 */
#include "dmuserd/parser/call.h"
#include "dmuserd/parser/inbox.h"
#include "dmuserd/parser/manifest.h"
#include "dmuserd/parser/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct text text;
static struct inbox inbox;
static struct parser_message message, again;

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* A string that the supervisor may print: it ends, is UTF-8, and holds no control character. */
static void check_string(const char *string, size_t size)
{
	size_t length = strnlen(string, size);

	MUST(length < size);
	for (size_t i = 0; i < length;) {
		size_t n = utf8_sequence(string + i, string + length);

		MUST(n > 0);
		MUST((unsigned char)string[i] >= 0x20 && string[i] != 0x7f);
		i += n;
	}
}

#define CHECK_STRING(array) check_string(array, sizeof(array))

static void check_container(const struct parser_container *container, size_t n_fds)
{
	CHECK_STRING(container->id);
	MUST(!container->id[0] || name_is_container(container->id));
	MUST(n_fds == 0 || container->pidfd < n_fds);
}

static void check_create(const struct parser_create *create, size_t n_fds)
{
	MUST(name_is_volume(create->name) && name_is_backend(create->backend));
	MUST(create->size_bytes == PARSER_UNSET || create->size_bytes <= INT64_MAX);
	MUST(create->size_bytes > 0);
	MUST(create->block_size <= 4096 && create->read_only <= 1 && create->keep <= 1);
	MUST(create->n_options <= WORKER_OPTIONS_MAX);
	for (size_t i = 0; i < create->n_options; i++) {
		MUST(name_is_option(create->options[i].name));
		MUST(create->options[i].value[0]);
		CHECK_STRING(create->options[i].value);
	}
	check_container(&create->container, n_fds);
}

static void check_volume(const struct parser_volume *volume, size_t n_fds)
{
	MUST(volume->name[0] ? name_is_volume(volume->name) : volume->container.id[0]);
	MUST(volume->owner == PARSER_UNSET || volume->owner < UINT32_MAX);
	MUST(volume->timeout_ms == PARSER_UNSET || volume->timeout_ms <= 600000);
	check_container(&volume->container, n_fds);
}

static void check_manifest(const struct parser_manifest *manifest)
{
	MUST(name_is_backend(manifest->type) && name_is_backend(manifest->profile));
	CHECK_STRING(manifest->summary);
	MUST(manifest->min_size_bytes <= manifest->max_size_bytes);
	MUST(manifest->n_resources <= MANIFEST_RESOURCES_MAX);
	MUST(manifest->n_options <= WORKER_OPTIONS_MAX);
	MUST(manifest->n_threads >= 1 && manifest->n_threads <= 64);
	for (size_t i = 0; i < manifest->n_options; i++) {
		MUST(name_is_option(manifest->options[i].name));
		CHECK_STRING(manifest->options[i].summary);
		MUST(manifest->options[i].min <= manifest->options[i].max);
		MUST(manifest->options[i].opens <= manifest->n_resources);
	}
}

static void check_request(size_t n_fds)
{
	MUST(message.n_fds == n_fds);
	switch (message.method) {
	case PARSER_METHOD_CREATE:
		check_create(&message.create, n_fds);
		break;
	case PARSER_METHOD_BIND:
	case PARSER_METHOD_RELEASE:
	case PARSER_METHOD_DESCRIBE:
		check_volume(&message.volume, n_fds);
		break;
	case PARSER_METHOD_SUBSCRIBE:
		MUST(message.flags & PARSER_CALL_MORE);
		break;
	default:
		MUST(message.method >= PARSER_METHOD_GET_INFO &&
		     message.method <= PARSER_METHOD_SUBSCRIBE);
	}
}

static void check_message(size_t n_fds)
{
	MUST(message.version == PARSER_MESSAGE_VERSION);
	MUST(!(message.flags & ~(PARSER_CALL_MORE | PARSER_CALL_ONEWAY)));
	CHECK_STRING(message.text);
	switch (message.event) {
	case PARSER_REQUEST:
		MUST(!message.refusal && !message.fatal);
		check_request(n_fds);
		break;
	case PARSER_REFUSAL:
		MUST(message.n_fds == 0 && message.fatal <= 1);
		MUST(message.refusal >= PARSER_REFUSED_SYNTAX &&
		     message.refusal <= PARSER_REFUSED_EXPECTED_MORE);
		MUST(message.refusal != PARSER_REFUSED_SYNTAX || message.fatal);
		break;
	case PARSER_MANIFEST:
		check_manifest(&message.manifest);
		break;
	default:
		MUST(!"an event");
	}
}

static void parse_call(const char *bytes, size_t size, size_t n_fds)
{
	/* Without a byte to spare, so that the sanitizer sees one read beyond the end. */
	char *copy = malloc(size ? size : 1);

	MUST(copy);
	memcpy(copy, bytes, size);
	MUST(call_parse(&text, copy, size, n_fds, &message) == 0);
	check_message(n_fds);
	memset(&again, 0xff, sizeof(again));
	MUST(call_parse(&text, copy, size, n_fds, &again) == 0);
	MUST(memcmp(&message, &again, sizeof(message)) == 0);
	free(copy);
}

static void feed_stream(const char *bytes, size_t size, size_t n_fds, size_t piece)
{
	static const int fds[PARSER_FDS_MAX + 1] = { 100, 101, 102, 103, 104 };
	const char *whole;
	size_t whole_size;

	inbox.start = inbox.scanned = inbox.end = inbox.n_fds = 0;
	while (size > 0) {
		size_t space, n = size < piece ? size : piece;
		char *to = inbox_space(&inbox, &space);
		int verdict;

		n = n < space ? n : space;
		MUST(n > 0);
		memcpy(to, bytes, n);
		if (inbox_received(&inbox, n, fds, n_fds))
			return;
		bytes += n;
		size -= n;
		n_fds = 0;
		while ((verdict = inbox_look(&inbox, &whole, &whole_size)) == INBOX_WHOLE) {
			parse_call(whole, whole_size, inbox.n_fds);
			inbox_drop(&inbox);
		}
		if (verdict)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;
	uint8_t choice;

	if (size == 0)
		return 0;
	choice = data[0];
	size--;
	if (choice & 1) {
		MUST(manifest_parse(&text, bytes, size, &message) == 0);
		check_message(0);
	} else {
		feed_stream(bytes, size, choice >> 1 & 7, 1 + (choice >> 4) * 64u);
	}
	return 0;
}
