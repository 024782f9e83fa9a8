// SPDX-License-Identifier: Apache-2.0
/*
 * What happens in the middle of a creation, in each step in which it waits: its container ends, it
 * is released, its worker is killed, its caller goes, its supervisor stops. Nothing is ever left.
 */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <signal.h>
#include <string.h>

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

static bool is_silent(const struct pause *p)
{
	return p->operation || p->silent_spawn;
}

static void forget_burnt_uid(const struct pause *p)
{
	if (p->silent_spawn)
		uid_pool_release(world->m.volumes->uids, 1900000000);
}

static void a_container_that_ends_in_any_step_ends_the_creation(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		bool watched = strcmp(pauses[i].step, "driver") != 0;
		struct volume *v;
		struct caller c;
		pid_t pid;

		assert_int_equal(world_setup(state), 0);
		pid = start_container();
		v = create_up_to(&pauses[i], &c, "c1", pid);
		end_container(pid);
		if (watched)
			run_until_failure(v);
		/* What may change the world when it ends is waited for. */
		if (is_silent(&pauses[i]))
			assert_false(c.done);
		world_end_silence();
		run_until_flag(world->m.event, &c.done);
		assert_true(c.failed);
		/* Before it is watched, it is found dead when its turn comes; not here. */
		assert_int_equal(c.failure.kind,
				 watched ? FAILURE_OWNER_GONE : FAILURE_DRIVER_UNAVAILABLE);
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
		world_end_silence();
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
		run_until_failure(v);
		world_end_silence();
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
		struct volume *v;
		struct caller c;

		assert_int_equal(world_setup(state), 0);
		v = create_up_to(&pauses[i], &c, NULL, 0);
		volume_forget_caller(&world->m, &c);
		/* It goes on by itself, and here comes to nothing. */
		if (!is_silent(&pauses[i]))
			world_kill(world_child(v->uuid), SIGKILL);
		world_end_silence();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_that_ends_in_any_step_ends_the_creation),
		cmocka_unit_test(a_release_in_any_step_ends_the_creation),
		cmocka_unit_test(a_worker_killed_in_any_step_ends_the_creation),
		cmocka_unit_test(a_caller_that_goes_in_any_step_is_not_called),
		cmocka_unit_test(a_supervisor_that_stops_in_any_step_leaves_what_the_next_one_removes),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
