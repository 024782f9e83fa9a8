// SPDX-License-Identifier: Apache-2.0
/* Many volumes at once: a few start at a time, and all do. */
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Of a supervisor that starts eight at a time, and four of one uid's. */
#define AT_ONCE 4
#define CROWD	14

static struct caller callers[CROWD];

static void create_crowd(void)
{
	for (size_t i = 0; i < CROWD; i++) {
		char name[8];
		struct volume_spec spec;

		snprintf(name, sizeof(name), "v%zu", i);
		spec = spec_of(name, "memory", MIB);
		assert_int_equal(create(&callers[i], &spec, NULL, 0), 0);
	}
}

static bool as_many_as_may_have_a_worker(void *userdata)
{
	return world_n_children_alive() == AT_ONCE;
}

static struct volume *nth(size_t i)
{
	char name[8];

	snprintf(name, sizeof(name), "v%zu", i);
	return volume_named(name);
}

static bool waits(const struct volume *v)
{
	return strcmp(volume_step_name(v), "turn") == 0;
}

static size_t count_waiting(void)
{
	size_t n = 0;

	for (struct volume *v = volume_next(&world->m, NULL); v; v = volume_next(&world->m, v))
		n += waits(v);
	return n;
}

/* One that waits for its turn, or one that has it. */
static struct volume *find(bool waiting)
{
	struct volume *v;

	for (v = volume_next(&world->m, NULL); v; v = volume_next(&world->m, v))
		if (waits(v) == waiting)
			break;
	return v;
}

static void release_all(void)
{
	for (size_t i = 0; i < CROWD; i++) {
		struct volume *v = nth(i);

		if (v)
			release_and_wait(&(struct caller){}, v);
	}
}

static void all_of_a_crowd_are_served(void **state)
{
	create_crowd();
	for (size_t i = 0; i < CROWD; i++) {
		run_until_flag(world->m.event, &callers[i].done);
		assert_true(callers[i].created);
	}
	assert_int_equal(world->m.volumes->n_starting, 0);
	release_all();
}

static void a_few_start_at_a_time(void **state)
{
	size_t n_created = 0;

	world->manner = WORKER_IS_NEVER_SEALED;
	create_crowd();
	run_until(world->m.event, as_many_as_may_have_a_worker, NULL);
	run_pending(world->m.event);
	assert_int_equal(world_n_children_alive(), AT_ONCE);
	assert_int_equal(count_waiting(), CROWD - AT_ONCE);
	/* When those end, the next have their turn. */
	world->manner = WORKER_GOOD;
	for (struct world_child *child = world->children; child; child = child->next)
		world_kill(child, SIGKILL);
	for (size_t i = 0; i < CROWD; i++)
		run_until_flag(world->m.event, &callers[i].done);
	for (size_t i = 0; i < CROWD; i++) {
		if (callers[i].failed)
			assert_int_equal(callers[i].failure.kind, FAILURE_BACKEND_FAILED);
		n_created += callers[i].created;
	}
	assert_int_equal(n_created, CROWD - AT_ONCE);
	assert_int_equal(world->m.volumes->n_starting, 0);
	release_all();
}

static void who_waits_for_a_turn_can_be_released(void **state)
{
	world->manner = WORKER_IS_NEVER_SEALED;
	create_crowd();
	run_until(world->m.event, as_many_as_may_have_a_worker, NULL);
	run_pending(world->m.event);
	release_and_wait(&(struct caller){}, find(true));
	assert_int_equal(count_waiting(), CROWD - AT_ONCE - 1);
	assert_int_equal(world_n_children_alive(), AT_ONCE);
	/* One that starts, too: the next begins. */
	release_and_wait(&(struct caller){}, find(false));
	run_until(world->m.event, as_many_as_may_have_a_worker, NULL);
	assert_int_equal(count_waiting(), CROWD - AT_ONCE - 2);
	release_all();
	assert_int_equal(world->m.volumes->n_starting, 0);
}

static void one_uids_crowd_is_not_in_anothers_way(void **state)
{
	struct volume_spec spec = spec_of("other", "memory", MIB);
	struct caller other;

	world->manner = WORKER_IS_NEVER_SEALED;
	create_crowd();
	run_until(world->m.event, as_many_as_may_have_a_worker, NULL);
	run_pending(world->m.event);
	assert_int_equal(count_waiting(), CROWD - AT_ONCE);
	world->manner = WORKER_GOOD;
	spec.owner = 1000;
	assert_int_equal(create(&other, &spec, NULL, 0), 0);
	run_until_flag(world->m.event, &other.done);
	assert_true(other.created);
	/* Nobody of the crowd has come to an end meanwhile. */
	for (size_t i = 0; i < CROWD; i++)
		assert_false(callers[i].done);
	release_and_wait(&(struct caller){}, other.volume);
	release_all();
	assert_int_equal(world->m.volumes->n_starting, 0);
}

/* Its file system may hang. */
static void an_image_is_opened_without_a_turn(void **state)
{
	struct volume_spec spec = spec_of("image", "file", MIB);
	char path[300];
	struct caller c;
	int fd;

	snprintf(path, sizeof(path), "%s/image", world->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_return_code(ftruncate(fd, MIB), errno);
	close(fd);
	strcpy(spec.options[0].name, "path");
	snprintf(spec.options[0].value, sizeof(spec.options[0].value), "%s", path);
	spec.n_options = 1;
	assert_int_equal(create(&c, &spec, NULL, 0), 0);
	run_until_step(volume_named("image"), "backing");
	assert_int_equal(world->m.volumes->n_starting, 0);
	run_until_flag(world->m.event, &c.done);
	assert_true(c.created);
	release_and_wait(&(struct caller){}, c.volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(all_of_a_crowd_are_served),
		WORLD_TEST(a_few_start_at_a_time),
		WORLD_TEST(who_waits_for_a_turn_can_be_released),
		WORLD_TEST(one_uids_crowd_is_not_in_anothers_way),
		WORLD_TEST(an_image_is_opened_without_a_turn),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
