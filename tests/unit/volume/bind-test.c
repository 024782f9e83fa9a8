// SPDX-License-Identifier: Apache-2.0
/* A volume and the container that it is bound to: once, alive, and not on its way out. */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <errno.h>
#include <string.h>

static struct volume *new_volume(struct caller *c)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct volume *v = create_and_wait(c, &spec);

	world->operations[0] = '\0';
	return v;
}

static void binding_binds_once(void **state)
{
	struct failure f = {};
	struct volume_info info;
	struct caller c;
	struct volume *v = new_volume(&c);
	pid_t pid = start_container();

	assert_int_equal(volume_bind(v, "c1", pidfd_of(pid), &f), 0);
	volume_get_info(v, &info);
	assert_string_equal(info.container, "c1");
	assert_int_equal(info.container_pid, pid);
	assert_int_equal(volume_bind(v, "c1", pidfd_of(pid), &f), 0);
	/* Another process's end is another container's. */
	assert_true(volume_bind(v, "c1", pidfd_of(getpid()), &f) < 0);
	assert_int_equal(f.kind, FAILURE_VOLUME_BOUND);
	assert_true(volume_bind(v, "c2", pidfd_of(pid), &f) < 0);
	assert_int_equal(f.kind, FAILURE_VOLUME_BOUND);
	assert_string_equal(f.subject, "c1");
	end_container(pid);
	run_until_no_volume();
}

static void one_that_was_made_before_is_not_blank(void **state)
{
	struct caller c;
	struct volume *v = new_volume(&c);
	pid_t pid = start_container();
	struct volume_info info;
	struct failure f = {};

	volume_get_info(v, &info);
	assert_true(info.blank);
	assert_int_equal(volume_bind(v, "c1", pidfd_of(pid), &f), 0);
	assert_string_equal(v->container, "c1");
	/* Whoever had it made may have written to it: it must not be formatted for the container. */
	volume_get_info(v, &info);
	assert_false(info.blank);
	world_restart();
	v = volume_named("data");
	run_until_state(v, VOLUME_ACTIVE);
	volume_get_info(v, &info);
	assert_false(info.blank);
	end_container(pid);
	run_until_no_volume();
}

static void a_volume_on_its_way_out_is_not_bound_or_found(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct failure f = {};
	struct caller c, d;
	struct volume *v = new_volume(&c);
	pid_t pid = start_container();

	assert_int_equal(release(&c, v, PARSER_UNSET), 0);
	assert_true(volume_bind(v, "c1", pidfd_of(pid), &f) < 0);
	assert_int_equal(f.kind, FAILURE_OPERATION_PENDING);
	assert_true(create(&d, &spec, NULL, 0) < 0);
	assert_int_equal(d.failure.kind, FAILURE_OPERATION_PENDING);
	run_until_flag(world->m.event, &c.done);
	end_container(pid);
}

static void a_creation_that_was_released_meanwhile_is_not_bound(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct caller created, released;
	struct failure f = {};
	struct volume *v;

	assert_int_equal(create(&created, &spec, NULL, 0), 0);
	v = volume_named("data");
	run_until_step(v, "hello");
	assert_int_equal(release(&released, v, PARSER_UNSET), 0);
	assert_true(volume_bind(v, "c1", pidfd_of(pid), &f) < 0);
	assert_int_equal(f.kind, FAILURE_OPERATION_PENDING);
	run_until_flag(world->m.event, &released.done);
	end_container(pid);
}

static void a_volume_that_was_found_and_released_at_once_is_not_handed_out(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c, found, released;
	struct volume *v = new_volume(&c);

	assert_int_equal(create(&found, &spec, NULL, 0), 0);
	assert_int_equal(release(&released, v, PARSER_UNSET), 0);
	run_until_flag(world->m.event, &released.done);
	assert_true(found.done);
	assert_true(found.failed);
	assert_int_equal(found.failure.kind, FAILURE_OPERATION_PENDING);
}

static void a_dead_container_cannot_be_bound(void **state)
{
	struct failure f = {};
	struct caller c;
	struct volume *v = new_volume(&c);
	pid_t pid = start_container();
	int pidfd = pidfd_of(pid);

	end_container(pid);
	assert_true(volume_bind(v, "c1", pidfd, &f) < 0);
	assert_int_equal(f.kind, FAILURE_OWNER_GONE);
	release_and_wait(&c, v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(binding_binds_once),
		WORLD_TEST(one_that_was_made_before_is_not_blank),
		WORLD_TEST(a_volume_on_its_way_out_is_not_bound_or_found),
		WORLD_TEST(a_creation_that_was_released_meanwhile_is_not_bound),
		WORLD_TEST(a_volume_that_was_found_and_released_at_once_is_not_handed_out),
		WORLD_TEST(a_dead_container_cannot_be_bound),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
