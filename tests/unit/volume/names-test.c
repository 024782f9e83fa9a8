// SPDX-License-Identifier: Apache-2.0
/* Which volume is meant: by owner, container and name. And what is remembered of one that was not made. */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <string.h>

static struct volume_spec data(void)
{
	return spec_of("data", "memory", MIB);
}

static struct volume *create_in(const char *container, pid_t pid, const struct volume_spec *spec,
				bool expect_created)
{
	struct caller c;

	assert_int_equal(create(&c, spec, container, pid), 0);
	run_until_flag(world->m.event, &c.done);
	assert_false(c.failed);
	assert_int_equal(c.created, expect_created);
	return c.volume;
}

static struct volume *find(const char *container)
{
	return volume_find(&world->m, 0, container, "data");
}

static void wait_until_gone(const char *container)
{
	while (find(container))
		assert_return_code(sd_event_run(world->m.event, 100000), 0);
}

static enum failure_kind pick(const char *container, const struct volume *expected)
{
	struct failure failure = {};
	struct volume *v = NULL;

	if (volume_pick(&world->m, 0, container, "data", &v, &failure) == 0)
		assert_ptr_equal(v, expected);
	return failure.kind;
}

static void two_containers_each_have_their_own(void **state)
{
	pid_t one = start_container(), two = start_container();
	struct volume_spec spec = data();
	struct volume *a = create_in("c1", one, &spec, true);
	struct volume *b = create_in("c2", two, &spec, true);

	assert_ptr_not_equal(a, b);
	assert_string_equal(world_device(a->uuid)->name, "dmuser-0-data");
	assert_non_null(strstr(world_device(b->uuid)->name, "dmuser-0-data@"));
	assert_ptr_equal(create_in("c1", one, &spec, false), a);
	assert_ptr_equal(create_in("c2", two, &spec, false), b);
	assert_ptr_equal(find("c1"), a);
	assert_ptr_equal(find("c2"), b);
	assert_null(find(NULL));
	end_container(one);
	wait_until_gone("c1");
	assert_int_equal(b->state, VOLUME_ACTIVE);
	end_container(two);
}

static void their_specifications_do_not_meet_either(void **state)
{
	pid_t one = start_container(), two = start_container();
	struct volume_spec spec = data(), larger = spec;
	struct caller c;

	larger.size_bytes *= 2;
	create_in("c1", one, &spec, true);
	create_in("c2", two, &larger, true);
	assert_true(create(&c, &larger, "c1", one) < 0);
	assert_int_equal(c.failure.kind, FAILURE_SPECIFICATION_MISMATCH);
	end_container(one);
	end_container(two);
}

/* Whoever made that one would lose it with the container. */
static void a_container_leaves_the_unbound_one_alone(void **state)
{
	pid_t pid = start_container();
	struct volume_spec spec = data();
	struct volume *v = create_in(NULL, 0, &spec, true);

	assert_ptr_not_equal(create_in("c1", pid, &spec, true), v);
	assert_string_equal(v->container, "");
	end_container(pid);
	wait_until_gone("c1");
	assert_ptr_equal(find(NULL), v);
	assert_int_equal(v->state, VOLUME_ACTIVE);
	release_and_wait(&(struct caller){}, v);
}

/* Whoever asks would lose it with the container, and the container to whoever releases it. */
static void without_a_container_no_containers_one_is_created_again(void **state)
{
	pid_t pid = start_container();
	struct volume_spec spec = data();
	struct volume *own = create_in("c1", pid, &spec, true), *v;

	v = create_in(NULL, 0, &spec, true);
	assert_ptr_not_equal(v, own);
	assert_ptr_equal(create_in(NULL, 0, &spec, false), v);
	assert_int_equal(pick(NULL, v), FAILURE_NONE);
	end_container(pid);
	wait_until_gone("c1");
	release_and_wait(&(struct caller){}, v);
}

static void without_a_container_the_only_one_is_found(void **state)
{
	pid_t one = start_container(), two = start_container();
	struct volume_spec spec = data();
	struct volume *a = create_in("c1", one, &spec, true);

	assert_int_equal(pick(NULL, a), FAILURE_NONE);
	create_in("c2", two, &spec, true);
	assert_int_equal(pick(NULL, NULL), FAILURE_AMBIGUOUS_NAME);
	assert_int_equal(pick("c1", a), FAILURE_NONE);
	assert_int_equal(pick("c3", NULL), FAILURE_NO_SUCH_VOLUME);
	end_container(one);
	end_container(two);
}

static void of_several_the_unbound_one_is_meant(void **state)
{
	pid_t one = start_container(), two = start_container();
	struct volume_spec spec = data(), larger = spec;
	struct volume *v;

	larger.size_bytes *= 2;
	v = create_in(NULL, 0, &larger, true);
	create_in("c1", one, &spec, true);
	create_in("c2", two, &spec, true);
	assert_int_equal(pick(NULL, v), FAILURE_NONE);
	assert_ptr_equal(create_in(NULL, 0, &larger, false), v);
	end_container(one);
	end_container(two);
	wait_until_gone("c1");
	wait_until_gone("c2");
	release_and_wait(&(struct caller){}, v);
}

static int bind_to(const char *container, struct volume **ret_volume, struct failure *failure)
{
	int r = volume_pick_to_bind(&world->m, 0, container, "data", ret_volume, failure);

	return r < 0 ? r : volume_bind(*ret_volume, container, -EBADF, failure);
}

static void a_container_has_one_of_a_name_at_most(void **state)
{
	pid_t one = start_container();
	struct volume_spec spec = data(), larger = spec;
	struct volume *v, *own, *picked = NULL;
	struct failure f = {};

	larger.size_bytes *= 2;
	own = create_in("c1", one, &spec, true);
	assert_int_equal(bind_to("c1", &picked, &f), 0);
	assert_ptr_equal(picked, own);
	assert_true(bind_to("c2", &picked, &f) < 0);
	assert_int_equal(f.kind, FAILURE_VOLUME_BOUND);
	assert_string_equal(f.subject, "c1");
	end_container(one);
	wait_until_gone("c1");
	one = start_container();
	v = create_in(NULL, 0, &larger, true);
	own = create_in("c1", one, &spec, true);
	assert_true(bind_to("c1", &picked, &f) < 0);
	assert_int_equal(f.kind, FAILURE_VOLUME_EXISTS);
	assert_string_equal(f.subject, "c1");
	assert_int_equal(v->container[0], '\0');
	release_and_wait(&(struct caller){}, v);
	end_container(one);
}

static void a_new_supervisor_knows_whose_each_one_is(void **state)
{
	pid_t one = start_container(), two = start_container();
	struct volume_spec spec = data();
	char a[40], b[40];

	strcpy(a, create_in("c1", one, &spec, true)->uuid);
	strcpy(b, create_in("c2", two, &spec, true)->uuid);
	world_restart();
	assert_string_equal(find("c1")->uuid, a);
	assert_string_equal(find("c2")->uuid, b);
	run_until_state(find("c1"), VOLUME_ACTIVE);
	run_until_state(find("c2"), VOLUME_ACTIVE);
	/* Their devices' names are not given again. */
	assert_ptr_equal(create_in("c2", two, &spec, false), find("c2"));
	end_container(two);
	wait_until_gone("c2");
	assert_non_null(world_device(a));
	assert_null(world_device(b));
	end_container(one);
}

/* What is remembered */

static bool tells(char told[static FAILURE_MEMORY_TOLD_SIZE])
{
	uint64_t now;

	assert_return_code(sd_event_now(world->m.event, CLOCK_MONOTONIC, &now), 0);
	return failure_memory_tell(&world->m.failures, 0, NULL, "data", now, told);
}

static void a_creation_that_fails_is_remembered_until_one_succeeds(void **state)
{
	pid_t pid = start_container();
	char told[FAILURE_MEMORY_TOLD_SIZE];
	struct volume_spec spec = data();
	struct caller c;

	world->manner = WORKER_FAILS_TO_SEAL;
	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.failed);
	assert_true(tells(told));
	assert_non_null(strstr(told, "for container c1"));
	assert_non_null(strstr(told, "mlock"));
	world->manner = WORKER_GOOD;
	create_in("c1", pid, &spec, true);
	assert_false(tells(told));
	end_container(pid);
}

static void a_creation_that_was_called_off_is_no_failure(void **state)
{
	char told[FAILURE_MEMORY_TOLD_SIZE];
	struct volume_spec spec = data();
	struct caller c, d;

	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	assert_int_equal(release(&d, volume_named("data"), 0), 0);
	run_until_flag(world->m.event, &d.done);
	assert_true(c.failed);
	assert_false(tells(told));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(two_containers_each_have_their_own),
		WORLD_TEST(their_specifications_do_not_meet_either),
		WORLD_TEST(a_container_leaves_the_unbound_one_alone),
		WORLD_TEST(without_a_container_no_containers_one_is_created_again),
		WORLD_TEST(without_a_container_the_only_one_is_found),
		WORLD_TEST(of_several_the_unbound_one_is_meant),
		WORLD_TEST(a_container_has_one_of_a_name_at_most),
		WORLD_TEST(a_new_supervisor_knows_whose_each_one_is),
		WORLD_TEST(a_creation_that_fails_is_remembered_until_one_succeeds),
		WORLD_TEST(a_creation_that_was_called_off_is_no_failure),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
