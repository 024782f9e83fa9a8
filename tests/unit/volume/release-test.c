// SPDX-License-Identifier: Apache-2.0
/* The end of a volume, in whatever order things end: bounded, joinable, and complete. */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct volume *new_volume(struct caller *c)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct volume *v = create_and_wait(c, &spec);

	world->operations[0] = '\0';
	return v;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void an_idle_volume_is_removed_at_once(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	release_and_wait(&c, v);
	assert_string_equal(c.name, "data");
	assert_string_equal(world->operations, " defer");
}

static void a_release_waits_for_the_last_close(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);

	d->open_count = 1;
	assert_int_equal(release(&c, v, 60000), 0);
	for (int i = 0; i < 20; i++)
		assert_return_code(sd_event_run(world->m.event, 20000), 0);
	assert_false(c.done);
	assert_false(d->failed);
	world_close_device(d);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.result.stage, RELEASE_GONE);
	/* Looked at more than once, and never failed. */
	assert_non_null(strstr(world->operations, " defer status status"));
	assert_null(strstr(world->operations, "fail"));
}

static void after_the_deadline_io_fails_and_the_holder_keeps_only_himself(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);
	struct volume_info info;

	d->open_count = 1;
	assert_int_equal(release(&c, v, 100), 0);
	run_until_flag(world->m.event, &c.done);
	assert_false(c.failed);
	assert_int_equal(c.result.stage, RELEASE_DEVICE_BUSY);
	assert_int_equal(c.result.open_count, 1);
	assert_true(d->failed);
	assert_true(d->deferred);
	volume_get_info(v, &info);
	assert_int_equal(info.state, VOLUME_RELEASING);
	/* It goes on by itself. */
	world_close_device(d);
	run_until_no_volume();
	assert_int_equal(c.calls, 1);
}

static void a_volume_in_use_can_be_left_alone(void **state)
{
	struct caller a, b;
	struct volume *v = new_volume(&a);
	struct world_device *d = world_device(v->uuid);
	struct volume_info info;

	d->open_count = 2;
	assert_int_equal(release_unless_open(&a, v), 0);
	assert_int_equal(release_unless_open(&b, v), 0);
	run_until_flag(world->m.event, &b.done);
	assert_true(a.done && a.failed && b.failed);
	assert_int_equal(a.failure.kind, FAILURE_VOLUME_BUSY);
	assert_int_equal(a.calls, 1);
	assert_string_equal(world->operations, " status");
	assert_false(d->failed || d->deferred);
	volume_get_info(v, &info);
	assert_int_equal(info.state, VOLUME_ACTIVE);
	/* And can be released, when that is so, or is not asked. */
	d->open_count = 0;
	assert_int_equal(release_unless_open(&a, v), 0);
	run_until_flag(world->m.event, &a.done);
	assert_false(a.failed);
	assert_int_equal(a.result.stage, RELEASE_GONE);
}

static void a_release_that_begins_answers_who_waits_for_the_look(void **state)
{
	struct caller a, b;
	struct volume *v = new_volume(&a);

	assert_int_equal(release_unless_open(&a, v), 0);
	assert_int_equal(release(&b, v, PARSER_UNSET), 0);
	run_until_flag(world->m.event, &b.done);
	assert_true(a.done);
	assert_int_equal(a.result.stage, RELEASE_GONE);
	assert_string_equal(world->operations, " defer");
}

/* In the worst case: a worker that cannot be ended, of which somebody waits to hear. */
static void who_waits_for_a_look_hears_of_a_release_that_hangs(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct caller c;
	struct volume *v;

	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	v = c.volume;
	world_device(v->uuid)->open_count = 1;
	assert_int_equal(release_unless_open(&c, v), 0);
	/* As it does when the container ends. */
	volume_begin_release(v, 100);
	assert_non_null(v->reply_timer);
	run_until_flag(world->m.event, &c.done);
	world_close_device(world_device(v->uuid));
	run_until_no_volume();
	end_container(pid);
}

static void a_look_that_fails_releases_nothing(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	world->dm_error[DM_OP_STATUS] = -EIO;
	assert_int_equal(release_unless_open(&c, v), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_int_equal(c.failure.kind, FAILURE_DRIVER_UNAVAILABLE);
	assert_non_null(world_device(v->uuid));
	world->dm_error[DM_OP_STATUS] = 0;
	release_and_wait(&c, v);
}

static void a_release_without_patience_fails_io_at_once(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);

	d->open_count = 1;
	assert_int_equal(release(&c, v, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.result.stage, RELEASE_DEVICE_BUSY);
	assert_non_null(strstr(world->operations, " defer fail status"));
	world_close_device(d);
}

static void a_second_release_joins_the_first(void **state)
{
	struct caller a, b;
	struct volume *v = new_volume(&a);

	assert_int_equal(release(&a, v, PARSER_UNSET), 0);
	assert_int_equal(release(&b, v, PARSER_UNSET), 0);
	run_until_flag(world->m.event, &b.done);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.result.stage, RELEASE_GONE);
	assert_int_equal(b.result.stage, RELEASE_GONE);
	assert_string_equal(world->operations, " defer");
}

static void a_second_release_can_only_hurry_the_first(void **state)
{
	struct caller a, b;
	struct volume *v = new_volume(&a);
	struct world_device *d = world_device(v->uuid);

	d->open_count = 1;
	assert_int_equal(release(&a, v, 3600 * 1000), 0);
	run_pending(world->m.event);
	assert_int_equal(release(&b, v, 0), 0);
	run_until_flag(world->m.event, &b.done);
	assert_true(a.done);
	assert_int_equal(b.result.stage, RELEASE_DEVICE_BUSY);
	assert_true(d->failed);
	/* And one that comes now is told at once, too. */
	assert_int_equal(release(&b, v, 3600 * 1000), 0);
	run_until_flag(world->m.event, &b.done);
	assert_int_equal(b.result.stage, RELEASE_DEVICE_BUSY);
	world_close_device(d);
}

static void a_busy_device_does_not_keep_who_waits_longer_than_promised(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);
	uint64_t start = now_ms();

	d->open_count = 1;
	assert_int_equal(release(&c, v, 200), 0);
	run_until_flag(world->m.event, &c.done);
	assert_in_range(now_ms() - start, 200, 4000);
	world_close_device(d);
}

static void run_until_error(const struct volume *v, const char *words)
{
	uint64_t start = now_ms();

	while (!strstr(v->error, words)) {
		assert_true(now_ms() - start < TEST_DEADLINE_MS);
		assert_return_code(sd_event_run(world->m.event, 100000), 0);
	}
}

/* Somebody will ask later why it is still there. */
static void who_keeps_a_device_open_is_looked_for_though_nobody_waits(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);
	struct stat st;

	assert_return_code(stat("/proc", &st), errno);
	d->open_count = 1;
	v->devno = d->devno = st.st_dev;
	assert_int_equal(release(&c, v, 0), 0);
	volume_forget_caller(&world->m, &c);
	run_until_error(v, "kept open by mount /proc");
	world_restart();
	run_until_error(volume_named("data"), "kept open by mount /proc");
	world_close_device(d);
	run_until_no_volume();
}

/* However long device-mapper takes, who waits is told what is known. */
static void a_device_mapper_that_does_not_answer_delays_nobody_for_long(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	world->dm_silent[DM_OP_REMOVE_DEFERRED] = true;
	assert_int_equal(release(&c, v, 100), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.result.stage, RELEASE_DRAINING);
	/* The next supervisor gets through. */
	memset(world->dm_silent, 0, sizeof(world->dm_silent));
	world_restart();
}

static void recover(void *userdata, enum dm_operation operation)
{
	world->dm_silent[DM_OP_REMOVE_DEFERRED] = false;
}

static void a_removal_that_times_out_is_tried_again_with_force(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	/* When it is out of time, so is who waits. */
	world->m.settings.device_mapper_timeout_ms = 2 * world->m.settings.release_timeout_ms;
	world->dm_silent[DM_OP_REMOVE_DEFERRED] = true;
	world->hook = recover;
	release_and_wait(&c, v);
	assert_string_equal(world->operations, " defer fail defer");
}

static void a_target_that_takes_no_message_is_removed_all_the_same(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);

	world->dm_error[DM_OP_MESSAGE] = -EINVAL;
	d->open_count = 1;
	assert_int_equal(release(&c, v, 0), 0);
	run_until_flag(world->m.event, &c.done);
	assert_int_equal(c.result.stage, RELEASE_DEVICE_BUSY);
	world_close_device(d);
}

static void a_device_that_someone_else_removed_is_gone(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	world->dm_error[DM_OP_REMOVE_DEFERRED] = -ENXIO;
	/* So that the worker sees its target's end. */
	close(world_device(v->uuid)->channel_write);
	world_device(v->uuid)->channel_write = -EBADF;
	release_and_wait(&c, v);
	world->dm_error[DM_OP_REMOVE_DEFERRED] = 0;
	free(world->devices);
	world->devices = NULL;
}

static void a_worker_that_misses_its_targets_end_is_asked_to_stop(void **state)
{
	struct caller c;
	struct volume *v;

	world->manner = WORKER_IGNORES_ITS_TARGETS_END;
	v = new_volume(&c);
	release_and_wait(&c, v);
}

static void a_worker_that_does_not_stop_is_killed(void **state)
{
	struct caller c;
	struct volume *v;

	world->manner = WORKER_IGNORES_STOP;
	v = new_volume(&c);
	release_and_wait(&c, v);
}

static void a_stopped_worker_is_killed(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	world_kill(world_child(v->uuid), SIGSTOP);
	release_and_wait(&c, v);
}

static void a_worker_that_dies_leaves_a_degraded_volume_whose_io_fails(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);
	struct volume_info info;

	d->open_count = 1;
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	run_pending(world->m.event);
	assert_true(d->failed);
	volume_get_info(v, &info);
	assert_string_equal(info.error, "the worker was killed by signal 9 (Killed)");
	assert_int_equal(info.worker_pid, 0);
	assert_non_null(strstr(world->events, " data:degraded"));
	d->open_count = 0;
	release_and_wait(&c, v);
}

static void the_memory_of_a_worker_that_died_is_given_back_at_once(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	assert_true(v->resources[0] >= 0);
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	assert_int_equal(v->resources[0], -EBADF);
	release_and_wait(&c, v);
}

static void a_volume_whose_channel_broke_is_degraded_though_its_worker_lives(void **state)
{
	struct caller c;
	struct volume *v;
	struct world_device *d;
	struct volume_info info;

	world_stop();
	/* As often as it may be looked. */
	world->m.settings.io_timeout_ms = 1000;
	world_start();
	v = new_volume(&c);
	d = world_device(v->uuid);
	d->broken = true;
	run_until_state(v, VOLUME_DEGRADED);
	run_pending(world->m.event);
	volume_get_info(v, &info);
	assert_non_null(strstr(info.error, "io_timeout_ms"));
	assert_true(d->failed);
	run_until_no_worker();
	/* Its end says less. */
	volume_get_info(v, &info);
	assert_non_null(strstr(info.error, "io_timeout_ms"));
	release_and_wait(&c, v);
}

static void a_worker_that_was_not_killed_is_killed_again(void **state)
{
	struct caller c;
	struct volume *v;

	world_stop();
	world->m.settings.io_timeout_ms = 1000;
	world_start();
	v = new_volume(&c);
	world->kills_lost = 1;
	world_device(v->uuid)->broken = true;
	run_until_state(v, VOLUME_DEGRADED);
	run_until_no_worker();
	assert_int_equal(world->kills_lost, 0);
	release_and_wait(&c, v);
}

static void want_of_memory_is_named(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct volume_info info;

	world->oom_kills = true;
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	volume_get_info(v, &info);
	assert_non_null(strstr(info.error, "out of memory"));
	release_and_wait(&c, v);
}

static void a_forbidden_system_call_is_named(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct volume_info info;

	world_kill(world_child(v->uuid), SIGSYS);
	run_until_state(v, VOLUME_DEGRADED);
	volume_get_info(v, &info);
	assert_non_null(strstr(info.error, "SIGSYS"));
	assert_non_null(strstr(info.error, "profile"));
	release_and_wait(&c, v);
}

static void a_degraded_volume_that_cannot_be_failed_says_so(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct volume_info info;

	world->dm_error[DM_OP_MESSAGE] = -EINVAL;
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	run_pending(world->m.event);
	volume_get_info(v, &info);
	assert_non_null(strstr(info.error, "killed by signal 9"));
	assert_non_null(strstr(info.error, "may wait"));
	release_and_wait(&c, v);
}

static void a_release_in_the_moment_of_degrading_wins(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	world->dm_silent[DM_OP_MESSAGE] = true;
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	assert_non_null(v->dm_call);
	release_and_wait(&c, v);
	assert_string_equal(world->operations, " defer");
}

static void a_worker_that_dies_during_the_release_ends_the_waiting(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	struct world_device *d = world_device(v->uuid);

	d->open_count = 1;
	assert_int_equal(release(&c, v, 3600 * 1000), 0);
	for (int i = 0; i < 5; i++)
		assert_return_code(sd_event_run(world->m.event, 10000), 0);
	assert_false(d->failed);
	world_kill(world_child(v->uuid), SIGKILL);
	run_until_flag(world->m.event, &d->failed);
	world_close_device(d);
	run_until_flag(world->m.event, &c.done);
}

static void the_end_of_a_container_releases_its_volumes_within_two_seconds(void **state)
{
	struct volume_spec a = spec_of("a", "memory", MIB), b = spec_of("b", "memory", MIB),
			   other = spec_of("other", "memory", MIB);
	struct caller ca, cb, co;
	pid_t pid = start_container(), second = start_container();
	uint64_t start;

	assert_int_equal(create(&ca, &a, "c1", pid), 0);
	assert_int_equal(create(&cb, &b, "c1", pid), 0);
	assert_int_equal(create(&co, &other, "c2", second), 0);
	run_until_flag(world->m.event, &ca.done);
	run_until_flag(world->m.event, &cb.done);
	run_until_flag(world->m.event, &co.done);
	end_container(pid);
	start = now_ms();
	while (volume_named("a") || volume_named("b"))
		assert_return_code(sd_event_run(world->m.event, 100000), 0);
	assert_in_range(now_ms() - start, 0, 2000);
	assert_ptr_equal(volume_named("other"), co.volume);
	assert_int_equal(co.volume->state, VOLUME_ACTIVE);
	end_container(second);
}

/* Its mounts go a moment after its last process. */
static void a_device_that_is_closed_a_little_late_is_waited_for(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct world_device *d;
	struct caller c;

	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	d = world_device(c.volume->uuid);
	d->open_count = 1;
	end_container(pid);
	run_until_state(c.volume, VOLUME_RELEASING);
	for (int i = 0; i < 5; i++)
		assert_return_code(sd_event_run(world->m.event, 10000), 0);
	assert_false(d->failed);
	world_close_device(d);
	run_until_no_volume();
}

static void a_caller_that_went_is_not_called(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);

	assert_int_equal(release(&c, v, PARSER_UNSET), 0);
	volume_forget_caller(&world->m, &c);
	run_until_no_volume();
	assert_int_equal(c.calls, 0);
}

static void gone_is_the_last_event(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	size_t length;

	world_kill(world_child(v->uuid), SIGKILL);
	run_until_state(v, VOLUME_DEGRADED);
	release_and_wait(&c, v);
	length = strlen(world->events);
	assert_string_equal(world->events + length - strlen(" data:gone"), " data:gone");
	run_pending(world->m.event);
	assert_int_equal(strlen(world->events), length);
}

static void a_name_is_free_again_when_its_volume_is_gone(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;

	for (int i = 0; i < 10; i++)
		release_and_wait(&c, create_and_wait(&c, &spec));
}

/* A worker killed at the very moment in which each operation is done. */
static void kill_worker(void *userdata, enum dm_operation operation)
{
	struct world_child *child = world->children;

	if (operation == *(enum dm_operation *)userdata && child && child->alive)
		kill(child->pid, SIGKILL);
}

static void a_worker_that_dies_beside_any_operation_of_the_release_changes_nothing(void **state)
{
	static const enum dm_operation operations[] = { DM_OP_REMOVE_DEFERRED, DM_OP_MESSAGE,
							DM_OP_STATUS };

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		struct world_device *d;
		struct volume *v;
		struct caller c;

		assert_int_equal(world_setup(state), 0);
		v = new_volume(&c);
		d = world_device(v->uuid);
		d->open_count = 1;
		world->hook = kill_worker;
		world->hook_userdata = (void *)&operations[i];
		assert_int_equal(release(&c, v, 50), 0);
		run_until_flag(world->m.event, &c.done);
		assert_int_equal(c.result.stage, RELEASE_DEVICE_BUSY);
		assert_int_equal(c.calls, 1);
		world_close_device(d);
		assert_int_equal(world_teardown(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_idle_volume_is_removed_at_once),
		WORLD_TEST(a_release_waits_for_the_last_close),
		WORLD_TEST(after_the_deadline_io_fails_and_the_holder_keeps_only_himself),
		WORLD_TEST(a_volume_in_use_can_be_left_alone),
		WORLD_TEST(a_release_that_begins_answers_who_waits_for_the_look),
		WORLD_TEST(a_look_that_fails_releases_nothing),
		WORLD_TEST(who_waits_for_a_look_hears_of_a_release_that_hangs),
		WORLD_TEST(a_release_without_patience_fails_io_at_once),
		WORLD_TEST(a_second_release_joins_the_first),
		WORLD_TEST(a_second_release_can_only_hurry_the_first),
		WORLD_TEST(a_busy_device_does_not_keep_who_waits_longer_than_promised),
		WORLD_TEST(who_keeps_a_device_open_is_looked_for_though_nobody_waits),
		WORLD_TEST(a_device_mapper_that_does_not_answer_delays_nobody_for_long),
		WORLD_TEST(a_removal_that_times_out_is_tried_again_with_force),
		WORLD_TEST(a_target_that_takes_no_message_is_removed_all_the_same),
		WORLD_TEST(a_device_that_someone_else_removed_is_gone),
		WORLD_TEST(a_worker_that_misses_its_targets_end_is_asked_to_stop),
		WORLD_TEST(a_worker_that_does_not_stop_is_killed),
		WORLD_TEST(a_stopped_worker_is_killed),
		WORLD_TEST(a_worker_that_dies_leaves_a_degraded_volume_whose_io_fails),
		WORLD_TEST(the_memory_of_a_worker_that_died_is_given_back_at_once),
		WORLD_TEST(a_volume_whose_channel_broke_is_degraded_though_its_worker_lives),
		WORLD_TEST(a_worker_that_was_not_killed_is_killed_again),
		WORLD_TEST(want_of_memory_is_named),
		WORLD_TEST(a_forbidden_system_call_is_named),
		WORLD_TEST(a_degraded_volume_that_cannot_be_failed_says_so),
		WORLD_TEST(a_release_in_the_moment_of_degrading_wins),
		WORLD_TEST(a_worker_that_dies_during_the_release_ends_the_waiting),
		WORLD_TEST(the_end_of_a_container_releases_its_volumes_within_two_seconds),
		WORLD_TEST(a_device_that_is_closed_a_little_late_is_waited_for),
		WORLD_TEST(a_caller_that_went_is_not_called),
		WORLD_TEST(gone_is_the_last_event),
		WORLD_TEST(a_name_is_free_again_when_its_volume_is_gone),
		cmocka_unit_test(
			a_worker_that_dies_beside_any_operation_of_the_release_changes_nothing),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
