// SPDX-License-Identifier: Apache-2.0
/*
 * The pool while its starts lead to parsers: how many are kept ready, what one must pass to be
 * handed out, who gets it, and when its uid is free again.
 */
#include "test.h"
#include "pool-world.h"
#include "util/cleanup.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void as_many_are_started_ahead_as_are_set(void **state)
{
	assert_int_equal(pool.n_starts, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct spawner_request *r = &pool.starts[i].request;

		assert_int_equal(r->role, SPAWNER_PARSER);
		assert_int_equal(r->uid, 500000 + i);
		assert_int_equal(r->pids_max, 1);
		assert_string_equal(r->group, "_parsers");
	}
	gets_ready(0);
	gets_ready(1);
	assert_int_equal(pool.n_starts, 2);
}

static void none_is_started_before_it_is_known_which_uids_are_taken(void **state)
{
	const struct spawner_reply left = { .role = SPAWNER_PARSER, .uid = 500000, .alive = 1,
					    .pid = 4711, .name = "parser-1" };
	pid_t pid = start_waiter();
	int pidfd;

	assert_int_equal(pool.n_starts, 0);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	pool.child(pool.list_userdata, &left, pidfd);
	list_ends(0);
	assert_int_equal(pool.n_starts, 2);
	assert_int_equal(pool.starts[0].request.uid, 500001);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void workers_are_none_of_its_business(void **state)
{
	const struct spawner_reply worker = { .role = SPAWNER_WORKER, .uid = 500000, .alive = 1,
					      .pid = 4711, .name = "w" };

	pool.child(pool.list_userdata, &worker, -EBADF);
	list_ends(0);
	assert_int_equal(pool.starts[0].request.uid, 500000);
}

static void only_the_gate_makes_a_parser_ready(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	comes_to_life(0);
	assert_int_equal(pool.n_gate, 0);
	reports(0, CONFINE_SEALED, 0);
	/* Its setup socket would not pass yet. */
	assert_int_equal(pool.n_gate, 0);
	closes_setup(0);
	assert_int_equal(pool.n_gate, 1);
	assert_int_equal(pool.expected.pid, pool.starts[0].pid);
	assert_int_equal(pool.expected.uid, 500000);
	assert_int_equal(pool.expected.filters, 3);
	assert_int_equal(pool.expected.n_fds, 1);
	assert_int_equal(pool.expected.fds[0].fd, CONFINE_FD_LINK);
	assert_int_equal(pool.got.n, 1);
	assert_non_null(pool.got.parser);
	parser_end(pool.got.parser);
}

static void a_parser_that_does_not_pass_is_killed(void **state)
{
	struct parser *parser = NULL;

	pool.gate = 1;
	assert_int_equal(pool_take(&parser), 1);
	gets_ready(0);
	assert_true(pool.starts[0].killed);
	/* Whoever waited is told, and does not wait on. */
	assert_int_equal(pool.got.n, 1);
	assert_int_equal(pool.got.error, -EPERM);
}

static void a_gate_that_cannot_look_says_no(void **state)
{
	pool.gate = -EACCES;
	gets_ready(0);
	assert_true(pool.starts[0].killed);
}

static void a_step_that_failed_ends_the_start(void **state)
{
	comes_to_life(0);
	reports(0, CONFINE_LANDLOCK, -EPERM);
	assert_true(pool.starts[0].killed);
	assert_int_equal(pool.n_gate, 0);
}

static void two_reports_are_one_too_many(void **state)
{
	comes_to_life(0);
	reports(0, CONFINE_SEALED, 0);
	reports(0, CONFINE_SEALED, 0);
	assert_true(pool.starts[0].killed);
	assert_int_equal(pool.n_gate, 0);
}

static void an_end_without_a_report_ends_the_start(void **state)
{
	comes_to_life(0);
	closes_setup(0);
	assert_true(pool.starts[0].killed);
	assert_int_equal(pool.n_gate, 0);
}

static void a_parser_is_used_once_and_replaced(void **state)
{
	struct parser *parser = NULL;

	gets_ready(0);
	gets_ready(1);
	assert_int_equal(pool_take(&parser), 0);
	assert_non_null(parser);
	pool_settle();
	assert_int_equal(pool.n_starts, 3);
	parser_end(parser);
	assert_true(pool.starts[0].killed || pool.starts[1].killed);
}

static void a_uid_is_given_back_when_its_parser_is_dead(void **state)
{
	struct parser *parser = NULL;
	size_t taken;

	gets_ready(0);
	gets_ready(1);
	assert_int_equal(pool_take(&parser), 0);
	pool_settle();
	/* There is no third uid. */
	assert_int_equal(pool.n_starts, 2);
	parser_end(parser);
	taken = pool.starts[0].killed ? 0 : 1;
	dies(taken);
	assert_true(pool.starts[taken].forgotten);
	while (pool.n_starts == 2)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.starts[2].request.uid, pool.starts[taken].request.uid);
	assert_string_not_equal(pool.starts[2].request.name, pool.starts[taken].request.name);
}

static void its_holder_hears_of_the_end_of_a_parser_by_its_link(void **state)
{
	struct parser *parser = NULL;
	char byte;

	gets_ready(0);
	assert_int_equal(pool_take(&parser), 0);
	closep(&pool.starts[0].link);
	pool.starts[0].link = -1;
	dies(0);
	assert_int_equal(recv(parser_link(parser), &byte, 1, 0), 0);
	assert_false(pool.starts[0].forgotten);
	parser_end(parser);
	pool_settle();
	assert_true(pool.starts[0].forgotten);
}

static void a_ready_one_that_dies_is_not_handed_out(void **state)
{
	struct parser *parser = NULL;

	gets_ready(0);
	dies(0);
	assert_true(pool.starts[0].forgotten);
	assert_int_equal(pool_take(&parser), 1);
}

static void whoever_does_not_want_one_any_more_gets_none(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	parser_pool_cancel(pool.m.parsers, &pool.got);
	gets_ready(0);
	assert_int_equal(pool.got.n, 0);
}

static void more_are_started_for_those_who_wait(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(pool_take(&parser), 1);
	assert_int_equal(pool_take(&parser), 1);
	pool_settle();
	assert_int_equal(pool.n_starts, 4);
}

/* Each has its own; what it got is in `got`, which counts. */
static void all_who_wait_are_served_a_few_starts_at_a_time(void **state)
{
	struct parser *parser = NULL;
	const size_t n = 30;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(pool_take(&parser), 1);
	for (size_t i = 0; pool.got.n < n; i++) {
		pool_settle();
		/* Two are kept ready; twice as many are started at a time. */
		assert_in_range(pool.n_starts, i + 1, i + 4);
		gets_ready(i);
		pool_settle();
		parser_end(pool.got.parser);
		pool.got.parser = NULL;
	}
	assert_int_equal(pool.got.error, 0);
	pool_settle();
	assert_in_range(pool.n_starts, n, n + 2);
}

static int begin_hurried(void **state)
{
	pool_begin_unlisted(state);
	pool.m.settings.worker_start_timeout_ms = 20;
	list_ends(0);
	return 0;
}

static void a_parser_that_is_not_sealed_in_time_is_killed(void **state)
{
	comes_to_life(0);
	while (!pool.starts[0].killed)
		assert_true(sd_event_run(pool.m.event, POOL_DEADLINE_USEC) > 0);
	assert_int_equal(pool.n_gate, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_many_are_started_ahead_as_are_set),
		TEST_UNLISTED(none_is_started_before_it_is_known_which_uids_are_taken),
		TEST_UNLISTED(workers_are_none_of_its_business),
		TEST(only_the_gate_makes_a_parser_ready),
		TEST(a_parser_that_does_not_pass_is_killed),
		TEST(a_gate_that_cannot_look_says_no),
		TEST(a_step_that_failed_ends_the_start),
		TEST(two_reports_are_one_too_many),
		TEST(an_end_without_a_report_ends_the_start),
		TEST(a_parser_is_used_once_and_replaced),
		TEST_WITH_TWO(a_uid_is_given_back_when_its_parser_is_dead),
		TEST(its_holder_hears_of_the_end_of_a_parser_by_its_link),
		TEST(a_ready_one_that_dies_is_not_handed_out),
		TEST(whoever_does_not_want_one_any_more_gets_none),
		TEST(more_are_started_for_those_who_wait),
		TEST(all_who_wait_are_served_a_few_starts_at_a_time),
		cmocka_unit_test_setup_teardown(a_parser_that_is_not_sealed_in_time_is_killed,
						begin_hurried, pool_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
