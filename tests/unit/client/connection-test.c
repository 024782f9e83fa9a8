// SPDX-License-Identifier: Apache-2.0
/* libdmuser.so as its users see it, against a scripted server. */
#include "api/dmuser.h"
#include "fake-server.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

#define TIMEOUT_MS 10000

static struct fake_server server;

static struct dmuser_connection *connected(fake_script script)
{
	struct dmuser_connection *c;

	fake_server_start(&server, script);
	assert_int_equal(dmuser_connect(server.address, TIMEOUT_MS, &c), 0);
	return c;
}

static void finish(struct dmuser_connection *c)
{
	dmuser_connection_free(c);
	assert_int_equal(fake_server_end(&server), 0);
}

static int ping(struct dmuser_connection *c, struct dmuser_reply **ret_reply)
{
	return dmuser_call(c, "io.dmuser.Ping", NULL, NULL, 0, TIMEOUT_MS, ret_reply);
}

static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void answers_two_calls(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Ping\"}");
	fake_reply(s, "{\"parameters\":{\"volumes\":3}}", NULL, 0);
	fake_expect_text(s, "{\"method\":\"io.dmuser.Ping\"}");
	fake_reply(s, "{}", NULL, 0);
	fake_expect_close(s);
}

static void a_call_gets_its_reply_and_the_next_one_too(void **state)
{
	struct dmuser_connection *c = connected(answers_two_calls);
	struct json_object *p;
	struct dmuser_reply *reply;

	assert_int_equal(ping(c, &reply), 0);
	assert_null(dmuser_reply_error(reply));
	assert_false(dmuser_reply_continues(reply));
	p = dmuser_reply_parameters(reply);
	assert_int_equal(json_object_get_int(json_object_object_get(p, "volumes")), 3);
	dmuser_reply_free(reply);
	assert_int_equal(ping(c, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void refuses(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"a\"}}", NULL, 0);
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{}", NULL, 0);
	fake_expect_close(s);
}

static void an_error_is_an_outcome_and_harms_nothing(void **state)
{
	struct dmuser_connection *c = connected(refuses);
	struct dmuser_reply *reply;

	assert_int_equal(ping(c, &reply), DMUSER_REFUSED);
	assert_string_equal(dmuser_reply_error(reply), "io.dmuser.NoSuchVolume");
	dmuser_reply_free(reply);
	assert_int_equal(ping(c, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void streams(int s)
{
	static const char two[] = "{\"continues\":true,\"parameters\":{\"n\":0}}\0"
				  "{\"continues\":true,\"parameters\":{\"n\":1}}";

	fake_expect_text(s, "{\"method\":\"io.dmuser.Subscribe\",\"more\":true}");
	/* Two in one message: they must come apart again. */
	fake_send(s, two, sizeof(two));
	fake_reply(s, "{\"parameters\":{\"n\":2}}", NULL, 0);
	fake_expect_close(s);
}

static void replies_to_more_come_one_by_one(void **state)
{
	struct dmuser_connection *c = connected(streams);
	struct dmuser_reply *reply;

	assert_int_equal(dmuser_send(c, "io.dmuser.Subscribe", NULL, DMUSER_CALL_MORE, NULL, 0,
				     TIMEOUT_MS), 0);
	for (int i = 0; i < 3; i++) {
		struct json_object *n;

		assert_int_equal(dmuser_receive(c, TIMEOUT_MS, &reply), 0);
		n = json_object_object_get(dmuser_reply_parameters(reply), "n");
		assert_int_equal(json_object_get_int(n), i);
		assert_int_equal(dmuser_reply_continues(reply), i < 2);
		dmuser_reply_free(reply);
	}
	assert_int_equal(dmuser_receive(c, TIMEOUT_MS, &reply), -EINVAL);
	finish(c);
}

static void expects_oneway_then_call(int s)
{
	/* The two may come in one read. */
	static const char calls[] = "{\"method\":\"a.B\",\"oneway\":true}\0{\"method\":\"io.dmuser.Ping\"}";
	char bytes[sizeof(calls)];
	size_t got = 0;

	while (got < sizeof(calls)) {
		ssize_t n = recv(s, bytes + got, sizeof(bytes) - got, 0);

		if (n <= 0)
			_exit(FAKE_SCRIPT_FAILED);
		got += (size_t)n;
	}
	if (memcmp(bytes, calls, sizeof(calls)) != 0)
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{}", NULL, 0);
	fake_expect_close(s);
}

static void a_oneway_call_has_no_reply_and_keeps_descriptors_back(void **state)
{
	struct dmuser_connection *c = connected(expects_oneway_then_call);
	struct dmuser_reply *reply;
	int fd = 0;

	assert_int_equal(dmuser_send(c, "a.B", NULL, DMUSER_CALL_ONEWAY, NULL, 0, TIMEOUT_MS), 0);
	assert_int_equal(dmuser_receive(c, 0, &reply), -EINVAL);
	assert_int_equal(dmuser_send(c, "a.C", NULL, 0, &fd, 1, TIMEOUT_MS), -EBUSY);
	assert_int_equal(ping(c, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void answers_once_asked_twice(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{}", NULL, 0);
	fake_expect_close(s);
}

static void a_second_call_waits_for_the_first_ones_reply(void **state)
{
	struct dmuser_connection *c = connected(answers_once_asked_twice);
	struct dmuser_reply *reply;

	assert_int_equal(dmuser_send(c, "a.B", NULL, 0, NULL, 0, TIMEOUT_MS), 0);
	assert_int_equal(dmuser_send(c, "a.C", NULL, 0, NULL, 0, TIMEOUT_MS), -EBUSY);
	assert_int_equal(dmuser_receive(c, TIMEOUT_MS, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static void gives_descriptors_back(int s)
{
	int fds[8], back[2];
	size_t n_fds;
	const char *call = fake_expect_call(s, fds, &n_fds);

	if (n_fds != 2 || strcmp(call, "{\"method\":\"a.B\",\"parameters\":{\"fd\":0}}") != 0)
		_exit(FAKE_SCRIPT_FAILED);
	back[0] = fds[1];
	back[1] = fds[0];
	fake_reply(s, "{\"parameters\":{\"fd\":1}}", back, 2);
	fake_expect_close(s);
}

static void descriptors_travel_both_ways(void **state)
{
	int before = count_fds();
	struct dmuser_connection *c = connected(gives_descriptors_back);
	struct json_object *p = json_tokener_parse("{\"fd\":0}");
	struct dmuser_reply *reply;
	int fds[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC), open("/", O_PATH | O_CLOEXEC) };
	int fd;

	assert_int_equal(dmuser_call(c, "a.B", p, fds, 2, TIMEOUT_MS, &reply), 0);
	fd = dmuser_reply_take_fd(reply, 1);
	assert_true(is_same_file(fd, fds[0]));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(dmuser_reply_take_fd(reply, 1), -ENOENT);
	assert_int_equal(dmuser_reply_take_fd(reply, 2), -ENOENT);
	close(fd);
	close(fds[0]);
	close(fds[1]);
	json_object_put(p);
	dmuser_reply_free(reply); /* closes the one that was not taken */
	finish(c);
	assert_int_equal(count_fds(), before);
}

/* The client must find both in one read: it is told by a third descriptor when they are there. */
static int both_sent[2];

static void sends_descriptors_in_the_middle(int s)
{
	int fd = open("/dev/null", O_RDONLY);

	fake_expect_call(s, NULL, NULL);
	fake_send(s, "{\"continues\":true}", 19);
	fake_reply(s, "{\"continues\":true}", &fd, 1);
	if (write(both_sent[1], "", 1) != 1)
		_exit(FAKE_SCRIPT_FAILED);
	fake_expect_close(s);
}

static void descriptors_that_could_be_anybodys_are_refused_and_closed(void **state)
{
	int before = count_fds();
	struct dmuser_connection *c;
	struct dmuser_reply *reply;
	char byte;

	assert_int_equal(pipe(both_sent), 0);
	c = connected(sends_descriptors_in_the_middle);
	assert_int_equal(dmuser_send(c, "a.B", NULL, DMUSER_CALL_MORE, NULL, 0, TIMEOUT_MS), 0);
	assert_int_equal(read(both_sent[0], &byte, 1), 1);
	assert_int_equal(dmuser_receive(c, TIMEOUT_MS, &reply), -EPROTO);
	finish(c);
	close(both_sent[0]);
	close(both_sent[1]);
	assert_int_equal(count_fds(), before);
}

static void answers_after_a_byte(int s)
{
	char byte;

	fake_expect_call(s, NULL, NULL);
	fake_send(s, "{\"para", 6);
	/* The test says when: it shuts its side down. */
	while (recv(s, &byte, 1, 0) > 0)
		;
	fake_send(s, "meters\":{}}", 12);
}

static void a_late_reply_can_still_be_received(void **state)
{
	struct dmuser_connection *c = connected(answers_after_a_byte);
	struct dmuser_reply *reply;

	assert_int_equal(dmuser_call(c, "a.B", NULL, NULL, 0, 50, &reply), -ETIMEDOUT);
	assert_int_equal(dmuser_call(c, "a.B", NULL, NULL, 0, 50, &reply), -EBUSY);
	shutdown(dmuser_connection_fd(c), SHUT_WR);
	assert_int_equal(dmuser_receive(c, TIMEOUT_MS, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void closes_at_once(int s)
{
	fake_expect_call(s, NULL, NULL);
}

static void a_server_that_closes_ends_the_connection(void **state)
{
	struct dmuser_connection *c = connected(closes_at_once);
	struct dmuser_reply *reply;

	assert_int_equal(ping(c, &reply), -ECONNRESET);
	assert_int_equal(ping(c, &reply), -ENOTCONN);
	assert_int_equal(dmuser_receive(c, 0, &reply), -ENOTCONN);
	finish(c);
}

static void sends_garbage(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "garbage", NULL, 0);
	fake_expect_close(s);
}

static void continues_unasked(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"continues\":true}", NULL, 0);
	fake_expect_close(s);
}

static void answers_twice(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_send(s, "{}\0{}", 6);
	fake_expect_close(s);
}

/* The one that closes must have closed before the client sends. */
static int server_has_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, TIMEOUT_MS) == 1 && (p.revents & (POLLRDHUP | POLLHUP));
}

static void turns_away(int s)
{
	fake_reply(s, "{\"error\":\"io.dmuser.QuotaExceeded\",\"parameters\":"
		      "{\"resource\":\"connections\",\"limit\":1}}", NULL, 0);
}

static void who_is_turned_away_before_the_call_is_told_why(void **state)
{
	struct dmuser_connection *c = connected(turns_away);
	struct dmuser_reply *reply;

	assert_true(server_has_closed(dmuser_connection_fd(c)));
	assert_int_equal(ping(c, &reply), DMUSER_REFUSED);
	assert_string_equal(dmuser_reply_error(reply), "io.dmuser.QuotaExceeded");
	dmuser_reply_free(reply);
	assert_true(ping(c, &reply) < 0);
	dmuser_connection_free(c);
	assert_int_equal(fake_server_end(&server), 0);
}

static void says_nothing(int s)
{
}

static void who_is_turned_away_without_a_word_gets_the_errno(void **state)
{
	struct dmuser_connection *c = connected(says_nothing);
	struct dmuser_reply *reply;

	assert_true(server_has_closed(dmuser_connection_fd(c)));
	assert_int_equal(ping(c, &reply), -EPIPE);
	dmuser_connection_free(c);
	assert_int_equal(fake_server_end(&server), 0);
}

static void what_is_no_reply_ends_the_connection(void **state)
{
	static const fake_script scripts[] = { sends_garbage, continues_unasked, answers_twice };

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct dmuser_connection *c = connected(scripts[i]);
		struct dmuser_reply *reply;

		assert_int_equal(ping(c, &reply), -EPROTO);
		assert_int_equal(ping(c, &reply), -ENOTCONN);
		finish(c);
	}
}

static void sends_without_end(int s)
{
	char bytes[4096];

	fake_expect_call(s, NULL, NULL);
	memset(bytes, ' ', sizeof(bytes));
	while (send(s, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
		;
}

static void a_reply_beyond_the_limit_is_refused(void **state)
{
	struct dmuser_connection *c = connected(sends_without_end);
	struct dmuser_reply *reply;

	dmuser_set_reply_limit(c, 10000);
	assert_int_equal(ping(c, &reply), -EMSGSIZE);
	finish(c);
}

static void a_server_that_reads_nothing_cannot_hold_the_caller(void **state)
{
	struct dmuser_connection *c;
	struct json_object *p = json_object_new_object();
	char *big = calloc(1, DMUSER_CALL_MAX_BYTES);

	fake_server_start(&server, NULL);
	assert_int_equal(dmuser_connect(server.address, TIMEOUT_MS, &c), 0);
	memset(big, 'x', DMUSER_CALL_MAX_BYTES - 100);
	json_object_object_add(p, "x", json_object_new_string(big));
	assert_int_equal(dmuser_send(c, "a.B", p, 0, NULL, 0, 50), -ETIMEDOUT);
	assert_int_equal(dmuser_send(c, "a.B", NULL, 0, NULL, 0, 50), -ENOTCONN);
	free(big);
	json_object_put(p);
	dmuser_connection_free(c);
	kill(server.pid, SIGKILL);
	fake_server_end(&server);
}

static void a_full_backlog_is_waited_for_no_longer_than_asked(void **state)
{
	struct dmuser_connection *c[8];
	int r = 0, n = 0;

	fake_server_start(&server, NULL);
	while (n < 8 && (r = dmuser_connect(server.address, 50, &c[n])) == 0)
		n++;
	assert_int_equal(r, -ETIMEDOUT);
	while (n-- > 0)
		dmuser_connection_free(c[n]);
	kill(server.pid, SIGKILL);
	fake_server_end(&server);
}

static void nobody_there_is_told_by_its_errno(void **state)
{
	struct dmuser_connection *c;
	char address[200];

	assert_int_equal(dmuser_connect("/nonexistent/socket", 100, &c), -ENOENT);
	memset(address, 'x', sizeof(address) - 1);
	address[sizeof(address) - 1] = 0;
	assert_int_equal(dmuser_connect(address, 100, &c), -ENAMETOOLONG);
	assert_int_equal(dmuser_connect("unix:", 100, &c), -EINVAL);
}

static void the_environment_names_the_address(void **state)
{
	struct dmuser_connection *c;
	struct dmuser_reply *reply;
	char address[128];

	fake_server_start(&server, answers_once_asked_twice);
	snprintf(address, sizeof(address), "unix:%s", server.address);
	setenv("DMUSER_ADDRESS", address, 1);
	assert_int_equal(dmuser_connect(NULL, TIMEOUT_MS, &c), 0);
	unsetenv("DMUSER_ADDRESS");
	assert_int_equal(ping(c, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void wrong_use_is_refused_and_harms_nothing(void **state)
{
	struct dmuser_connection *c = connected(answers_once_asked_twice);
	int fds[DMUSER_FDS_MAX + 1] = {};
	struct dmuser_reply *reply;

	assert_int_equal(dmuser_send(c, "", NULL, 0, NULL, 0, TIMEOUT_MS), -EINVAL);
	assert_int_equal(dmuser_send(c, "a.B", NULL, 8, NULL, 0, TIMEOUT_MS), -EINVAL);
	assert_int_equal(dmuser_send(c, "a.B", NULL, DMUSER_CALL_MORE | DMUSER_CALL_ONEWAY, NULL, 0,
				     TIMEOUT_MS), -EINVAL);
	assert_int_equal(dmuser_send(c, "a.B", NULL, 0, fds, DMUSER_FDS_MAX + 1, TIMEOUT_MS), -EINVAL);
	assert_int_equal(ping(c, &reply), 0);
	dmuser_reply_free(reply);
	finish(c);
}

static void freeing_nothing_is_allowed(void **state)
{
	dmuser_connection_free(NULL);
	dmuser_reply_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_gets_its_reply_and_the_next_one_too),
		cmocka_unit_test(an_error_is_an_outcome_and_harms_nothing),
		cmocka_unit_test(replies_to_more_come_one_by_one),
		cmocka_unit_test(a_oneway_call_has_no_reply_and_keeps_descriptors_back),
		cmocka_unit_test(a_second_call_waits_for_the_first_ones_reply),
		cmocka_unit_test(descriptors_travel_both_ways),
		cmocka_unit_test(descriptors_that_could_be_anybodys_are_refused_and_closed),
		cmocka_unit_test(a_late_reply_can_still_be_received),
		cmocka_unit_test(a_server_that_closes_ends_the_connection),
		cmocka_unit_test(who_is_turned_away_before_the_call_is_told_why),
		cmocka_unit_test(who_is_turned_away_without_a_word_gets_the_errno),
		cmocka_unit_test(what_is_no_reply_ends_the_connection),
		cmocka_unit_test(a_reply_beyond_the_limit_is_refused),
		cmocka_unit_test(a_server_that_reads_nothing_cannot_hold_the_caller),
		cmocka_unit_test(a_full_backlog_is_waited_for_no_longer_than_asked),
		cmocka_unit_test(nobody_there_is_told_by_its_errno),
		cmocka_unit_test(the_environment_names_the_address),
		cmocka_unit_test(wrong_use_is_refused_and_harms_nothing),
		cmocka_unit_test(freeing_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
