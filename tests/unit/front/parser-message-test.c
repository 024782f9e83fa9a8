// SPDX-License-Identifier: Apache-2.0
/*
 * A parser is not trusted: from each sound message, one field is changed at a time, and what comes of it
 * must be refused, by the field's name where there is one.
 */
#include "test.h"
#include "dmuserd/supervisor/parser-message.h"
#include "util/fd.h"

#include <fcntl.h>
#include <sys/socket.h>

static struct parser_message m;
static size_t n_fds;

static void begin(enum parser_method method)
{
	memset(&m, 0, sizeof(m));
	m.version = PARSER_MESSAGE_VERSION;
	m.event = PARSER_REQUEST;
	m.method = method;
	n_fds = 0;
}

static void create(void)
{
	begin(PARSER_METHOD_CREATE);
	strcpy(m.create.name, "data");
	strcpy(m.create.backend, "file");
	m.create.size_bytes = 4096;
	m.create.n_options = 2;
	strcpy(m.create.options[0].name, "path");
	strcpy(m.create.options[0].value, "/images/d\xc3\xa4ta");
	strcpy(m.create.options[1].name, "label");
	strcpy(m.create.options[1].value, "x");
}

static void create_bound(void)
{
	create();
	strcpy(m.create.container.id, "c1");
	m.n_fds = 1;
	n_fds = 1;
}

static void on_volume(enum parser_method method)
{
	begin(method);
	strcpy(m.volume.name, "data");
	m.volume.owner = PARSER_UNSET;
	m.volume.timeout_ms = PARSER_UNSET;
}

static void bind_volume(void)
{
	on_volume(PARSER_METHOD_BIND);
	strcpy(m.volume.container.id, "c1");
	m.n_fds = 1;
	n_fds = 1;
}

static void release_container(void)
{
	on_volume(PARSER_METHOD_RELEASE);
	m.volume.name[0] = '\0';
	strcpy(m.volume.container.id, "c1");
}

static void refusal(void)
{
	begin(0);
	m.event = PARSER_REFUSAL;
	m.refusal = PARSER_REFUSED_INVALID_PARAMETER;
	strcpy(m.text, "size_bytes");
}

static void manifest(void)
{
	begin(0);
	m.event = PARSER_MANIFEST;
	strcpy(m.manifest.type, "file");
	strcpy(m.manifest.summary, "An image");
	strcpy(m.manifest.profile, "file");
	m.manifest.min_size_bytes = 512;
	m.manifest.max_size_bytes = INT64_MAX;
	m.manifest.memory_max_bytes = 1 << 20;
	m.manifest.n_threads = 4;
	m.manifest.n_resources = 2;
	m.manifest.resources[0] = MANIFEST_MEMFD;
	m.manifest.resources[1] = MANIFEST_FILE;
	m.manifest.n_options = 2;
	strcpy(m.manifest.options[0].name, "path");
	m.manifest.options[0].kind = MANIFEST_STRING;
	m.manifest.options[0].required = 1;
	m.manifest.options[0].min = 1;
	m.manifest.options[0].max = 4095;
	m.manifest.options[0].opens = 2;
	strcpy(m.manifest.options[1].name, "depth");
	m.manifest.options[1].kind = MANIFEST_INTEGER;
	m.manifest.options[1].max = 64;
}

static void passes(void)
{
	const char *field = NULL;

	assert_int_equal(parser_message_check(&m, n_fds, &field), 0);
}

static void fails(const char *expected)
{
	const char *field = NULL;

	assert_int_equal(parser_message_check(&m, n_fds, &field), -EPROTO);
	assert_string_equal(field, expected);
}

/* One statement's change to a sound message, and the field that it must be refused by. */
#define REFUSED(make, change, field)                                                               \
	do {                                                                                       \
		make;                                                                              \
		passes();                                                                          \
		change;                                                                            \
		fails(field);                                                                      \
	} while (0)

/* Fills a string to its last byte, so that nothing ends it. */
#define FILL(array) memset(array, 'a', sizeof(array))

static void sound_messages_pass(void **state)
{
	static const enum parser_method bare[] = { PARSER_METHOD_GET_INFO, PARSER_METHOD_PING,
						   PARSER_METHOD_LIST };

	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		begin(bare[i]);
		passes();
	}
	begin(PARSER_METHOD_GET_INTERFACE_DESCRIPTION);
	strcpy(m.text, "io.dmuser");
	passes();
	begin(PARSER_METHOD_SUBSCRIBE);
	m.flags = PARSER_CALL_MORE;
	passes();
	create();
	passes();
	create_bound();
	passes();
	bind_volume();
	passes();
	on_volume(PARSER_METHOD_DESCRIBE);
	passes();
	on_volume(PARSER_METHOD_RELEASE);
	m.volume.timeout_ms = 600000;
	passes();
	release_container();
	passes();
	refusal();
	passes();
	manifest();
	passes();
	begin(0);
	m.event = PARSER_END;
	passes();
}

static void the_frame_is_checked(void **state)
{
	REFUSED(create(), m.version++, "version");
	REFUSED(create(), m.event = 0, "event");
	REFUSED(create(), m.event = 99, "event");
	REFUSED(create(), m.method = 0, "method");
	REFUSED(create(), m.method = PARSER_METHOD_LIST_BACKENDS + 1, "method");
	REFUSED(create(), m.flags = 4, "flags");
	REFUSED(create(), m.flags = PARSER_CALL_MORE | PARSER_CALL_ONEWAY, "flags");
	REFUSED(create(), m.refusal = 1, "refusal");
	REFUSED(create(), m.fatal = 1, "refusal");
	REFUSED(create(), m.reserved = 1, "reserved");
	REFUSED(create(), strcpy(m.text, "x"), "text");
	REFUSED(create(), FILL(m.text), "text");
}

static void descriptors_must_be_those_that_are_named(void **state)
{
	REFUSED(create(), m.n_fds = 1, "n_fds");
	REFUSED(create(), n_fds = 1, "n_fds");
	REFUSED(create(), m.n_fds = n_fds = 1, "n_fds");
	REFUSED(create_bound(), m.n_fds = n_fds = 0, "n_fds");
	REFUSED(create_bound(), m.n_fds = n_fds = 2, "n_fds");
	REFUSED(create_bound(), m.n_fds = n_fds = PARSER_FDS_MAX + 1, "n_fds");
	REFUSED(create_bound(), m.create.container.pidfd = 1, "container.pidfd");
	REFUSED(create_bound(), m.create.container.reserved = 1, "container.reserved");
	REFUSED(bind_volume(), m.n_fds = n_fds = 0, "n_fds");
	REFUSED(release_container(), m.n_fds = n_fds = 1, "n_fds");
	REFUSED(refusal(), m.n_fds = n_fds = 1, "n_fds");
	REFUSED(begin(PARSER_METHOD_PING), m.n_fds = n_fds = 1, "n_fds");
}

static void a_create_is_checked(void **state)
{
	REFUSED(create(), m.create.name[0] = '\0', "create.name");
	REFUSED(create(), strcpy(m.create.name, "../x"), "create.name");
	REFUSED(create(), FILL(m.create.name), "create.name");
	REFUSED(create(), m.create.backend[0] = '\0', "create.backend");
	REFUSED(create(), strcpy(m.create.backend, "a/b"), "create.backend");
	REFUSED(create(), FILL(m.create.backend), "create.backend");
	REFUSED(create(), m.create.size_bytes = 0, "create.size_bytes");
	REFUSED(create(), m.create.size_bytes = 1ull << 63, "create.size_bytes");
	REFUSED(create(), m.create.block_size = 256, "create.block_size");
	REFUSED(create(), m.create.block_size = 768, "create.block_size");
	REFUSED(create(), m.create.block_size = 8192, "create.block_size");
	REFUSED(create(), m.create.read_only = 2, "create.read_only");
	REFUSED(create(), m.create.keep = 2, "create.keep");
	REFUSED(create(), m.create.reserved[1] = 1, "create.reserved");
	REFUSED(create(), m.create.reserved2 = 1, "create.reserved");
	REFUSED(create_bound(), strcpy(m.create.container.id, "a b"), "container.id");
	REFUSED(create_bound(), FILL(m.create.container.id), "container.id");
}

static void its_options_are_checked(void **state)
{
	REFUSED(create(), m.create.n_options = WORKER_OPTIONS_MAX + 1, "create.n_options");
	REFUSED(create(), m.create.n_options = UINT32_MAX, "create.n_options");
	REFUSED(create(), m.create.n_options = 3, "create.options.name");
	REFUSED(create(), strcpy(m.create.options[1].name, "path"), "create.options.name");
	REFUSED(create(), strcpy(m.create.options[1].name, "La bel"), "create.options.name");
	REFUSED(create(), FILL(m.create.options[1].name), "create.options.name");
	REFUSED(create(), m.create.options[1].value[0] = '\0', "create.options.value");
	REFUSED(create(), strcpy(m.create.options[1].value, "a\nb"), "create.options.value");
	REFUSED(create(), strcpy(m.create.options[1].value, "\xc0\xaf"), "create.options.value");
	REFUSED(create(), FILL(m.create.options[1].value), "create.options.value");
}

static void calls_about_a_volume_are_checked(void **state)
{
	static const enum parser_method methods[] = { PARSER_METHOD_BIND, PARSER_METHOD_DESCRIBE };

	REFUSED(bind_volume(), m.volume.container.id[0] = '\0'; m.n_fds = n_fds = 0, "container.id");
	REFUSED(bind_volume(), m.volume.timeout_ms = 1, "volume.timeout_ms");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		void (*make)(void) = methods[i] == PARSER_METHOD_BIND ? bind_volume : NULL;

		REFUSED(make ? make() : on_volume(methods[i]), m.volume.name[0] = '\0', "volume.name");
		REFUSED(make ? make() : on_volume(methods[i]), strcpy(m.volume.name, ".x"),
			"volume.name");
		REFUSED(make ? make() : on_volume(methods[i]), FILL(m.volume.name), "volume.name");
		REFUSED(make ? make() : on_volume(methods[i]), m.volume.owner = UINT32_MAX,
			"volume.owner");
		REFUSED(make ? make() : on_volume(methods[i]), m.volume.owner = 1ull << 32,
			"volume.owner");
	}
	REFUSED(on_volume(PARSER_METHOD_DESCRIBE), strcpy(m.volume.container.id, "_c"),
		"container.id");
	REFUSED(on_volume(PARSER_METHOD_DESCRIBE), strcpy(m.volume.reason, "why"), "volume.reason");
	REFUSED(bind_volume(), strcpy(m.volume.reason, "why"), "volume.reason");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), strcpy(m.volume.reason, "a\nb"), "volume.reason");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), strcpy(m.volume.reason, "\xff"), "volume.reason");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), FILL(m.volume.reason), "volume.reason");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), m.volume.unless_open = 2, "volume.unless_open");
	REFUSED(on_volume(PARSER_METHOD_DESCRIBE), m.volume.unless_open = 1, "volume.unless_open");
	REFUSED(bind_volume(), m.volume.unless_open = 1, "volume.unless_open");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), m.volume.reserved[6] = 1, "volume.reserved");
	REFUSED(on_volume(PARSER_METHOD_RELEASE), m.volume.timeout_ms = 600001,
		"volume.timeout_ms");
	REFUSED(release_container(), m.volume.container.id[0] = '\0', "volume.name");
}

static void a_subscription_needs_more(void **state)
{
	begin(PARSER_METHOD_SUBSCRIBE);
	fails("flags");
}

static void a_description_needs_an_interface(void **state)
{
	begin(PARSER_METHOD_GET_INTERFACE_DESCRIPTION);
	fails("text");
	strcpy(m.text, "\xff");
	fails("text");
}

static void a_refusal_is_checked(void **state)
{
	REFUSED(refusal(), m.refusal = 0, "refusal");
	REFUSED(refusal(), m.refusal = PARSER_REFUSED_EXPECTED_MORE + 1, "refusal");
	REFUSED(refusal(), m.fatal = 2, "fatal");
	REFUSED(refusal(), m.refusal = PARSER_REFUSED_SYNTAX, "fatal");
	REFUSED(refusal(), m.method = 1, "method");
	REFUSED(refusal(), strcpy(m.text, "\xed\xa0\x80"), "text");
}

static void a_manifest_is_checked(void **state)
{
	REFUSED(manifest(), strcpy(m.manifest.type, "../x"), "manifest.type");
	REFUSED(manifest(), FILL(m.manifest.type), "manifest.type");
	REFUSED(manifest(), FILL(m.manifest.summary), "manifest.summary");
	REFUSED(manifest(), strcpy(m.manifest.summary, "\033[2J"), "manifest.summary");
	REFUSED(manifest(), strcpy(m.manifest.profile, "a/../b"), "manifest.profile");
	REFUSED(manifest(), m.manifest.min_size_bytes = UINT64_MAX, "manifest.max_size_bytes");
	REFUSED(manifest(), m.manifest.max_size_bytes = UINT64_MAX, "manifest.max_size_bytes");
	REFUSED(manifest(), m.manifest.memory_max_bytes = UINT64_MAX, "manifest.memory_max_bytes");
	REFUSED(manifest(), m.manifest.volatile_cache = 2, "manifest.volatile_cache");
	REFUSED(manifest(), m.manifest.n_threads = 0, "manifest.n_threads");
	REFUSED(manifest(), m.manifest.n_threads = 65, "manifest.n_threads");
	REFUSED(manifest(), m.manifest.n_resources = MANIFEST_RESOURCES_MAX + 1,
		"manifest.n_resources");
	REFUSED(manifest(), m.manifest.resources[0] = 0, "manifest.resources");
	REFUSED(manifest(), m.manifest.resources[0] = 3, "manifest.resources");
	/* A file that no option opens. */
	REFUSED(manifest(), m.manifest.resources[0] = MANIFEST_FILE, "manifest.resources");
	REFUSED(manifest(), m.manifest.n_options = WORKER_OPTIONS_MAX + 1, "manifest.n_options");
}

static void a_manifests_options_are_checked(void **state)
{
	REFUSED(manifest(), strcpy(m.manifest.options[1].name, "path"), "manifest.options.name");
	REFUSED(manifest(), m.manifest.options[1].name[0] = '\0', "manifest.options.name");
	REFUSED(manifest(), FILL(m.manifest.options[1].summary), "manifest.options.summary");
	REFUSED(manifest(), m.manifest.options[1].kind = 0, "manifest.options.kind");
	REFUSED(manifest(), m.manifest.options[1].kind = 5, "manifest.options.kind");
	REFUSED(manifest(), m.manifest.options[1].required = 2, "manifest.options.required");
	REFUSED(manifest(), m.manifest.options[1].min = 65, "manifest.options.min");
	REFUSED(manifest(), m.manifest.options[1].reserved = 1, "manifest.options.reserved");
	REFUSED(manifest(), m.manifest.options[1].opens = 1, "manifest.options.opens");
	REFUSED(manifest(), m.manifest.options[0].opens = 1, "manifest.options.opens");
	REFUSED(manifest(), m.manifest.options[0].opens = 3, "manifest.options.opens");
	REFUSED(manifest(), m.manifest.options[0].opens = UINT32_MAX, "manifest.options.opens");
	REFUSED(manifest(), m.manifest.options[0].opens = 0, "manifest.resources");
	REFUSED(manifest(), m.manifest.options[0].required = 0, "manifest.options.opens");
	REFUSED(manifest(), m.manifest.options[0].kind = MANIFEST_SIZE, "manifest.options.opens");
}

/* Whatever the bytes: an answer, and no read beyond the message, which the sanitizers look for. */
static void any_byte_may_be_anything(void **state)
{
	static void (*const makes[])(void) = { create, create_bound, bind_volume, release_container,
					       refusal, manifest };
	unsigned char *bytes = (unsigned char *)&m;
	uint32_t random = 12345;
	const char *field;

	for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]); i++) {
		makes[i]();
		for (int round = 0; round < 20000; round++) {
			random = random * 1664525 + 1013904223;
			bytes[random % sizeof(m)] = (unsigned char)(random >> 24);
			parser_message_check(&m, n_fds, &field);
		}
	}
}

static int pair[2];

static int connect_pair(void **state)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	return 0;
}

static int close_pair(void **state)
{
	fd_close_many(pair, 2);
	return 0;
}

static int receive(int *fds, const char **ret_field)
{
	static struct parser_message received;
	size_t n = 0;

	return parser_message_receive(pair[0], &received, fds, &n, ret_field);
}

static void descriptors_of_a_refused_message_are_closed(void **state)
{
	int fds[PARSER_FDS_MAX] = { -1, -1, -1, -1 };
	const char *field = NULL;

	bind_volume();
	m.volume.owner = UINT32_MAX;
	assert_int_equal(fd_send(pair[1], &m, sizeof(m), &pair[1], 1, 0), 0);
	assert_int_equal(receive(fds, &field), -EPROTO);
	assert_string_equal(field, "volume.owner");
	assert_int_equal(fds[0], -EBADF);
}

static void a_message_of_another_size_is_refused(void **state)
{
	int fds[PARSER_FDS_MAX];
	const char *field = NULL;

	create();
	assert_int_equal(fd_send(pair[1], &m, sizeof(m) - 1, NULL, 0, 0), 0);
	assert_int_equal(receive(fds, &field), -EPROTO);
	assert_string_equal(field, "size");
	assert_int_equal(fd_send(pair[1], "", 1, NULL, 0, 0), 0);
	assert_int_equal(receive(fds, &field), -EPROTO);
	assert_int_equal(receive(fds, &field), -EAGAIN);
}

static void an_ended_parser_is_told_apart(void **state)
{
	int fds[PARSER_FDS_MAX];
	const char *field = NULL;

	close(pair[1]);
	pair[1] = -1;
	assert_int_equal(receive(fds, &field), -ECONNRESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_messages_pass),
		cmocka_unit_test(the_frame_is_checked),
		cmocka_unit_test(descriptors_must_be_those_that_are_named),
		cmocka_unit_test(a_create_is_checked),
		cmocka_unit_test(its_options_are_checked),
		cmocka_unit_test(calls_about_a_volume_are_checked),
		cmocka_unit_test(a_subscription_needs_more),
		cmocka_unit_test(a_description_needs_an_interface),
		cmocka_unit_test(a_refusal_is_checked),
		cmocka_unit_test(a_manifest_is_checked),
		cmocka_unit_test(a_manifests_options_are_checked),
		cmocka_unit_test(any_byte_may_be_anything),
		cmocka_unit_test_setup_teardown(descriptors_of_a_refused_message_are_closed,
						connect_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_message_of_another_size_is_refused, connect_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(an_ended_parser_is_told_apart, connect_pair,
						close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
