// SPDX-License-Identifier: Apache-2.0
/*
 * The pool when a start comes to nothing: it fails, is only slow, or nobody knows what became of it.
 * Who is told, when the next try is, and that no uid is given out whose parser may yet live.
 */
#include "test.h"
#include "pool-world.h"

#include <sys/syscall.h>

static void run_until_asked(size_t n_lists)
{
	while (pool.n_lists < n_lists)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
}

static void run_until_started(size_t n_starts)
{
	while (pool.n_starts < n_starts)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
}

static void is_lost(size_t i, int error)
{
	pool.starts[i].spawned(pool.starts[i].userdata, error, CONFINE_NONE, 0, -EBADF);
	pool_settle();
}

/* The spawner names it, alive. */
static void is_listed(size_t i)
{
	struct spawner_reply reply = { .role = SPAWNER_PARSER, .uid = pool.starts[i].request.uid,
				       .alive = 1, .pid = pool.starts[i].pid };
	int pidfd = (int)syscall(SYS_pidfd_open, pool.starts[i].pid, 0);

	assert_true(pidfd >= 0);
	strcpy(reply.name, pool.starts[i].request.name);
	pool.child(pool.list_userdata, &reply, pidfd);
}

static void a_uid_of_which_nothing_came_is_given_back(void **state)
{
	is_lost(0, -ETIMEDOUT);
	is_lost(1, -ECONNRESET);
	run_until_asked(2);
	assert_int_equal(pool.n_starts, 2);
	/* One that does not answer is asked again. */
	list_ends(-ECONNRESET);
	run_until_asked(3);
	list_ends(0);
	run_until_started(4);
	assert_int_equal(pool.starts[2].request.uid + pool.starts[3].request.uid, 500000 + 500001);
}

static void a_lost_one_that_lives_keeps_its_uid_until_it_is_dead(void **state)
{
	gets_ready(0);
	is_lost(1, -ETIMEDOUT);
	pool.starts[1].pid = start_waiter();
	run_until_asked(2);
	is_listed(0);
	is_listed(1);
	list_ends(0);
	assert_false(pool.starts[0].killed);
	assert_true(pool.starts[1].killed);
	dies(1);
	run_until_started(3);
	assert_int_equal(pool.starts[2].request.uid, pool.starts[1].request.uid);
}

/* The spawner before that one may have started it. */
static void one_that_another_version_did_not_answer_for_is_lost(void **state)
{
	is_lost(0, -EPROTONOSUPPORT);
	run_until_asked(2);
	assert_int_equal(pool.n_starts, 2);
	list_ends(0);
	run_until_started(3);
	assert_int_equal(pool.starts[2].request.uid, pool.starts[0].request.uid);
}

static void one_that_was_lost_after_the_list_was_asked_for_waits_for_the_next(void **state)
{
	is_lost(0, -ETIMEDOUT);
	run_until_asked(2);
	is_lost(1, -ETIMEDOUT);
	list_ends(0);
	run_until_started(3);
	assert_int_equal(pool.starts[2].request.uid, pool.starts[0].request.uid);
	run_until_asked(3);
	list_ends(0);
	run_until_started(4);
	assert_int_equal(pool.starts[3].request.uid, pool.starts[1].request.uid);
}

static void a_start_that_is_only_slow_costs_nobody_the_wait(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	pool_settle();
	pool.starts[0].spawned(pool.starts[0].userdata, -ETIMEDOUT, CONFINE_NONE, 0, -EBADF);
	pool_settle();
	assert_int_equal(pool.got.n, 0);
	gets_ready(1);
	pool_settle();
	assert_int_equal(pool.got.n, 1);
	assert_non_null(pool.got.parser);
	parser_end(pool.got.parser);
}

static void without_a_list_all_who_wait_are_told(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	/* One that is only slow is waited for. */
	list_ends(-ETIMEDOUT);
	pool_settle();
	assert_int_equal(pool.got.n, 0);
	run_until_asked(2);
	list_ends(-EPROTONOSUPPORT);
	assert_int_equal(pool.got.n, 1);
	assert_int_equal(pool.got.error, -EPROTONOSUPPORT);
	/* Also where it cannot even be asked. */
	assert_int_equal(pool_take(&parser), 1);
	pool.list_error = -ENOTCONN;
	while (pool.got.n == 0)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.got.error, -ENOTCONN);
	assert_int_equal(pool.n_starts, 0);
}

static void without_the_spawner_all_who_wait_are_told(void **state)
{
	struct parser *parser = NULL;

	for (size_t i = 0; i < 5; i++)
		assert_int_equal(pool_take(&parser), 1);
	pool_settle();
	pool.starts[0].spawned(pool.starts[0].userdata, -ECONNRESET, CONFINE_NONE, 0, -EBADF);
	assert_int_equal(pool.got.n, 5);
	assert_int_equal(pool.got.error, -ECONNRESET);
	for (size_t i = 1; i < 4; i++)
		pool.starts[i].spawned(pool.starts[i].userdata, -ECONNRESET, CONFINE_NONE, 0, -EBADF);
	/* Nor is anybody who comes later left to wait. */
	pool.spawn_error = -ENOTCONN;
	assert_int_equal(pool_take(&parser), 1);
	while (pool.got.n == 0)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.got.error, -ENOTCONN);
	/* When it is back, all goes on. */
	pool.spawn_error = 0;
	assert_int_equal(pool_take(&parser), 1);
	while (pool.n_starts < 5)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	gets_ready(4);
	pool_settle();
	assert_int_equal(pool.got.n, 1);
	assert_non_null(pool.got.parser);
	parser_end(pool.got.parser);
}

static void a_start_that_fails_is_tried_again_after_a_pause(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	pool_settle();
	for (size_t i = 0; i < 3; i++)
		pool.starts[i].spawned(pool.starts[i].userdata, -EPERM, CONFINE_CLONE, 0, -EBADF);
	pool_settle();
	assert_int_equal(pool.got.n, 1);
	assert_int_equal(pool.got.error, -EPERM);
	assert_int_equal(pool.n_starts, 3);
	while (pool.n_starts == 3)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
}

static void a_uid_whose_parser_may_yet_come_is_not_given_out_again(void **state)
{
	pool.starts[0].spawned(pool.starts[0].userdata, -ETIMEDOUT, CONFINE_NONE, 0, -EBADF);
	pool.starts[1].spawned(pool.starts[1].userdata, -EPERM, CONFINE_CLONE, 0, -EBADF);
	while (pool.n_starts == 2)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.n_starts, 3);
	assert_int_equal(pool.starts[2].request.uid, pool.starts[1].request.uid);
}

static void a_program_that_is_not_installed_is_no_reason_to_spin(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/dmuser-parser", pool.directory);
	unlink(path);
	list_ends(0);
	assert_int_equal(pool.n_starts, 0);
	assert_int_equal(pool_take(&(struct parser *){ NULL }), 1);
	while (pool.got.n == 0)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.got.error, -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_WITH_TWO(a_uid_of_which_nothing_came_is_given_back),
		TEST_WITH_TWO(a_lost_one_that_lives_keeps_its_uid_until_it_is_dead),
		TEST_WITH_TWO(one_that_another_version_did_not_answer_for_is_lost),
		TEST_WITH_TWO(one_that_was_lost_after_the_list_was_asked_for_waits_for_the_next),
		TEST(a_start_that_is_only_slow_costs_nobody_the_wait),
		TEST_UNLISTED(without_a_list_all_who_wait_are_told),
		TEST(without_the_spawner_all_who_wait_are_told),
		TEST(a_start_that_fails_is_tried_again_after_a_pause),
		TEST_WITH_TWO(a_uid_whose_parser_may_yet_come_is_not_given_out_again),
		TEST_UNLISTED(a_program_that_is_not_installed_is_no_reason_to_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
