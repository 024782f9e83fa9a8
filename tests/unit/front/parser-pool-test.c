// SPDX-License-Identifier: Apache-2.0
/*
 * The pool, with a spawner and a gate that are played. A parser is a child of this test that only waits,
 * so that its pidfd is a real one; what it should say, the test says.
 */
#include "test.h"
#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CHILDREN_MAX 64
#define DEADLINE_USEC UINT64_C(10000000)

/* A start that was asked for. */
struct start {
	struct spawner_request request;
	int link, setup; /* the parser's own ends */
	spawner_spawned_fn spawned;
	void *userdata;
	pid_t pid;
	bool killed, forgotten;
};

static struct {
	struct manager m;
	char directory[64];
	struct start starts[CHILDREN_MAX];
	size_t n_starts;
	int spawn_error;
	int gate;      /* what the gate says */
	size_t n_gate; /* how often it was asked */
	struct gate_expectation expected;
	spawner_child_fn child;
	spawner_listed_fn listed;
	void *list_userdata;
	size_t n_lists; /* that were asked for */
} t;

/* The spawner */

int spawner_spawn(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		  size_t n_fds, uint64_t deadline_usec, spawner_spawned_fn spawned,
		  spawner_exited_fn exited, void *userdata)
{
	struct start *s = &t.starts[t.n_starts];

	if (t.spawn_error < 0)
		return t.spawn_error;
	assert_true(t.n_starts < CHILDREN_MAX);
	assert_int_equal(n_fds, SPAWNER_FD_RESOURCES);
	t.n_starts++;
	*s = (struct start){ .request = *request, .spawned = spawned, .userdata = userdata };
	s->link = fcntl(fds[SPAWNER_FD_LINK], F_DUPFD_CLOEXEC, 0);
	s->setup = fcntl(fds[SPAWNER_FD_SETUP], F_DUPFD_CLOEXEC, 0);
	return 0;
}

int spawner_list(struct spawner_link *link, spawner_child_fn child, spawner_listed_fn listed,
		 void *userdata)
{
	t.child = child;
	t.listed = listed;
	t.list_userdata = userdata;
	t.n_lists++;
	return 0;
}

static struct start *find_start(const char *name)
{
	for (size_t i = 0; i < t.n_starts; i++) {
		if (strcmp(t.starts[i].request.name, name) == 0)
			return &t.starts[i];
	}
	return NULL;
}

int spawner_kill(struct spawner_link *link, const char *name)
{
	struct start *s = find_start(name);

	if (s) {
		s->killed = true;
		if (s->pid > 0)
			kill(s->pid, SIGKILL);
	}
	return 0;
}

int spawner_forget(struct spawner_link *link, const char *name)
{
	struct start *s = find_start(name);

	if (s)
		s->forgotten = true;
	return 0;
}

/* The gate */

int gate_check(const struct gate_expectation *expected, struct gate_verdict *ret_verdict)
{
	t.n_gate++;
	t.expected = *expected;
	strcpy(ret_verdict->what, "capabilities");
	strcpy(ret_verdict->detail, "too many");
	return t.gate;
}

/* The stage */

static void touch(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", t.directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	close(fd);
}

static void settle(void)
{
	int r;

	do {
		r = sd_event_run(t.m.event, 0);
		assert_true(r >= 0);
	} while (r > 0);
}

static int begin_with_uids(uint32_t count)
{
	char path[128];

	memset(&t, 0, sizeof(t));
	strcpy(t.directory, "/tmp/dmuser-pool-XXXXXX");
	assert_non_null(mkdtemp(t.directory));
	snprintf(path, sizeof(path), "%s/seccomp", t.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	touch("dmuser-parser");
	touch("seccomp/parser.bpf");
	settings_init(&t.m.settings);
	strcpy(t.m.settings.libexec_dir, t.directory);
	t.m.settings.parser_pool = 2;
	t.m.settings.parser_uid_base = 500000;
	t.m.settings.parser_uid_count = count;
	assert_true(sd_event_new(&t.m.event) >= 0);
	assert_int_equal(parser_pool_new(&t.m, &t.m.parsers), 0);
	settle();
	return 0;
}

static int begin_unlisted(void **state)
{
	return begin_with_uids(16);
}

static void list_ends(int error)
{
	t.listed(t.list_userdata, error);
	settle();
}

static int begin(void **state)
{
	begin_unlisted(state);
	list_ends(0);
	return 0;
}

static int begin_with_two(void **state)
{
	begin_with_uids(2);
	list_ends(0);
	return 0;
}

static int end(void **state)
{
	char command[128];

	parser_pool_free(t.m.parsers);
	for (size_t i = 0; i < t.n_starts; i++) {
		struct start *s = &t.starts[i];

		closep(&s->link);
		closep(&s->setup);
		if (s->pid > 0) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
	}
	sd_event_unref(t.m.event);
	snprintf(command, sizeof(command), "rm -r %s", t.directory);
	assert_int_equal(system(command), 0);
	return 0;
}

/* A process that only waits, and holds nothing of this one. */
static pid_t start_waiter(void)
{
	int pair[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd_close_all_but((int[]){ 0, 1, 2 }, 3);
		for (;;)
			pause();
	}
	close(pair[1]);
	/* The end of it: the child has closed its copies. */
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	return pid;
}

/* The i-th start has led to a process. */
static void comes_to_life(size_t i)
{
	struct start *s = &t.starts[i];
	int pidfd;

	s->pid = start_waiter();
	pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	assert_true(pidfd >= 0);
	s->spawned(s->userdata, 0, CONFINE_NONE, s->pid, pidfd);
	settle();
}

static void reports(size_t i, enum confine_step step, int error)
{
	const struct confine_report report = { .step = step, .error = error };

	assert_int_equal(fd_send(t.starts[i].setup, &report, sizeof(report), NULL, 0, 0), 0);
	settle();
}

static void closes_setup(size_t i)
{
	closep(&t.starts[i].setup);
	t.starts[i].setup = -1;
	settle();
}

static void gets_ready(size_t i)
{
	comes_to_life(i);
	reports(i, CONFINE_SEALED, 0);
	closes_setup(i);
}

static void dies(size_t i)
{
	struct pollfd p = { .events = POLLIN };

	kill(t.starts[i].pid, SIGKILL);
	p.fd = (int)syscall(SYS_pidfd_open, t.starts[i].pid, 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	close(p.fd);
	settle();
}

static struct {
	size_t n;
	int error;
	struct parser *parser;
} got;

static void on_ready(void *userdata, int error, struct parser *parser)
{
	got.n++;
	got.error = error;
	got.parser = parser;
}

static int take(struct parser **ret_parser)
{
	memset(&got, 0, sizeof(got));
	return parser_pool_take(t.m.parsers, on_ready, &got, ret_parser);
}

/* The tests */

static void as_many_are_started_ahead_as_are_set(void **state)
{
	assert_int_equal(t.n_starts, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct spawner_request *r = &t.starts[i].request;

		assert_int_equal(r->role, SPAWNER_PARSER);
		assert_int_equal(r->uid, 500000 + i);
		assert_int_equal(r->pids_max, 1);
		assert_string_equal(r->group, "_parsers");
	}
	gets_ready(0);
	gets_ready(1);
	assert_int_equal(t.n_starts, 2);
}

static void none_is_started_before_it_is_known_which_uids_are_taken(void **state)
{
	const struct spawner_reply left = { .role = SPAWNER_PARSER, .uid = 500000, .alive = 1,
					    .pid = 4711, .name = "parser-1" };
	pid_t pid = start_waiter();
	int pidfd;

	assert_int_equal(t.n_starts, 0);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	t.child(t.list_userdata, &left, pidfd);
	list_ends(0);
	assert_int_equal(t.n_starts, 2);
	assert_int_equal(t.starts[0].request.uid, 500001);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void workers_are_none_of_its_business(void **state)
{
	const struct spawner_reply worker = { .role = SPAWNER_WORKER, .uid = 500000, .alive = 1,
					      .pid = 4711, .name = "w" };

	t.child(t.list_userdata, &worker, -EBADF);
	list_ends(0);
	assert_int_equal(t.starts[0].request.uid, 500000);
}

static void only_the_gate_makes_a_parser_ready(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(take(&parser), 1);
	comes_to_life(0);
	assert_int_equal(t.n_gate, 0);
	reports(0, CONFINE_SEALED, 0);
	/* Its setup socket would not pass yet. */
	assert_int_equal(t.n_gate, 0);
	closes_setup(0);
	assert_int_equal(t.n_gate, 1);
	assert_int_equal(t.expected.pid, t.starts[0].pid);
	assert_int_equal(t.expected.uid, 500000);
	assert_int_equal(t.expected.filters, 3);
	assert_int_equal(t.expected.n_fds, 1);
	assert_int_equal(t.expected.fds[0].fd, CONFINE_FD_LINK);
	assert_int_equal(got.n, 1);
	assert_non_null(got.parser);
	parser_end(got.parser);
}

static void a_parser_that_does_not_pass_is_killed(void **state)
{
	struct parser *parser = NULL;

	t.gate = 1;
	assert_int_equal(take(&parser), 1);
	gets_ready(0);
	assert_true(t.starts[0].killed);
	/* Whoever waited is told, and does not wait on. */
	assert_int_equal(got.n, 1);
	assert_int_equal(got.error, -EPERM);
}

static void a_gate_that_cannot_look_says_no(void **state)
{
	t.gate = -EACCES;
	gets_ready(0);
	assert_true(t.starts[0].killed);
}

static void a_step_that_failed_ends_the_start(void **state)
{
	comes_to_life(0);
	reports(0, CONFINE_LANDLOCK, -EPERM);
	assert_true(t.starts[0].killed);
	assert_int_equal(t.n_gate, 0);
}

static void two_reports_are_one_too_many(void **state)
{
	comes_to_life(0);
	reports(0, CONFINE_SEALED, 0);
	reports(0, CONFINE_SEALED, 0);
	assert_true(t.starts[0].killed);
	assert_int_equal(t.n_gate, 0);
}

static void an_end_without_a_report_ends_the_start(void **state)
{
	comes_to_life(0);
	closes_setup(0);
	assert_true(t.starts[0].killed);
	assert_int_equal(t.n_gate, 0);
}

static void a_parser_is_used_once_and_replaced(void **state)
{
	struct parser *parser = NULL;

	gets_ready(0);
	gets_ready(1);
	assert_int_equal(take(&parser), 0);
	assert_non_null(parser);
	settle();
	assert_int_equal(t.n_starts, 3);
	parser_end(parser);
	assert_true(t.starts[0].killed || t.starts[1].killed);
}

static void a_uid_is_given_back_when_its_parser_is_dead(void **state)
{
	struct parser *parser = NULL;
	size_t taken;

	gets_ready(0);
	gets_ready(1);
	assert_int_equal(take(&parser), 0);
	settle();
	/* There is no third uid. */
	assert_int_equal(t.n_starts, 2);
	parser_end(parser);
	taken = t.starts[0].killed ? 0 : 1;
	dies(taken);
	assert_true(t.starts[taken].forgotten);
	while (t.n_starts == 2)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	assert_int_equal(t.starts[2].request.uid, t.starts[taken].request.uid);
	assert_string_not_equal(t.starts[2].request.name, t.starts[taken].request.name);
}

static void its_holder_hears_of_the_end_of_a_parser_by_its_link(void **state)
{
	struct parser *parser = NULL;
	char byte;

	gets_ready(0);
	assert_int_equal(take(&parser), 0);
	closep(&t.starts[0].link);
	t.starts[0].link = -1;
	dies(0);
	assert_int_equal(recv(parser_link(parser), &byte, 1, 0), 0);
	assert_false(t.starts[0].forgotten);
	parser_end(parser);
	settle();
	assert_true(t.starts[0].forgotten);
}

static void a_ready_one_that_dies_is_not_handed_out(void **state)
{
	struct parser *parser = NULL;

	gets_ready(0);
	dies(0);
	assert_true(t.starts[0].forgotten);
	assert_int_equal(take(&parser), 1);
}

static void whoever_does_not_want_one_any_more_gets_none(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(take(&parser), 1);
	parser_pool_cancel(t.m.parsers, &got);
	gets_ready(0);
	assert_int_equal(got.n, 0);
}

static void more_are_started_for_those_who_wait(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(take(&parser), 1);
	assert_int_equal(take(&parser), 1);
	settle();
	assert_int_equal(t.n_starts, 4);
}

/* Each has its own; what it got is in `got`, which counts. */
static void all_who_wait_are_served_a_few_starts_at_a_time(void **state)
{
	struct parser *parser = NULL;
	const size_t n = 30;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(take(&parser), 1);
	for (size_t i = 0; got.n < n; i++) {
		settle();
		/* Two are kept ready; twice as many are started at a time. */
		assert_in_range(t.n_starts, i + 1, i + 4);
		gets_ready(i);
		settle();
		parser_end(got.parser);
		got.parser = NULL;
	}
	assert_int_equal(got.error, 0);
	settle();
	assert_in_range(t.n_starts, n, n + 2);
}

static void a_start_that_is_only_slow_costs_nobody_the_wait(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(take(&parser), 1);
	settle();
	t.starts[0].spawned(t.starts[0].userdata, -ETIMEDOUT, CONFINE_NONE, 0, -EBADF);
	settle();
	assert_int_equal(got.n, 0);
	gets_ready(1);
	settle();
	assert_int_equal(got.n, 1);
	assert_non_null(got.parser);
	parser_end(got.parser);
}

static void without_the_spawner_all_who_wait_are_told(void **state)
{
	struct parser *parser = NULL;

	for (size_t i = 0; i < 5; i++)
		assert_int_equal(take(&parser), 1);
	settle();
	t.starts[0].spawned(t.starts[0].userdata, -ECONNRESET, CONFINE_NONE, 0, -EBADF);
	assert_int_equal(got.n, 5);
	assert_int_equal(got.error, -ECONNRESET);
	for (size_t i = 1; i < 4; i++)
		t.starts[i].spawned(t.starts[i].userdata, -ECONNRESET, CONFINE_NONE, 0, -EBADF);
	/* Nor is anybody who comes later left to wait. */
	t.spawn_error = -ENOTCONN;
	assert_int_equal(take(&parser), 1);
	while (got.n == 0)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	assert_int_equal(got.error, -ENOTCONN);
	/* When it is back, all goes on. */
	t.spawn_error = 0;
	assert_int_equal(take(&parser), 1);
	while (t.n_starts < 5)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	gets_ready(4);
	settle();
	assert_int_equal(got.n, 1);
	assert_non_null(got.parser);
	parser_end(got.parser);
}

static void run_until_asked(size_t n_lists)
{
	while (t.n_lists < n_lists)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
}

static void run_until_started(size_t n_starts)
{
	while (t.n_starts < n_starts)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
}

static void is_lost(size_t i, int error)
{
	t.starts[i].spawned(t.starts[i].userdata, error, CONFINE_NONE, 0, -EBADF);
	settle();
}

/* The spawner names it, alive. */
static void is_listed(size_t i)
{
	struct spawner_reply reply = { .role = SPAWNER_PARSER, .uid = t.starts[i].request.uid,
				       .alive = 1, .pid = t.starts[i].pid };
	int pidfd = (int)syscall(SYS_pidfd_open, t.starts[i].pid, 0);

	assert_true(pidfd >= 0);
	strcpy(reply.name, t.starts[i].request.name);
	t.child(t.list_userdata, &reply, pidfd);
}

static void a_uid_of_which_nothing_came_is_given_back(void **state)
{
	is_lost(0, -ETIMEDOUT);
	is_lost(1, -ECONNRESET);
	run_until_asked(2);
	assert_int_equal(t.n_starts, 2);
	/* One that does not answer is asked again. */
	list_ends(-ECONNRESET);
	run_until_asked(3);
	list_ends(0);
	run_until_started(4);
	assert_int_equal(t.starts[2].request.uid + t.starts[3].request.uid, 500000 + 500001);
}

static void a_lost_one_that_lives_keeps_its_uid_until_it_is_dead(void **state)
{
	gets_ready(0);
	is_lost(1, -ETIMEDOUT);
	t.starts[1].pid = start_waiter();
	run_until_asked(2);
	is_listed(0);
	is_listed(1);
	list_ends(0);
	assert_false(t.starts[0].killed);
	assert_true(t.starts[1].killed);
	dies(1);
	run_until_started(3);
	assert_int_equal(t.starts[2].request.uid, t.starts[1].request.uid);
}

static void one_that_was_lost_after_the_list_was_asked_for_waits_for_the_next(void **state)
{
	is_lost(0, -ETIMEDOUT);
	run_until_asked(2);
	is_lost(1, -ETIMEDOUT);
	list_ends(0);
	run_until_started(3);
	assert_int_equal(t.starts[2].request.uid, t.starts[0].request.uid);
	run_until_asked(3);
	list_ends(0);
	run_until_started(4);
	assert_int_equal(t.starts[3].request.uid, t.starts[1].request.uid);
}

static void a_start_that_fails_is_tried_again_after_a_pause(void **state)
{
	struct parser *parser = NULL;

	assert_int_equal(take(&parser), 1);
	settle();
	for (size_t i = 0; i < 3; i++)
		t.starts[i].spawned(t.starts[i].userdata, -EPERM, CONFINE_CLONE, 0, -EBADF);
	settle();
	assert_int_equal(got.n, 1);
	assert_int_equal(got.error, -EPERM);
	assert_int_equal(t.n_starts, 3);
	while (t.n_starts == 3)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
}

static void a_uid_whose_parser_may_yet_come_is_not_given_out_again(void **state)
{
	t.starts[0].spawned(t.starts[0].userdata, -ETIMEDOUT, CONFINE_NONE, 0, -EBADF);
	t.starts[1].spawned(t.starts[1].userdata, -EPERM, CONFINE_CLONE, 0, -EBADF);
	while (t.n_starts == 2)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	assert_int_equal(t.n_starts, 3);
	assert_int_equal(t.starts[2].request.uid, t.starts[1].request.uid);
}

static int begin_hurried(void **state)
{
	begin_unlisted(state);
	t.m.settings.worker_start_timeout_ms = 20;
	list_ends(0);
	return 0;
}

static void a_parser_that_is_not_sealed_in_time_is_killed(void **state)
{
	comes_to_life(0);
	while (!t.starts[0].killed)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	assert_int_equal(t.n_gate, 0);
}

static void a_program_that_is_not_installed_is_no_reason_to_spin(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/dmuser-parser", t.directory);
	unlink(path);
	list_ends(0);
	assert_int_equal(t.n_starts, 0);
	assert_int_equal(take(&(struct parser *){ NULL }), 1);
	while (got.n == 0)
		assert_true(sd_event_run(t.m.event, DEADLINE_USEC) > 0);
	assert_int_equal(got.error, -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define TEST_WITH_TWO(name) cmocka_unit_test_setup_teardown(name, begin_with_two, end)
#define TEST_UNLISTED(name) cmocka_unit_test_setup_teardown(name, begin_unlisted, end)

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
		TEST_WITH_TWO(a_uid_of_which_nothing_came_is_given_back),
		TEST_WITH_TWO(a_lost_one_that_lives_keeps_its_uid_until_it_is_dead),
		TEST_WITH_TWO(one_that_was_lost_after_the_list_was_asked_for_waits_for_the_next),
		TEST(its_holder_hears_of_the_end_of_a_parser_by_its_link),
		TEST(a_ready_one_that_dies_is_not_handed_out),
		TEST(whoever_does_not_want_one_any_more_gets_none),
		TEST(more_are_started_for_those_who_wait),
		TEST(all_who_wait_are_served_a_few_starts_at_a_time),
		TEST(a_start_that_is_only_slow_costs_nobody_the_wait),
		TEST(without_the_spawner_all_who_wait_are_told),
		TEST(a_start_that_fails_is_tried_again_after_a_pause),
		TEST_WITH_TWO(a_uid_whose_parser_may_yet_come_is_not_given_out_again),
		cmocka_unit_test_setup_teardown(a_parser_that_is_not_sealed_in_time_is_killed,
						begin_hurried, end),
		TEST_UNLISTED(a_program_that_is_not_installed_is_no_reason_to_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
