// SPDX-License-Identifier: Apache-2.0
/* Messages of a parser, none of them trusted; see parser-message.h. */
#include "dmuserd/supervisor/parser-message.h"
#include "dmuserd/parser/utf8.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>
#include <sys/socket.h>

/* As the parser has it: a caller that wants to wait longer asks again. */
#define RELEASE_TIMEOUT_MAX_MS 600000

bool parser_text_is_sound(const char *text, size_t size, bool plain)
{
	const char *end = memchr(text, '\0', size);

	if (!end)
		return false;
	while (text < end) {
		size_t n = utf8_sequence(text, end);
		unsigned char c = (unsigned char)*text;

		if (n == 0 || (plain && (c < ' ' || c == 0x7f)))
			return false;
		text += n;
	}
	return true;
}

#define IS_TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)

/* Each of these checks gives the name of the field that it refuses, or NULL. */

/* n_fds: how many descriptors came; each must be one that the message names. */
static const char *check_container(const struct parser_container *c, size_t n_fds, bool with_pidfd)
{
	if (!IS_TERMINATED(c->id) || (c->id[0] && !name_is_container(c->id)))
		return "container.id";
	if (c->reserved != 0)
		return "container.reserved";
	if (c->pidfd != 0)
		return "container.pidfd";
	return n_fds == (c->id[0] && with_pidfd ? 1 : 0) ? NULL : "n_fds";
}

static const char *check_options(const struct parser_create *create)
{
	if (create->n_options > WORKER_OPTIONS_MAX)
		return "create.n_options";
	for (size_t i = 0; i < create->n_options; i++) {
		const struct worker_option *option = &create->options[i];

		if (!IS_TERMINATED(option->name) || !name_is_option(option->name))
			return "create.options.name";
		for (size_t k = 0; k < i; k++) {
			if (strcmp(create->options[k].name, option->name) == 0)
				return "create.options.name";
		}
		if (!option->value[0] ||
		    !parser_text_is_sound(option->value, sizeof(option->value), true))
			return "create.options.value";
	}
	return NULL;
}

static bool is_block_size(uint32_t bytes)
{
	return bytes == 0 || (bytes >= 512 && bytes <= 4096 && (bytes & (bytes - 1)) == 0);
}

static const char *check_create(const struct parser_create *create, size_t n_fds)
{
	const char *field;

	if (!IS_TERMINATED(create->name) || !name_is_volume(create->name))
		return "create.name";
	if (!IS_TERMINATED(create->backend) || !name_is_backend(create->backend))
		return "create.backend";
	/* What the interface calls an int cannot be more. */
	if (create->size_bytes == 0 ||
	    (create->size_bytes > INT64_MAX && create->size_bytes != PARSER_UNSET))
		return "create.size_bytes";
	if (!is_block_size(create->block_size))
		return "create.block_size";
	if (create->read_only > 1)
		return "create.read_only";
	if (create->keep > 1)
		return "create.keep";
	if (create->reserved[0] != 0 || create->reserved[1] != 0 || create->reserved2 != 0)
		return "create.reserved";
	field = check_container(&create->container, n_fds, true);
	return field ? field : check_options(create);
}

static const char *check_volume(const struct parser_volume *volume, size_t n_fds, uint32_t method)
{
	bool by_name = volume->name[0], by_container = volume->container.id[0];
	const char *field;

	if (!IS_TERMINATED(volume->name) || (by_name && !name_is_volume(volume->name)))
		return "volume.name";
	if (volume->owner >= UINT32_MAX && volume->owner != PARSER_UNSET)
		return "volume.owner";
	if (volume->timeout_ms != PARSER_UNSET &&
	    (method != PARSER_METHOD_RELEASE || volume->timeout_ms > RELEASE_TIMEOUT_MAX_MS))
		return "volume.timeout_ms";
	if (!parser_text_is_sound(volume->reason, sizeof(volume->reason), true) ||
	    (method != PARSER_METHOD_RELEASE && volume->reason[0]))
		return "volume.reason";
	if (volume->unless_open > (method == PARSER_METHOD_RELEASE))
		return "volume.unless_open";
	for (size_t i = 0; i < ARRAY_SIZE(volume->reserved); i++)
		if (volume->reserved[i] != 0)
			return "volume.reserved";
	field = check_container(&volume->container, n_fds, method == PARSER_METHOD_BIND);
	if (field)
		return field;
	if (!by_name && !(method == PARSER_METHOD_RELEASE && by_container))
		return "volume.name";
	return method == PARSER_METHOD_BIND && !by_container ? "container.id" : NULL;
}

/* The rest of the message; fds are told of by Create and Bind alone. */
static const char *check_bare(const struct parser_message *m, size_t n_fds)
{
	if (m->method == PARSER_METHOD_SUBSCRIBE && !(m->flags & PARSER_CALL_MORE))
		return "flags";
	return n_fds == 0 ? NULL : "n_fds";
}

static const char *check_request(const struct parser_message *m, size_t n_fds)
{
	if (m->refusal != 0 || m->fatal != 0)
		return "refusal";
	if ((m->method == PARSER_METHOD_GET_INTERFACE_DESCRIPTION) != (m->text[0] != '\0'))
		return "text";

	switch (m->method) {
	case PARSER_METHOD_GET_INFO:
	case PARSER_METHOD_GET_INTERFACE_DESCRIPTION:
	case PARSER_METHOD_PING:
	case PARSER_METHOD_LIST:
	case PARSER_METHOD_SUBSCRIBE:
	case PARSER_METHOD_LIST_BACKENDS:
		return check_bare(m, n_fds);
	case PARSER_METHOD_CREATE:
		return check_create(&m->create, n_fds);
	case PARSER_METHOD_BIND:
	case PARSER_METHOD_RELEASE:
	case PARSER_METHOD_DESCRIBE:
		return check_volume(&m->volume, n_fds, m->method);
	default:
		return "method";
	}
}

static const char *check_refusal(const struct parser_message *m)
{
	if (m->refusal < PARSER_REFUSED_SYNTAX || m->refusal > PARSER_REFUSED_EXPECTED_MORE)
		return "refusal";
	if (m->method != 0)
		return "method";
	if (m->fatal > 1 || (m->refusal == PARSER_REFUSED_SYNTAX && m->fatal != 1))
		return "fatal";
	return NULL;
}

/* Only a file has a path, and a worker is never started without its resources. */
static bool may_open(const struct parser_manifest *m, size_t option)
{
	return m->options[option].kind == MANIFEST_STRING && m->options[option].required == 1 &&
	       m->resources[m->options[option].opens - 1] == MANIFEST_FILE;
}

static const char *check_manifest_option(const struct parser_manifest *m, size_t i)
{
	if (!IS_TERMINATED(m->options[i].name) || !name_is_option(m->options[i].name))
		return "manifest.options.name";
	for (size_t k = 0; k < i; k++) {
		if (strcmp(m->options[k].name, m->options[i].name) == 0)
			return "manifest.options.name";
	}
	if (!parser_text_is_sound(m->options[i].summary, sizeof(m->options[i].summary), true))
		return "manifest.options.summary";
	if (m->options[i].kind < MANIFEST_STRING || m->options[i].kind > MANIFEST_SIZE)
		return "manifest.options.kind";
	if (m->options[i].required > 1)
		return "manifest.options.required";
	if (m->options[i].min > m->options[i].max)
		return "manifest.options.min";
	if (m->options[i].opens > m->n_resources ||
	    (m->options[i].opens > 0 && !may_open(m, i)))
		return "manifest.options.opens";
	if (m->options[i].reserved != 0)
		return "manifest.options.reserved";
	return NULL;
}

static size_t count_openers(const struct parser_manifest *m, size_t resource)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_options; i++)
		n += m->options[i].opens == resource + 1;
	return n;
}

static const char *check_manifest(const struct parser_manifest *m)
{
	if (!IS_TERMINATED(m->type) || !name_is_backend(m->type))
		return "manifest.type";
	if (!parser_text_is_sound(m->summary, sizeof(m->summary), true))
		return "manifest.summary";
	if (!IS_TERMINATED(m->profile) || !name_is_backend(m->profile))
		return "manifest.profile";
	if (m->min_size_bytes > m->max_size_bytes || m->max_size_bytes > INT64_MAX)
		return "manifest.max_size_bytes";
	if (m->memory_max_bytes > INT64_MAX)
		return "manifest.memory_max_bytes";
	if (m->volatile_cache > 1)
		return "manifest.volatile_cache";
	if (m->n_threads < 1 || m->n_threads > 64)
		return "manifest.n_threads";
	if (m->n_resources > MANIFEST_RESOURCES_MAX)
		return "manifest.n_resources";
	for (size_t i = 0; i < m->n_resources; i++) {
		if (m->resources[i] != MANIFEST_MEMFD && m->resources[i] != MANIFEST_FILE)
			return "manifest.resources";
	}
	if (m->n_options > WORKER_OPTIONS_MAX)
		return "manifest.n_options";
	for (size_t i = 0; i < m->n_options; i++) {
		const char *field = check_manifest_option(m, i);

		if (field)
			return field;
	}
	for (size_t i = 0; i < m->n_resources; i++) {
		if (count_openers(m, i) != (m->resources[i] == MANIFEST_FILE ? 1 : 0))
			return "manifest.resources";
	}
	return NULL;
}

static const char *find_unsound(const struct parser_message *m, size_t n_fds)
{
	if (m->version != PARSER_MESSAGE_VERSION)
		return "version";
	if (m->reserved != 0)
		return "reserved";
	if (m->n_fds != n_fds || n_fds > PARSER_FDS_MAX ||
	    (n_fds > 0 && m->event != PARSER_REQUEST))
		return "n_fds";
	if (m->flags > PARSER_CALL_MORE && m->flags != PARSER_CALL_ONEWAY)
		return "flags";
	if (!parser_text_is_sound(m->text, sizeof(m->text), false))
		return "text";

	switch (m->event) {
	case PARSER_REQUEST:
		return check_request(m, n_fds);
	case PARSER_REFUSAL:
		return check_refusal(m);
	case PARSER_END:
		return NULL;
	case PARSER_MANIFEST:
		return check_manifest(&m->manifest);
	default:
		return "event";
	}
}

int parser_message_check(const struct parser_message *message, size_t n_fds, const char **ret_field)
{
	const char *field = find_unsound(message, n_fds);

	if (!field)
		return 0;
	*ret_field = field;
	return -EPROTO;
}

int parser_message_receive(int socket, struct parser_message *ret_message, int *fds, size_t *ret_n_fds,
			   const char **ret_field)
{
	size_t n_fds = 0;
	int r;

	*ret_field = "size";
	r = fd_recv_exact(socket, ret_message, sizeof(*ret_message), fds, PARSER_FDS_MAX, &n_fds,
			  MSG_DONTWAIT);
	if (r < 0)
		return r;
	r = parser_message_check(ret_message, n_fds, ret_field);
	if (r < 0) {
		fd_close_many(fds, n_fds);
		return r;
	}
	*ret_n_fds = n_fds;
	return 0;
}

bool parser_message_is_foreign(const char *field)
{
	return strcmp(field, "version") == 0 || strcmp(field, "size") == 0;
}

int parser_message_order(int socket, enum parser_command command, int fd)
{
	struct parser_order order = { .version = PARSER_MESSAGE_VERSION, .command = command };

	return fd_send(socket, &order, sizeof(order), &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT);
}
