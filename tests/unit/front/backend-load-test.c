// SPDX-License-Identifier: Apache-2.0
/* What comes of a manifest that a parser, played by the test, has read. */
#include "test.h"
#include "dmuserd/supervisor/backend-load.h"
#include "fake-pool.h"
#include "util/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>

static struct {
	bool called;
	int error;
	bool has_manifest;
	char reason[512];
} outcome;

static void on_loaded(void *userdata, int error, const struct parser_manifest *manifest,
		      const char *reason)
{
	outcome.called = true;
	outcome.error = error;
	outcome.has_manifest = manifest;
	snprintf(outcome.reason, sizeof(outcome.reason), "%s", reason ? reason : "");
}

#define LEAST_FOR_ONE worker_memory_needed(1, 1)

static struct parser_message manifest_with(uint32_t n_threads, uint64_t memory_max_bytes)
{
	return (struct parser_message){
		.version = PARSER_MESSAGE_VERSION,
		.event = PARSER_MANIFEST,
		.manifest = { .type = "x", .summary = "s", .profile = "null", .min_size_bytes = 512,
			      .max_size_bytes = 4096, .n_threads = n_threads,
			      .memory_max_bytes = memory_max_bytes },
	};
}

/* The parser says that of the manifest of backend x. */
static void load(const struct parser_message *message)
{
	struct backend_load *load = NULL;
	struct manager m = {};

	memset(&outcome, 0, sizeof(outcome));
	fake_pool_reset();
	assert_return_code(sd_event_new(&m.event), 0);
	assert_int_equal(backend_load_start(&m, "x", open("/dev/null", O_RDONLY | O_CLOEXEC), on_loaded,
					    NULL, &load), 0);
	assert_int_equal(fd_send(fake_parsers[0], message, sizeof(*message), NULL, 0, 0), 0);
	while (!outcome.called)
		assert_true(sd_event_run(m.event, 20000000) > 0);
	backend_load_free(load);
	sd_event_unref(m.event);
	fake_pool_reset();
}

static void a_sound_manifest_is_taken(void **state)
{
	struct parser_message message = manifest_with(1, LEAST_FOR_ONE);

	load(&message);
	assert_int_equal(outcome.error, 0);
	assert_true(outcome.has_manifest);
	message = manifest_with(64, 82 << 20);
	load(&message);
	assert_int_equal(outcome.error, 0);
}

static void assert_refused(uint32_t n_threads, uint64_t memory_max_bytes)
{
	struct parser_message message = manifest_with(n_threads, memory_max_bytes);
	char words[128];

	load(&message);
	assert_int_equal(outcome.error, -EINVAL);
	assert_false(outcome.has_manifest);
	snprintf(words, sizeof(words), "must be at least %" PRIu64 ": ",
		 worker_memory_needed(n_threads, n_threads));
	assert_non_null(strstr(outcome.reason, words));
}

static void too_little_memory_for_any_worker_is_refused_with_the_least(void **state)
{
	uint64_t least = worker_memory_needed(4, 4), base = worker_memory_needed(0, 0);
	char words[128];

	assert_refused(1, 4096);
	assert_refused(4, least - 1);
	/* All buffers and nothing else. */
	assert_refused(64, 64 << 20);
	/* The words are as good as the number. */
	snprintf(words, sizeof(words), ": %" PRIu64 " KiB for the program, and %" PRIu64
		 " KiB for each thread", base / 1024, (least - base) / 4 / 1024);
	assert_non_null(strstr(outcome.reason, words));
}

static void a_manifest_of_another_backend_is_refused_before_its_numbers(void **state)
{
	struct parser_message message = manifest_with(1, 1);

	strcpy(message.manifest.type, "y");
	load(&message);
	assert_int_equal(outcome.error, -EINVAL);
	assert_non_null(strstr(outcome.reason, "names another backend"));
}

/* No mend of the manifest's: whoever asked must be able to tell. */
static void a_parser_of_another_version_is_called_that(void **state)
{
	struct parser_message message = manifest_with(1, 1 << 20);

	message.version++;
	load(&message);
	assert_int_equal(outcome.error, -EPROTONOSUPPORT);
	assert_non_null(strstr(outcome.reason, "differ in version"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_manifest_is_taken),
		cmocka_unit_test(too_little_memory_for_any_worker_is_refused_with_the_least),
		cmocka_unit_test(a_manifest_of_another_backend_is_refused_before_its_numbers),
		cmocka_unit_test(a_parser_of_another_version_is_called_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
