// SPDX-License-Identifier: Apache-2.0
/*
 * The parser's loop in a process of its own, between a client and a supervisor that are both this
 * test.
 */
#include "peers.h"
#include "dmuserd/parser/serve.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* For messages that never end. */
#define SHORT_MS 50

static _Noreturn void be_parser(int link, int deadline_ms)
{
	static struct server server;
	int keep[] = { 0, 1, 2, link };

	fd_close_all_but(keep, ARRAY_SIZE(keep));
	server.link = link;
	server.deadline_ms = deadline_ms;
	_exit(serve(&server) < 0 ? 1 : 0);
}

static _Noreturn void be_patient(int link)
{
	be_parser(link, PARSER_MESSAGE_DEADLINE_MS);
}

static _Noreturn void be_impatient(int link)
{
	be_parser(link, SHORT_MS);
}

static int start(void **state)
{
	peers_start(be_patient);
	return 0;
}

static int start_impatient(void **state)
{
	peers_start(be_impatient);
	return 0;
}

static void calls_are_told_in_their_order(void **state)
{
	assign();
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	next();
	client_sends(BYTES(LIST "\0"), NULL, 0);
	told_request(PARSER_METHOD_LIST);
	next();
	close_fd(&peers.client);
	told_end();
	ends_well();
}

static void a_message_sent_byte_by_byte_is_a_message(void **state)
{
	static const char call[] = LIST;

	assign();
	for (size_t i = 0; i < sizeof(call); i++)
		client_sends(&call[i], 1, NULL, 0);
	told_request(PARSER_METHOD_LIST);
	ends_well();
}

static void pipelined_calls_are_told_one_at_a_time(void **state)
{
	struct pollfd p = { .fd = peers.link, .events = POLLIN };

	client_sends(BYTES(PING "\0" LIST "\0" PING "\0{\"method\":\"io.dmus"), NULL, 0);
	assign();
	told_request(PARSER_METHOD_PING);
	/* The others are there already; only NEXT may bring them. */
	assert_int_equal(poll(&p, 1, SHORT_MS), 0);
	next();
	told_request(PARSER_METHOD_LIST);
	next();
	told_request(PARSER_METHOD_PING);
	next();
	client_sends(BYTES("er.List\"}\0"), NULL, 0);
	told_request(PARSER_METHOD_LIST);
	ends_well();
}

static void a_refused_call_is_followed_by_the_next(void **state)
{
	assign();
	client_sends(BYTES("{\"method\":\"io.dmuser.Ping\",\"parameters\":{\"name\":\"v\"}}\0"),
		     NULL, 0);
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, false, "name");
	next();
	told_request(PARSER_METHOD_PING);
	ends_well();
}

static void what_a_closing_client_has_sent_is_still_told(void **state)
{
	assign();
	client_sends(BYTES(PING "\0" LIST "\0{\"unfin"), NULL, 0);
	close_fd(&peers.client);
	told_request(PARSER_METHOD_PING);
	next();
	told_request(PARSER_METHOD_LIST);
	next();
	told_end();
	ends_well();
}

static void a_client_that_only_stops_sending_has_closed(void **state)
{
	assign();
	client_sends(BYTES(PING "\0"), NULL, 0);
	assert_int_equal(shutdown(peers.client, SHUT_WR), 0);
	told_request(PARSER_METHOD_PING);
	next();
	told_end();
	ends_well();
}

static void blocking_or_not_is_all_the_same(void **state)
{
	assert_int_equal(fcntl(peers.peer, F_SETFL, O_NONBLOCK), 0);
	assign();
	client_sends(BYTES("{\"method\":"), NULL, 0);
	client_sends(BYTES("\"io.dmuser.Ping\"}\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	ends_well();
}

static void a_broken_text_ends_the_connection(void **state)
{
	assign();
	client_sends(BYTES("GET / HTTP/1.1\r\n\r\n\0" PING "\0"), NULL, 0);
	told_refusal(PARSER_REFUSED_SYNTAX, true, "");
	/* Let go by the parser, so that the supervisor's closing is the end of it. */
	is_closed(peers.client);
	ends_well();
}

static void descriptors_are_passed_on_with_their_call(void **state)
{
	struct witness w = witness_new();
	int fd = -EBADF;

	assign();
	for (int i = 0; i < 3; i++) {
		client_sends(BYTES(BIND "\0"), &w.sent, 1);
		assert_int_equal(told_with_fds(&fd, 1)->event, PARSER_REQUEST);
		assert_int_equal(peers.message.n_fds, 1);
		assert_int_equal(peers.message.method, PARSER_METHOD_BIND);
		assert_int_equal(write(fd, "x", 1), 1);
		close_fd(&fd);
		assert_int_equal(read(w.seen, &(char){ 0 }, 1), 1);
		next();
	}
	/* The parser keeps none. */
	close_fd(&w.sent);
	witness_sees_all_closed(&w);
	ends_well();
}

static void a_call_with_descriptors_may_come_in_pieces(void **state)
{
	struct witness w = witness_new();
	static const char call[] = BIND;
	int fd = -EBADF;

	assign();
	client_sends(call, 7, &w.sent, 1);
	client_sends(call + 7, sizeof(call) - 7, NULL, 0);
	assert_int_equal(told_with_fds(&fd, 1)->n_fds, 1);
	close_fd(&fd);
	close_fd(&w.sent);
	next();
	witness_sees_all_closed(&w);
	ends_well();
}

/* They come to a fatal refusal, and no copy of them is left although the link stays open. */
static void refuses_descriptors(struct witness *w)
{
	assign();
	close_fd(&w->sent);
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, true, "fds");
	witness_sees_all_closed(w);
	is_closed(peers.client);
	ends_well();
}

static void descriptors_glued_to_the_call_before_are_refused(void **state)
{
	struct witness w = witness_new();

	/* Sent before the parser reads: the kernel delivers both with one receive. */
	client_sends(BYTES(PING "\0"), NULL, 0);
	client_sends(BYTES(BIND "\0"), &w.sent, 1);
	refuses_descriptors(&w);
}

static void descriptors_with_two_calls_are_refused(void **state)
{
	struct witness w = witness_new();

	client_sends(BYTES(BIND "\0" PING "\0"), &w.sent, 1);
	refuses_descriptors(&w);
}

static void descriptors_behind_half_a_call_are_refused(void **state)
{
	struct witness w = witness_new();

	assign();
	client_sends(BYTES(PING "\0{\"method\""), NULL, 0);
	told_request(PARSER_METHOD_PING);
	/* The half has been received by now; these come behind it. */
	client_sends(BYTES(":\"io.dmuser.Ping\"}\0"), &w.sent, 1);
	close_fd(&w.sent);
	next();
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, true, "fds");
	witness_sees_all_closed(&w);
	ends_well();
}

static void refuses_so_many_descriptors(size_t n_fds)
{
	struct witness w = witness_new();
	int fds[FD_MESSAGE_MAX];

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = w.sent;
	client_sends(BYTES(BIND "\0"), fds, n_fds);
	refuses_descriptors(&w);
}

static void one_descriptor_too_many_is_refused(void **state)
{
	refuses_so_many_descriptors(PARSER_FDS_MAX + 1);
}

static void as_many_descriptors_as_a_message_can_carry_are_refused(void **state)
{
	refuses_so_many_descriptors(FD_MESSAGE_MAX);
}

static void descriptors_of_a_refused_call_are_closed(void **state)
{
	struct witness w = witness_new();

	assign();
	client_sends(BYTES(PING "\0"), &w.sent, 1);
	close_fd(&w.sent);
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, false, "fds");
	witness_sees_all_closed(&w);
	next();
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	ends_well();
}

static void descriptors_of_an_unfinished_call_are_closed(void **state)
{
	struct witness w = witness_new();

	assign();
	client_sends(BYTES("{"), &w.sent, 1);
	close_fd(&w.sent);
	close_fd(&peers.client);
	told_end();
	witness_sees_all_closed(&w);
	ends_well();
}

/* Sends 'x' until the parser has something to tell, or hangs up. */
static void send_endlessly(void)
{
	static char block[4096];
	struct pollfd fds[] = {
		{ .fd = peers.client, .events = POLLOUT },
		{ .fd = peers.link, .events = POLLIN },
	};

	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; sent < 4 * PARSER_MESSAGE_MAX_BYTES;) {
		ssize_t n;

		assert_true(poll(fds, ARRAY_SIZE(fds), PATIENCE_MS) > 0);
		if (fds[1].revents)
			return;
		n = send(peers.client, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
	}
	fail_msg("it reads on beyond the limit");
}

static void a_message_that_never_ends_is_refused_at_the_limit(void **state)
{
	assign();
	send_endlessly();
	told_refusal(PARSER_REFUSED_SYNTAX, true, "");
	ends_well();
}

static void a_message_that_is_not_whole_in_time_is_refused(void **state)
{
	assign();
	client_sends(BYTES("{\"method\":"), NULL, 0);
	told_refusal(PARSER_REFUSED_SYNTAX, true, "");
	is_closed(peers.client);
	ends_well();
}

static void a_slow_sender_does_not_move_its_deadline(void **state)
{
	struct pollfd p = { .fd = peers.link, .events = POLLIN };
	int bytes = 0;

	assign();
	/* A parser that began its clock anew with each byte would wait for ever. */
	while (poll(&p, 1, SHORT_MS / 5) == 0 && bytes++ < PATIENCE_MS / SHORT_MS)
		send(peers.client, "x", 1, MSG_NOSIGNAL);
	told_refusal(PARSER_REFUSED_SYNTAX, true, "");
	ends_well();
}

static void a_client_that_says_nothing_has_no_deadline(void **state)
{
	struct pollfd p = { .fd = peers.link, .events = POLLIN };

	assign();
	assert_int_equal(poll(&p, 1, 4 * SHORT_MS), 0);
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	next();
	assert_int_equal(poll(&p, 1, 4 * SHORT_MS), 0);
	client_sends(BYTES(LIST "\0"), NULL, 0);
	told_request(PARSER_METHOD_LIST);
	ends_well();
}

static void the_supervisor_closing_ends_it_unassigned(void **state)
{
	ends_well();
}

static void the_supervisor_closing_ends_it_while_the_client_is_silent(void **state)
{
	assign();
	ends_well();
}

static void the_supervisor_closing_ends_it_in_the_middle_of_a_message(void **state)
{
	assign();
	client_sends(BYTES(PING "\0{"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	next();
	ends_well();
}

static void the_supervisor_closing_ends_it_while_it_waits_for_next(void **state)
{
	assign();
	client_sends(BYTES(PING "\0" PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	ends_well();
}

static void an_order_of_another_version_is_told_the_own_one_and_ends_it(void **state)
{
	struct parser_message message = {};

	order_with(PARSER_MESSAGE_VERSION + 1, PARSER_ASSIGN_CLIENT, &peers.peer);
	/* The supervisor is told which version it is. */
	assert_int_equal(recv(peers.link, &message, sizeof(message), 0), sizeof(message));
	assert_int_equal(message.version, PARSER_MESSAGE_VERSION);
	assert_int_equal(message.event, 0);
	exits_with(1);
}

static void an_order_of_another_size_ends_it(void **state)
{
	assert_int_equal(send(peers.link, "x", 1, 0), 1);
	exits_with(1);
}

static void an_unknown_order_ends_it(void **state)
{
	order_with(PARSER_MESSAGE_VERSION, 99, &peers.peer);
	exits_with(1);
}

static void next_without_a_client_ends_it(void **state)
{
	next();
	exits_with(1);
}

static void an_assignment_without_a_descriptor_ends_it(void **state)
{
	order_with(PARSER_MESSAGE_VERSION, PARSER_ASSIGN_CLIENT, NULL);
	exits_with(1);
}

static void a_second_client_ends_it(void **state)
{
	int second = dup(peers.peer);

	assign();
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	order_with(PARSER_MESSAGE_VERSION, PARSER_ASSIGN_CLIENT, &second);
	close(second);
	exits_with(1);
}

static void an_order_that_nobody_waits_for_ends_it(void **state)
{
	assign();
	client_sends(BYTES(PING "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	next();
	next();
	exits_with(1);
}

static void a_manifest_is_told_and_that_is_all(void **state)
{
	assign_manifest(BYTES("{\"type\":\"memory\",\"summary\":\"s\",\"profile\":\"memory\","
			      "\"memory_max_bytes\":1}\n"));
	assert_int_equal(told_with_fds(NULL, 0)->event, PARSER_MANIFEST);
	assert_string_equal(peers.message.manifest.type, "memory");
	exits_with(0);
}

static void a_bad_manifest_is_refused_and_that_is_all(void **state)
{
	assign_manifest(BYTES("{\"type\":\"Memory\"}"));
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, true, "type");
	exits_with(0);
}

static void a_manifest_larger_than_a_message_is_refused(void **state)
{
	static char spaces[PARSER_MESSAGE_MAX_BYTES + 1];

	memset(spaces, ' ', sizeof(spaces));
	memcpy(spaces, BYTES("{\"type\":\"memory\",\"summary\":\"s\",\"profile\":\"memory\","
			     "\"memory_max_bytes\":1}"));
	assign_manifest(spaces, sizeof(spaces));
	told_refusal(PARSER_REFUSED_SYNTAX, true, "");
	exits_with(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, peers_stop)
#define IMPATIENT_TEST(name) cmocka_unit_test_setup_teardown(name, start_impatient, peers_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_are_told_in_their_order),
		TEST(a_message_sent_byte_by_byte_is_a_message),
		TEST(pipelined_calls_are_told_one_at_a_time),
		TEST(a_refused_call_is_followed_by_the_next),
		TEST(what_a_closing_client_has_sent_is_still_told),
		TEST(a_client_that_only_stops_sending_has_closed),
		TEST(blocking_or_not_is_all_the_same),
		TEST(a_broken_text_ends_the_connection),
		TEST(descriptors_are_passed_on_with_their_call),
		TEST(a_call_with_descriptors_may_come_in_pieces),
		TEST(descriptors_glued_to_the_call_before_are_refused),
		TEST(descriptors_with_two_calls_are_refused),
		TEST(descriptors_behind_half_a_call_are_refused),
		TEST(one_descriptor_too_many_is_refused),
		TEST(as_many_descriptors_as_a_message_can_carry_are_refused),
		TEST(descriptors_of_a_refused_call_are_closed),
		TEST(descriptors_of_an_unfinished_call_are_closed),
		TEST(a_message_that_never_ends_is_refused_at_the_limit),
		IMPATIENT_TEST(a_message_that_is_not_whole_in_time_is_refused),
		IMPATIENT_TEST(a_slow_sender_does_not_move_its_deadline),
		IMPATIENT_TEST(a_client_that_says_nothing_has_no_deadline),
		TEST(the_supervisor_closing_ends_it_unassigned),
		TEST(the_supervisor_closing_ends_it_while_the_client_is_silent),
		TEST(the_supervisor_closing_ends_it_in_the_middle_of_a_message),
		TEST(the_supervisor_closing_ends_it_while_it_waits_for_next),
		TEST(an_order_of_another_version_is_told_the_own_one_and_ends_it),
		TEST(an_order_of_another_size_ends_it),
		TEST(an_unknown_order_ends_it),
		TEST(next_without_a_client_ends_it),
		TEST(an_assignment_without_a_descriptor_ends_it),
		TEST(a_second_client_ends_it),
		TEST(an_order_that_nobody_waits_for_ends_it),
		TEST(a_manifest_is_told_and_that_is_all),
		TEST(a_bad_manifest_is_refused_and_that_is_all),
		TEST(a_manifest_larger_than_a_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
