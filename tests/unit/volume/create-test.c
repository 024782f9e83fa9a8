// SPDX-License-Identifier: Apache-2.0
/* Creation: every step, its failure, its time-out, and what may happen beside it. Nothing is ever left. */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MIB ((uint64_t)1 << 20)

static void a_volume_becomes_active_step_by_step(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct volume_info info;
	struct world_device *d;
	struct world_child *child;
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);

	assert_true(c.created);
	assert_string_equal(world->events, " data:created data:attached data:active");
	assert_string_equal(world->operations, " version create resume");
	volume_get_info(v, &info);
	assert_int_equal(info.state, VOLUME_ACTIVE);
	assert_int_equal(info.size_bytes, MIB);
	assert_true(info.blank);
	assert_null(info.container);
	assert_null(info.error);
	d = world_device(info.uuid);
	assert_non_null(d);
	assert_true(d->live);
	assert_int_equal(d->size_sectors, MIB / 512);
	assert_int_equal(d->block_size, 512);
	assert_string_equal(d->volatile_cache, "off");
	assert_string_equal(d->name, "dmuser-0-data");
	child = world_child(info.uuid);
	assert_int_equal(info.worker_pid, child->pid);
	assert_int_equal(info.worker_uid, child->uid);
	assert_string_equal(child->group, info.uuid);
	assert_true(child->memory_max >= MIB + (16 << 20));
	assert_true(child->memlock_max >= MIB);
	release_and_wait(&c, v);
	assert_string_equal(world->events, " data:created data:attached data:active data:releasing data:gone");
}

static void the_device_has_the_block_size_that_was_asked_for(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;
	struct volume *v;

	spec.block_size = 4096;
	v = create_and_wait(&c, &spec);
	assert_int_equal(world_device(v->uuid)->block_size, 4096);
	release_and_wait(&c, v);
}

static void the_gate_is_asked_for_exactly_what_the_worker_has(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	char cgroup[128];
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);

	assert_int_equal(world->gate_calls, 1);
	assert_int_equal(world->gate_fds, 3); /* link, connection, memory */
	snprintf(cgroup, sizeof(cgroup), "%s/%s", v->uuid, v->uuid);
	assert_string_equal(world->gate_cgroup, cgroup);
	release_and_wait(&c, v);
}

static void no_copy_of_the_channel_stays(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);
	struct world_device *d = world_device(v->uuid);

	/* The worker's copy is the last one: with the worker, the pipe's reading end is gone. */
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write(d->channel_write, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	release_and_wait(&c, v);
}

static void the_same_again_finds_the_volume(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller first, second;
	struct volume *v = create_and_wait(&first, &spec);

	assert_ptr_equal(create_and_wait(&second, &spec), v);
	assert_false(second.created);
	assert_int_equal(world_n_children_alive(), 1);
	release_and_wait(&first, v);
}

static void a_second_caller_joins_a_creation(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller first, second;

	assert_int_equal(create(&first, &spec, NULL, 0), 0);
	assert_int_equal(create(&second, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &second.done);
	assert_true(first.done);
	assert_true(first.created);
	assert_false(second.created);
	assert_ptr_equal(first.volume, second.volume);
	release_and_wait(&first, first.volume);
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

static void assert_mismatch(const struct volume_spec *spec, const char *field)
{
	struct caller c;

	assert_true(create(&c, spec, NULL, 0) < 0);
	assert_int_equal(c.failure.kind, FAILURE_SPECIFICATION_MISMATCH);
	assert_string_equal(c.failure.subject, field);
}

static void another_specification_is_told_by_its_field(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB), other = spec;
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);

	other.size_bytes = 2 * MIB;
	assert_mismatch(&other, "size_bytes");
	other = spec;
	other.block_size = 4096;
	assert_mismatch(&other, "block_size");
	other = spec;
	other.read_only = true;
	assert_mismatch(&other, "read_only");
	other = spec;
	other.backend = backend_find(&world->m, "null");
	assert_mismatch(&other, "backend");
	other = spec;
	other.n_options = 1;
	assert_mismatch(&other, "options");
	other = spec;
	other.keep = true;
	assert_ptr_equal(create_and_wait(&c, &other), v);
	assert_true(volume_spec(v)->keep);
	release_and_wait(&c, v);
}

static void names_of_different_owners_do_not_meet(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB), other = spec;
	struct caller a, b;
	struct volume *v, *w;

	other.owner = 1000;
	v = create_and_wait(&a, &spec);
	w = create_and_wait(&b, &other);
	assert_true(b.created);
	assert_ptr_not_equal(v, w);
	assert_ptr_equal(volume_named("data"), v);
	assert_ptr_equal(volume_find(&world->m, 1000, NULL, "data"), w);
	assert_null(volume_find(&world->m, 1001, NULL, "data"));
	assert_null(volume_named("other"));
	assert_ptr_equal(volume_next(&world->m, NULL), v);
	assert_ptr_equal(volume_next(&world->m, v), w);
	assert_null(volume_next(&world->m, w));
	release_and_wait(&a, v);
	release_and_wait(&b, w);
}

/* An operation in a table whose default is none. */
#define DM(operation) (DM_OP_##operation + 1)

/* What goes wrong, what comes of it, and in which words. */
struct mishap {
	const char *name;
	enum worker_manner manner;
	int operation; /* DM(…), or 0: all of device-mapper is well */
	int error;     /* of operation; 0: it is silent */
	int spawn_error, spawn_refused, channel_error;
	bool spawn_silent, gate_closed;
	const char *backend; /* NULL: memory */
	enum failure_kind kind;
	const char *subject, *words;
};

static const struct mishap mishaps[] = {
	{ .name = "driver missing", .operation = DM(VERSION), .error = -ENODEV,
	  .kind = FAILURE_DRIVER_UNAVAILABLE, .words = "modprobe dm-user" },
	{ .name = "no size", .backend = "null", .kind = FAILURE_INVALID_PARAMETER,
	  .subject = "size_bytes", .words = "no size" },
	{ .name = "no path", .backend = "file", .kind = FAILURE_INVALID_OPTION, .subject = "path",
	  .words = "path" },
	{ .name = "no executable", .backend = "broken", .kind = FAILURE_BACKEND_FAILED,
	  .words = "spawn: No such file" },
	{ .name = "spawner gone", .spawn_refused = -ENOTCONN, .kind = FAILURE_BACKEND_FAILED,
	  .words = "start dmuser-spawner" },
	{ .name = "spawn fails", .spawn_error = -EAGAIN, .kind = FAILURE_BACKEND_FAILED,
	  .words = "spawn: cgroup: " },
	{ .name = "spawn lost", .spawn_error = -ECONNRESET, .kind = FAILURE_BACKEND_FAILED,
	  .words = "start dmuser-spawner" },
	{ .name = "dies unsealed", .manner = WORKER_DIES_UNSEALED, .kind = FAILURE_BACKEND_FAILED,
	  .words = "the worker exited with status 7" },
	{ .name = "never sealed", .manner = WORKER_IS_NEVER_SEALED, .kind = FAILURE_TIMED_OUT,
	  .subject = "seal" },
	{ .name = "fails to seal", .manner = WORKER_FAILS_TO_SEAL, .kind = FAILURE_BACKEND_FAILED,
	  .words = "seal: mlock: Cannot allocate memory: too little" },
	{ .name = "nonsense", .manner = WORKER_REPORTS_NONSENSE, .kind = FAILURE_BACKEND_FAILED,
	  .words = "wrong size" },
	{ .name = "does not listen", .manner = WORKER_DOES_NOT_LISTEN,
	  .kind = FAILURE_BACKEND_FAILED, .words = "hello: Connection refused" },
	{ .name = "no hello", .manner = WORKER_DOES_NOT_SAY_HELLO, .kind = FAILURE_TIMED_OUT,
	  .subject = "hello" },
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
	  .kind = FAILURE_TIMED_OUT, .subject = "channel" },
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
	world->gate_closed = m->gate_closed;
	if (m->operation && m->error < 0)
		world->dm_error[m->operation - 1] = m->error;
	else if (m->operation)
		world->dm_silent[m->operation - 1] = true;
}

static void suffer(const struct mishap *m)
{
	struct volume_spec spec = spec_of("data", m->backend ? m->backend : "memory", MIB);
	struct caller c;

	if (m->backend && strcmp(m->backend, "null") == 0)
		spec.size_bytes = PARSER_UNSET;
	arrange(m);
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
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
		if (mishaps[i].spawn_error == -ECONNRESET) {
			uid_pool_release(world->m.volumes->uids, 1900000000);
		}
		assert_int_equal(world_teardown(state), 0);
	}
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

/* Steps in which a creation waits, and so in which something else can happen. */
struct pause {
	const char *step;
	enum worker_manner manner;  /* that makes it wait there */
	int operation;
	bool silent_spawn;
};

static const struct pause pauses[] = {
	{ .step = "driver", .operation = DM(VERSION) },
	{ .step = "spawn", .silent_spawn = true },
	{ .step = "seal", .manner = WORKER_IS_NEVER_SEALED },
	{ .step = "hello", .manner = WORKER_DOES_NOT_SAY_HELLO },
	{ .step = "device", .operation = DM(CREATE) },
	{ .step = "channel", .manner = WORKER_DOES_NOT_TAKE_CHANNEL },
	{ .step = "resume", .operation = DM(RESUME) },
};

static struct volume *create_up_to(const struct pause *p, struct caller *c, const char *container,
				   pid_t pid)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct volume *v;

	world->manner = p->manner;
	world->spawn_silent = p->silent_spawn;
	if (p->operation)
		world->dm_silent[p->operation - 1] = true;
	assert_int_equal(create(c, &spec, container, pid), 0);
	v = volume_named("data");
	run_until_step(v, p->step);
	return v;
}

static void forget_burnt_uid(const struct pause *p)
{
	if (p->silent_spawn)
		uid_pool_release(world->m.volumes->uids, 1900000000);
}

static void a_container_that_ends_in_any_step_ends_the_creation(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct caller c;
		pid_t pid;

		assert_int_equal(world_setup(state), 0);
		pid = start_container();
		create_up_to(&pauses[i], &c, "c1", pid);
		end_container(pid);
		run_until_flag(world->m.event, &c.done);
		assert_true(c.failed);
		/* Before it is watched, it is found dead when its turn comes. */
		assert_true(c.failure.kind == FAILURE_OWNER_GONE ||
			    (strcmp(pauses[i].step, "driver") == 0 &&
			     c.failure.kind == FAILURE_DRIVER_UNAVAILABLE) ||
			    c.failure.kind == FAILURE_TIMED_OUT);
		if (pauses[i].manner != WORKER_GOOD)
			assert_int_equal(c.failure.kind, FAILURE_OWNER_GONE);
		assert_int_equal(c.calls, 1);
		run_until_no_volume();
		forget_burnt_uid(&pauses[i]);
		assert_int_equal(world_teardown(state), 0);
	}
}

static void a_release_in_any_step_ends_the_creation(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct caller creator, releaser;
		struct volume *v;

		assert_int_equal(world_setup(state), 0);
		v = create_up_to(&pauses[i], &creator, NULL, 0);
		assert_int_equal(release(&releaser, v, PARSER_UNSET), 0);
		run_until_flag(world->m.event, &releaser.done);
		run_until_no_volume();
		assert_true(creator.failed);
		assert_int_equal(creator.failure.kind, FAILURE_OPERATION_PENDING);
		assert_int_equal(creator.calls, 1);
		assert_int_equal(releaser.calls, 1);
		assert_false(releaser.failed);
		assert_int_equal(releaser.result.stage, RELEASE_GONE);
		forget_burnt_uid(&pauses[i]);
		assert_int_equal(world_teardown(state), 0);
	}
}

static void a_worker_killed_in_any_step_ends_the_creation(void **state)
{
	/* From when there is one. */
	for (size_t i = 2; i < ARRAY_SIZE(pauses); i++) {
		struct caller c;
		struct volume *v;

		assert_int_equal(world_setup(state), 0);
		v = create_up_to(&pauses[i], &c, NULL, 0);
		world_kill(world_child(v->uuid), SIGKILL);
		run_until_flag(world->m.event, &c.done);
		assert_int_equal(c.failure.kind, FAILURE_BACKEND_FAILED);
		assert_non_null(strstr(c.failure.reason, "killed by signal 9"));
		assert_int_equal(c.calls, 1);
		assert_int_equal(world_teardown(state), 0);
	}
}

static void a_caller_that_goes_in_any_step_is_not_called(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct caller c;

		assert_int_equal(world_setup(state), 0);
		create_up_to(&pauses[i], &c, NULL, 0);
		volume_forget_caller(&world->m, &c);
		run_until_no_volume();
		assert_int_equal(c.calls, 0);
		forget_burnt_uid(&pauses[i]);
		assert_int_equal(world_teardown(state), 0);
	}
}

static void a_supervisor_that_stops_in_any_step_leaves_what_the_next_one_removes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct caller c;

		assert_int_equal(world_setup(state), 0);
		create_up_to(&pauses[i], &c, NULL, 0);
		memset(world->dm_silent, 0, sizeof(world->dm_silent));
		world_restart();
		run_until_no_volume();
		assert_int_equal(c.calls, 0);
		assert_int_equal(world_teardown(state), 0);
	}
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

static void workers_of_one_container_share_a_group(void **state)
{
	struct volume_spec a = spec_of("a", "memory", MIB), b = spec_of("b", "memory", MIB);
	pid_t pid = start_container();
	struct caller c, d;

	assert_int_equal(create(&c, &a, "c1", pid), 0);
	assert_int_equal(create(&d, &b, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	run_until_flag(world->m.event, &d.done);
	assert_string_equal(world_child(c.volume->uuid)->group, "c1");
	assert_string_equal(world_child(d.volume->uuid)->group, "c1");
	assert_int_not_equal(world_child(c.volume->uuid)->uid, world_child(d.volume->uuid)->uid);
	end_container(pid);
	run_until_no_volume();
}

/* Images. */

static struct volume_spec spec_of_image(uint64_t size)
{
	struct volume_spec spec = spec_of("image", "file", size);

	spec.n_options = 1;
	strcpy(spec.options[0].name, "path");
	snprintf(spec.options[0].value, sizeof(spec.options[0].value), "%s/image",
		 world->directory);
	return spec;
}

static void make_image(off_t size)
{
	struct volume_spec spec = spec_of_image(0);
	int fd = open(spec.options[0].value, O_CREAT | O_WRONLY, 0600);

	assert_return_code(ftruncate(fd, size), errno);
	close(fd);
}

static void an_image_gives_its_size_to_the_volume(void **state)
{
	struct volume_spec spec = spec_of_image(PARSER_UNSET), same = spec;
	struct volume_info info;
	struct caller c;
	struct volume *v;

	make_image(3 * MIB);
	v = create_and_wait(&c, &spec);
	volume_get_info(v, &info);
	assert_int_equal(info.size_bytes, 3 * MIB);
	assert_false(info.blank);
	/* The same, said with the size that was found. */
	same.size_bytes = 3 * MIB;
	assert_ptr_equal(create_and_wait(&c, &same), v);
	release_and_wait(&c, v);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
}

static void an_image_that_was_made_is_blank_and_stays(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct volume_info info;
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);

	volume_get_info(v, &info);
	assert_true(info.blank);
	release_and_wait(&c, v);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
	v = create_and_wait(&c, &spec);
	volume_get_info(v, &info);
	assert_false(info.blank);
	release_and_wait(&c, v);
}

static void an_image_that_was_made_goes_with_a_creation_that_fails(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct caller c;

	world->dm_error[DM_OP_RESUME] = -EINVAL;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_int_equal(access(spec.options[0].value, F_OK), -1);
}

static void an_image_that_was_there_stays_when_a_creation_fails(void **state)
{
	struct volume_spec spec = spec_of_image(MIB);
	struct caller c;

	make_image(MIB);
	world->dm_error[DM_OP_RESUME] = -EINVAL;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
}

static void an_image_serves_one_volume_at_a_time(void **state)
{
	struct volume_spec spec = spec_of_image(MIB), second = spec;
	struct caller c, d;
	struct volume *v = create_and_wait(&c, &spec);

	strcpy(second.name, "second");
	assert_int_equal(create(&d, &second, NULL, 0), 0);
	run_until_flag(world->m.event, &d.done);
	assert_int_equal(d.failure.kind, FAILURE_BACKING_IN_USE);
	assert_string_equal(d.failure.subject, "path");
	assert_int_equal(access(spec.options[0].value, F_OK), 0);
	release_and_wait(&c, v);
	v = create_and_wait(&d, &second);
	release_and_wait(&d, v);
}

static void an_image_smaller_than_the_backend_serves_is_refused(void **state)
{
	struct volume_spec spec = spec_of_image(PARSER_UNSET);
	struct caller c;

	make_image(512);
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.failure.kind, FAILURE_INVALID_SIZE);
	assert_int_equal(c.failure.min_size_bytes, 4096);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_volume_becomes_active_step_by_step),
		T(the_device_has_the_block_size_that_was_asked_for),
		T(the_gate_is_asked_for_exactly_what_the_worker_has),
		T(no_copy_of_the_channel_stays),
		T(the_same_again_finds_the_volume),
		T(a_second_caller_joins_a_creation),
		T(all_who_wait_for_a_creation_hear_of_its_failure),
		T(another_specification_is_told_by_its_field),
		T(names_of_different_owners_do_not_meet),
		cmocka_unit_test(each_mishap_is_told_and_leaves_nothing),
		T(after_a_mishap_the_next_creation_works),
		T(the_uid_of_a_process_that_nobody_can_name_is_not_given_again),
		T(without_a_free_uid_the_quota_is_named),
		T(a_worker_that_speaks_unasked_is_killed),
		cmocka_unit_test(a_container_that_ends_in_any_step_ends_the_creation),
		cmocka_unit_test(a_release_in_any_step_ends_the_creation),
		cmocka_unit_test(a_worker_killed_in_any_step_ends_the_creation),
		cmocka_unit_test(a_caller_that_goes_in_any_step_is_not_called),
		cmocka_unit_test(a_supervisor_that_stops_in_any_step_leaves_what_the_next_one_removes),
		T(a_container_that_has_ended_is_told),
		T(what_is_no_container_is_told),
		T(workers_of_one_container_share_a_group),
		T(an_image_gives_its_size_to_the_volume),
		T(an_image_that_was_made_is_blank_and_stays),
		T(an_image_that_was_made_goes_with_a_creation_that_fails),
		T(an_image_that_was_there_stays_when_a_creation_fails),
		T(an_image_serves_one_volume_at_a_time),
		T(an_image_smaller_than_the_backend_serves_is_refused),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "needs root: every worker has a uid of its own\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
