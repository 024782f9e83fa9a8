// SPDX-License-Identifier: Apache-2.0
/*
 * Creation that goes well: every step, what the worker and the device are given, who joins one that
 * is under way or finds its volume there, and when a specification or an owner is another.
 */
#include "tests/unit/volume/fake-world.h"
#include "util/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	/* Of 16 MiB, 2 are the program's, and two stacks are half of one. */
	assert_int_equal(child->requests_max, 13);
	assert_true(child->holds_memory);
	assert_int_equal(world->gate_oom_score, OOM_SCORE_FIRST);
	release_and_wait(&c, v);
	assert_string_equal(world->events, " data:created data:attached data:active data:releasing data:gone");
}

static void equal_states_are_told_once(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;
	struct volume *v = create_and_wait(&c, &spec);
	size_t length = strlen(world->events);

	volume_changed(v);
	assert_int_equal(strlen(world->events), length);
	v->spec.keep = true;
	volume_changed(v);
	assert_string_equal(world->events + length, " data:active");
	release_and_wait(&c, v);
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
	assert_mismatch(&other, "keep");
	assert_false(volume_spec(v)->keep);
	release_and_wait(&c, v);
	v = create_and_wait(&c, &other);
	assert_mismatch(&spec, "keep");
	assert_true(volume_spec(v)->keep);
	release_and_wait(&c, v);
}

/* Kept or not, it ends with the container. */
static void for_a_container_one_that_is_kept_is_as_good(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB), kept = spec;
	pid_t pid = start_container();
	struct caller c, d;
	struct volume *v;

	kept.keep = true;
	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	v = c.volume;
	assert_int_equal(create(&d, &kept, "c1", pid), 0);
	run_until_flag(world->m.event, &d.done);
	assert_ptr_equal(d.volume, v);
	end_container(pid);
	run_until_no_volume();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_volume_becomes_active_step_by_step),
		WORLD_TEST(equal_states_are_told_once),
		WORLD_TEST(the_device_has_the_block_size_that_was_asked_for),
		WORLD_TEST(the_gate_is_asked_for_exactly_what_the_worker_has),
		WORLD_TEST(no_copy_of_the_channel_stays),
		WORLD_TEST(the_same_again_finds_the_volume),
		WORLD_TEST(a_second_caller_joins_a_creation),
		WORLD_TEST(another_specification_is_told_by_its_field),
		WORLD_TEST(for_a_container_one_that_is_kept_is_as_good),
		WORLD_TEST(names_of_different_owners_do_not_meet),
		WORLD_TEST(workers_of_one_container_share_a_group),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
