// SPDX-License-Identifier: Apache-2.0
/*
 * What goes wrong with a creation by itself: each step that fails or never ends, the words in which
 * it is told, and that nothing is left; uids that run out, containers that are none.
 */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What goes wrong, what comes of it, and in which words. */
struct mishap {
	const char *name;
	enum worker_manner manner;
	int operation; /* DM(…), or 0: all of device-mapper is well */
	int error;     /* of operation; 0: it is silent */
	int spawn_error, spawn_refused, channel_error, sole_error;
	bool spawn_silent, gate_closed;
	const char *little_time; /* for a worker, from the step behind this one on; or NULL */
	const char *backend; /* NULL: memory */
	enum failure_kind kind;
	const char *subject, *words;
};

static const struct mishap mishaps[] = {
	{ .name = "driver missing", .operation = DM(VERSION), .error = -ENODEV,
	  .kind = FAILURE_DRIVER_UNAVAILABLE, .words = "modprobe dm-user" },
	{ .name = "not alone", .sole_error = -EBUSY, .kind = FAILURE_DRIVER_UNAVAILABLE,
	  .words = "another dmuserd serves this kernel" },
	{ .name = "no size", .backend = "null", .kind = FAILURE_INVALID_PARAMETER,
	  .subject = "size_bytes", .words = "no size" },
	{ .name = "no path", .backend = "file", .kind = FAILURE_INVALID_OPTION, .subject = "path",
	  .words = "path" },
	{ .name = "no executable", .backend = "broken", .kind = FAILURE_BACKEND_FAILED,
	  .words = "backend broken is not complete: /nonexistent/dmuser-backend-broken: No such "
		   "file or directory; install it again, or remove its manifest, broken.json" },
	{ .name = "no profile", .backend = "unsealed", .kind = FAILURE_BACKEND_FAILED,
	  .words = "backend unsealed is not complete: /nonexistent/unsealed.bpf: No such file" },
	{ .name = "spawner gone", .spawn_refused = -ENOTCONN, .kind = FAILURE_BACKEND_FAILED,
	  .words = "start dmuser-spawner" },
	{ .name = "spawner of another version", .spawn_refused = -EPROTONOSUPPORT,
	  .kind = FAILURE_BACKEND_FAILED, .words = "restart dmuser-workers and dmuserd" },
	{ .name = "another version answers", .spawn_error = -EPROTONOSUPPORT,
	  .kind = FAILURE_BACKEND_FAILED, .words = "restart dmuser-workers and dmuserd" },
	{ .name = "spawn fails", .spawn_error = -EAGAIN, .kind = FAILURE_BACKEND_FAILED,
	  .words = "spawn: cgroup: " },
	{ .name = "spawn lost", .spawn_error = -ECONNRESET, .kind = FAILURE_BACKEND_FAILED,
	  .words = "start dmuser-spawner" },
	{ .name = "dies unsealed", .manner = WORKER_DIES_UNSEALED, .kind = FAILURE_BACKEND_FAILED,
	  .words = "the worker exited with status 7" },
	{ .name = "never sealed", .manner = WORKER_IS_NEVER_SEALED, .little_time = "spawn",
	  .kind = FAILURE_TIMED_OUT, .subject = "seal" },
	{ .name = "fails to seal", .manner = WORKER_FAILS_TO_SEAL, .kind = FAILURE_BACKEND_FAILED,
	  /* By the step that it was seen in, which may be the one before. */
	  .words = ": mlock: Cannot allocate memory: too little" },
	{ .name = "nonsense", .manner = WORKER_REPORTS_NONSENSE, .kind = FAILURE_BACKEND_FAILED,
	  .words = "wrong size" },
	{ .name = "does not listen", .manner = WORKER_DOES_NOT_LISTEN,
	  .kind = FAILURE_BACKEND_FAILED, .words = "hello: Connection refused" },
	{ .name = "no hello", .manner = WORKER_DOES_NOT_SAY_HELLO, .little_time = "seal",
	  .kind = FAILURE_TIMED_OUT, .subject = "hello" },
	{ .name = "another", .manner = WORKER_IS_ANOTHER, .kind = FAILURE_BACKEND_FAILED,
	  .words = "hello: it is not the worker" },
	{ .name = "another generation", .manner = WORKER_IS_OF_ANOTHER_GENERATION,
	  .kind = FAILURE_BACKEND_FAILED, .words = "hello: it is not the worker" },
	{ .name = "attached already", .manner = WORKER_SAYS_IT_IS_ATTACHED,
	  .kind = FAILURE_BACKEND_FAILED, .words = "hello: it is not the worker" },
	{ .name = "dies at hello", .manner = WORKER_DIES_AT_HELLO, .kind = FAILURE_BACKEND_FAILED,
	  .words = "hello: the worker exited with status 8" },
	{ .name = "sends descriptors", .manner = WORKER_SENDS_DESCRIPTORS,
	  .kind = FAILURE_BACKEND_FAILED, .words = "not asked for" },
	{ .name = "gate", .gate_closed = true, .kind = FAILURE_BACKEND_FAILED,
	  .words = "gate: capabilities: expected none, found all" },
	{ .name = "create fails", .operation = DM(CREATE), .error = -EINVAL,
	  .kind = FAILURE_DRIVER_UNAVAILABLE, .words = "device: " },
	{ .name = "create silent", .operation = DM(CREATE), .kind = FAILURE_TIMED_OUT,
	  .subject = "device" },
	{ .name = "no node", .channel_error = -ENOENT, .kind = FAILURE_DRIVER_UNAVAILABLE,
	  .words = "/dev/dm-user/" },
	{ .name = "channel not taken", .manner = WORKER_DOES_NOT_TAKE_CHANNEL,
	  .little_time = "hello", .kind = FAILURE_TIMED_OUT, .subject = "channel" },
	{ .name = "channel refused", .manner = WORKER_REFUSES_CHANNEL,
	  .kind = FAILURE_BACKEND_FAILED, .words = "channel: Device or resource busy" },
	{ .name = "dies at channel", .manner = WORKER_DIES_AT_CHANNEL,
	  .kind = FAILURE_BACKEND_FAILED, .words = "channel: the worker exited with status 9" },
	{ .name = "resume fails", .operation = DM(RESUME), .error = -EINVAL,
	  .kind = FAILURE_DRIVER_UNAVAILABLE, .words = "resume: " },
	{ .name = "resume silent", .operation = DM(RESUME), .kind = FAILURE_TIMED_OUT,
	  .subject = "resume" },
};

static void arrange(const struct mishap *m)
{
	world->manner = m->manner;
	world->spawn_error = m->spawn_error;
	world->spawn_refused = m->spawn_refused;
	world->spawn_silent = m->spawn_silent;
	world->channel_error = m->channel_error;
	world->sole_error = m->sole_error;
	world->gate_closed = m->gate_closed;
	if (m->operation && m->error < 0)
		world->dm_error[m->operation - 1] = m->error;
	else if (m->operation)
		world->dm_silent[m->operation - 1] = true;
	/* No other operation takes any time. */
	world->m.settings.device_mapper_timeout_ms = WORLD_LITTLE_TIME_MS;
}

static void suffer(const struct mishap *m)
{
	struct volume_spec spec = spec_of("data", m->backend ? m->backend : "memory", MIB);
	struct caller c;

	if (m->backend && strcmp(m->backend, "null") == 0)
		spec.size_bytes = PARSER_UNSET;
	arrange(m);
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	if (m->little_time) {
		run_until_step(volume_named("data"), m->little_time);
		world->m.settings.worker_start_timeout_ms = WORLD_LITTLE_TIME_MS;
	}
	run_until_flag(world->m.event, &c.done);
	if (!c.failed || c.failure.kind != m->kind)
		fail_msg("%s: kind %d: %s", m->name, c.failure.kind, c.failure.reason);
	if (m->subject)
		assert_string_equal(c.failure.subject, m->subject);
	if (m->words && !strstr(c.failure.reason, m->words))
		fail_msg("%s: \"%s\" does not say \"%s\"", m->name, c.failure.reason, m->words);
	/* When it is told, it is over. */
	assert_null(volume_named("data"));
	assert_null(world->devices);
	assert_int_equal(c.calls, 1);
	if (!m->gate_closed && m->manner == WORKER_GOOD)
		return;
	/* The gate comes before the device, and the device before the channel. */
	if (m->manner < WORKER_DOES_NOT_TAKE_CHANNEL)
		assert_null(strstr(world->operations, "create"));
}

static void each_mishap_is_told_and_leaves_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mishaps); i++) {
		assert_int_equal(world_setup(state), 0);
		suffer(&mishaps[i]);
		/* A process that may run somewhere keeps its uid from being given again. */
		if (mishaps[i].spawn_error == -ECONNRESET || mishaps[i].spawn_error == -EPROTONOSUPPORT)
			uid_pool_release(world->m.volumes->uids, 1900000000);
		assert_int_equal(world_teardown(state), 0);
	}
}

/* Sets the limit so that n more descriptors can be had, and returns what it was. */
static struct rlimit leave_descriptors(size_t n)
{
	struct rlimit before, few;
	int fds[8];

	assert_true(n < ARRAY_SIZE(fds));
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	for (size_t i = 0; i <= n; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	few = (struct rlimit){ .rlim_cur = (rlim_t)fds[n], .rlim_max = before.rlim_max };
	fd_close_many(fds, n + 1);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
	return before;
}

/* Installing it again would change nothing. */
static void a_backend_is_not_called_incomplete_for_want_of_a_descriptor(void **state)
{
	struct volume_spec spec = spec_of("data", "broken", MIB);
	struct rlimit before;
	struct caller c;

	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	/* Its worker's sockets. */
	before = leave_descriptors(3);
	run_until_flag(world->m.event, &c.done);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	assert_int_equal(c.failure.kind, FAILURE_BACKEND_FAILED);
	assert_string_equal(c.failure.reason, "spawn: /nonexistent/dmuser-backend-broken: Too "
					      "many open files");
}

static void after_a_mishap_the_next_creation_works(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;

	world->manner = WORKER_DIES_AT_CHANNEL;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	world->manner = WORKER_GOOD;
	release_and_wait(&c, create_and_wait(&c, &spec));
}

static void the_uid_of_a_process_that_nobody_can_name_is_not_given_again(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	uid_t burnt = 1900000000, uid;
	struct caller c;

	world->spawn_silent = true;
	world->m.settings.worker_start_timeout_ms = WORLD_LITTLE_TIME_MS;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_TIMED_OUT);
	assert_string_equal(c.failure.subject, "spawn");
	run_until_no_volume();
	for (int i = 1; i < WORKER_UIDS; i++) {
		assert_int_equal(uid_pool_take(world->m.volumes->uids, &uid), 0);
		assert_int_not_equal(uid, burnt);
	}
	assert_int_equal(uid_pool_take(world->m.volumes->uids, &uid), -EAGAIN);
	for (uid = burnt; uid < burnt + WORKER_UIDS; uid++)
		uid_pool_release(world->m.volumes->uids, uid);
}

static void memory_that_the_machine_does_not_have_is_refused(void **state)
{
	uint64_t total = backing_memory_total();
	struct volume_spec spec = spec_of("data", "memory", (total / MIB + 1) * MIB);
	struct caller c;

	assert_true(total > 0);
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(c.failure.max_size_bytes, total - total % 512);
	assert_non_null(strstr(c.failure.reason, "memory_volume_bytes_max"));
	run_until_no_volume();
	/* Whoever knows better may say so. */
	world->m.settings.memory_volume_bytes_max = spec.size_bytes;
	release_and_wait(&c, create_and_wait(&c, &spec));
	spec.size_bytes += MIB;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(c.failure.max_size_bytes, spec.size_bytes - MIB);
}

static void fails_with_memory_max(const struct volume_spec *spec, uint64_t memory_max,
				  struct failure *failed)
{
	struct caller c;

	world->m.settings.memory_volume_bytes_max = memory_max;
	assert_int_equal(create(&c, spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_non_null(strstr(c.failure.reason, "memory_volume_bytes_max"));
	run_until_no_volume();
	*failed = c.failure;
}

static void sizes_that_are_named_can_be_had(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct failure failure;

	fails_with_memory_max(&spec, 10000, &failure);
	assert_int_equal(failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(failure.min_size_bytes, 4096);
	assert_int_equal(failure.max_size_bytes, 9728);
	/* Less than the backend serves at least. */
	fails_with_memory_max(&spec, 1000, &failure);
	assert_int_equal(failure.kind, FAILURE_QUOTA_EXCEEDED);
	assert_string_equal(failure.setting, "memory_volume_bytes_max");
}

static void sizes_that_are_named_are_whole_blocks(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct backend small = *spec.backend;
	struct failure failure;

	small.manifest.min_size_bytes = 512;
	spec.backend = &small;
	spec.block_size = 4096;
	fails_with_memory_max(&spec, 10000, &failure);
	assert_int_equal(failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(failure.min_size_bytes, 4096);
	assert_int_equal(failure.max_size_bytes, 8192);
	/* As much as the backend serves at least, and less than a block. */
	fails_with_memory_max(&spec, 1000, &failure);
	assert_int_equal(failure.kind, FAILURE_QUOTA_EXCEEDED);
}

static void without_a_free_uid_the_quota_is_named(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;
	uid_t uid;

	while (uid_pool_take(world->m.volumes->uids, &uid) == 0)
		;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_QUOTA_EXCEEDED);
	assert_string_equal(c.failure.subject, "workers");
	assert_int_equal(c.failure.limit, WORKER_UIDS);
	for (uid = 1900000000; uid < 1900000000 + WORKER_UIDS; uid++)
		uid_pool_release(world->m.volumes->uids, uid);
}

/* A worker's second word, unasked, is its last one, whenever it is read. */
static void a_worker_that_speaks_unasked_is_killed(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;

	world->manner = WORKER_ANSWERS_TWICE;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	if (!c.failed) {
		run_until_state(c.volume, VOLUME_DEGRADED);
		release_and_wait(&c, c.volume);
	}
	assert_int_equal(world_n_children_alive(), 0);
}

static void all_who_wait_for_a_creation_hear_of_its_failure(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller first, second;

	world->manner = WORKER_FAILS_TO_SEAL;
	assert_int_equal(create(&first, &spec, NULL, 0), 0);
	assert_int_equal(create(&second, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &second.done);
	assert_true(first.failed && second.failed);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);
}

static void a_container_that_has_ended_is_told(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	siginfo_t info;
	struct caller c;

	kill(pid, SIGKILL);
	/* A zombie: its pidfd can be had, and says that it is dead. */
	assert_return_code(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), errno);
	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_OWNER_GONE);
	assert_string_equal(c.failure.subject, "c1");
	end_container(pid);
}

static void what_is_no_container_is_told(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c = {};

	assert_int_equal(create(&c, &spec, "c1", 0), 0); /* no pidfd at all */
	volume_named("data")->container_pidfd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_INVALID_PARAMETER);
	assert_string_equal(c.failure.subject, "container");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(all_who_wait_for_a_creation_hear_of_its_failure),
		cmocka_unit_test(each_mishap_is_told_and_leaves_nothing),
		WORLD_TEST(a_backend_is_not_called_incomplete_for_want_of_a_descriptor),
		WORLD_TEST(after_a_mishap_the_next_creation_works),
		WORLD_TEST(the_uid_of_a_process_that_nobody_can_name_is_not_given_again),
		WORLD_TEST(memory_that_the_machine_does_not_have_is_refused),
		WORLD_TEST(sizes_that_are_named_can_be_had),
		WORLD_TEST(sizes_that_are_named_are_whole_blocks),
		WORLD_TEST(without_a_free_uid_the_quota_is_named),
		WORLD_TEST(a_worker_that_speaks_unasked_is_killed),
		WORLD_TEST(a_container_that_has_ended_is_told),
		WORLD_TEST(what_is_no_container_is_told),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
