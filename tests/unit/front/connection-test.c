// SPDX-License-Identifier: Apache-2.0
/* The conversation between one client, its parser and the supervisor. */
#include "test.h"
#include "stage.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct parser_message *says_refusal(enum parser_refusal refusal, bool fatal)
{
	struct parser_message *m = says_request(0);

	m->event = PARSER_REFUSAL;
	m->refusal = refusal;
	m->fatal = fatal;
	strcpy(m->text, "what");
	return m;
}

static void heard_answer(const struct actor *a)
{
	const char *text = client_hears(a);

	assert_non_null(text);
	assert_ptr_equal(strstr(text, "{\"parameters\":"), text);
}

static void the_supervisor_reads_nothing_of_a_client(void **state)
{
	struct actor a = client_new(1000);
	char text[8] = "";

	assert_int_equal(send(a.fd, "{}", 3, 0), 3);
	stage_settle();
	/* It is still there for its parser, at the other end of the same socket. */
	assert_int_equal(recv(a.fd, text, sizeof(text), MSG_DONTWAIT), -1);
	assert_false(client_is_cut_off(&a));
	client_gone(&a);
}

static void an_answer_is_followed_by_the_next_turn(void **state)
{
	struct actor a = client_new(1000);

	for (int i = 0; i < 3; i++) {
		parser_says(&a, says_request(PARSER_METHOD_PING), -1);
		heard_answer(&a);
		assert_true(parser_has_next(&a));
	}
	client_gone(&a);
}

static void the_next_turn_waits_for_the_answer(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	assert_false(parser_has_next(&a));
	assert_null(client_hears(&a));
	fake_create_ends("v", true, NULL);
	heard_answer(&a);
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_oneway_call_has_its_turn_and_no_answer(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_request(PARSER_METHOD_PING);

	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_true(parser_has_next(&a));
	assert_null(client_hears(&a));

	m = says_create("v", true);
	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_false(parser_has_next(&a));
	fake_create_ends("v", true, NULL);
	assert_true(parser_has_next(&a));
	assert_null(client_hears(&a));

	m = says_volume(PARSER_METHOD_DESCRIBE, "none");
	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_null(client_hears(&a));
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_message_out_of_turn_ends_the_connection(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	parser_says(&a, says_request(PARSER_METHOD_PING), -1);
	assert_true(client_is_cut_off(&a));
	assert_int_equal(fake_n_ended, 1);
	fake_create_ends("v", true, NULL);
	client_gone(&a);
}

static void a_parser_of_another_version_is_told_to_its_client(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_request(PARSER_METHOD_PING);

	m->version++;
	parser_says(&a, m, -1);
	heard(&a, "dmuserd was upgraded, restart it");
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

static void an_unsound_message_ends_the_connection(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", true);

	strcpy(m->create.name, "../v");
	parser_says(&a, m, -1);
	assert_true(client_is_cut_off(&a));
	assert_int_equal(fake_n_ended, 1);
	assert_int_equal(fake_creates, 0);
	client_gone(&a);
}

static void a_manifest_is_no_request(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_request(0);

	m->event = PARSER_MANIFEST;
	strcpy(m->manifest.type, "evil");
	strcpy(m->manifest.profile, "evil");
	m->manifest.n_threads = 1;
	m->manifest.max_size_bytes = 512;
	parser_says(&a, m, -1);
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

static void a_parser_takes_nobody_but_its_client_with_it(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	close(a.parser);
	fake_parsers[0] = -1;
	assert_true(client_is_cut_off(&a));
	assert_false(client_is_cut_off(&b));
	parser_says(&b, says_request(PARSER_METHOD_PING), -1);
	heard_answer(&b);
	client_gone(&a);
	client_gone(&b);
}

static void the_end_of_a_client_is_its_parsers_too(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_end(), -1);
	assert_int_equal(fake_n_ended, 1);
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

static void a_hang_up_is_noticed_while_a_call_is_worked_on(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	assert_int_equal(fake_n_ended, 0);
	client_gone(&a);
	assert_int_equal(fake_n_ended, 1);
	fake_create_ends("v", true, NULL);
}

static void a_hang_up_is_the_parsers_to_find_while_it_reads(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_create("v", true);

	/* Gone right after a oneway call: the call counts all the same. */
	client_gone(&a);
	assert_int_equal(fake_n_ended, 0);
	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_int_equal(fake_creates, 1);
	fake_create_ends("v", true, NULL);
	stage_settle();
	assert_int_equal(fake_n_ended, 1);
}

static void a_refusal_is_told_and_the_client_goes_on(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m;

	parser_says(&a, says_refusal(PARSER_REFUSED_METHOD_NOT_FOUND, false), -1);
	heard(&a, "MethodNotFound");
	assert_true(parser_has_next(&a));
	m = says_refusal(PARSER_REFUSED_INVALID_PARAMETER, false);
	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_null(client_hears(&a));
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_fatal_refusal_is_told_before_the_end(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_refusal(PARSER_REFUSED_INVALID_PARAMETER, true), -1);
	heard(&a, "InvalidParameter");
	assert_true(client_is_cut_off(&a));
	assert_false(parser_has_next(&a));
	client_gone(&a);
}

static void what_is_no_call_gets_no_answer(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_refusal(PARSER_REFUSED_SYNTAX, true), -1);
	assert_null(client_hears(&a));
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

/* Makes the client's socket take no more than a few answers. */
static void fill(const struct actor *a)
{
	for (int i = 0; i < 2000; i++) {
		fake_volume_add(1000, (char[]){ 'v', (char)('a' + i / 676), (char)('a' + i / 26 % 26),
						(char)('a' + i % 26), '\0' },
				true, NULL);
	}
}

static void a_client_that_does_not_read_is_cut_off_in_time(void **state)
{
	struct actor a = client_new(1000);

	stage.m.front->patience_usec = 20000;
	fill(&a);
	parser_says(&a, says_request(PARSER_METHOD_LIST), -1);
	assert_false(parser_has_next(&a));
	stage_wait_closed(a.fd);
	assert_int_equal(fake_n_ended, 1);
	client_gone(&a);
}

static void a_long_answer_comes_whole(void **state)
{
	struct actor a = client_new(1000);
	size_t total = 0;
	char last = 'x', bytes[4096];
	ssize_t n;

	fill(&a);
	parser_says(&a, says_request(PARSER_METHOD_LIST), -1);
	assert_false(parser_has_next(&a));
	while (last) {
		n = recv(a.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		assert_true(n > 0);
		last = bytes[n - 1];
		total += (size_t)n;
		stage_settle();
	}
	assert_true(total > 2000 * 200);
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void a_subscriber_hears_a_snapshot_and_then_what_changes(void **state)
{
	struct actor a = client_new(1000);
	struct volume *v = fake_volume_add(1000, "v", true, NULL);

	parser_says(&a, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	heard(&a, "\"event\":\"snapshot\",\"volumes\":[{\"name\":\"v\"");
	assert_false(parser_has_next(&a));
	fake_volume_changed(v);
	heard(&a, "\"event\":\"changed\"");
	assert_null(client_hears(&a));
	client_gone(&a);
	assert_int_equal(fake_n_ended, 1);
}

static void a_subscriber_hears_of_no_change_that_it_cannot_see(void **state)
{
	struct actor a = client_new(1000);
	struct volume *v = fake_volume_add(1000, "v", true, NULL);

	parser_says(&a, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	heard(&a, "\"name\":\"v\"");
	fake_volume_stirs(v);
	assert_null(client_hears(&a));
	client_gone(&a);
}

static void a_snapshot_has_no_volume_whose_size_nobody_knows_yet(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	fake_volume_has_no_size(fake_volume_add(1000, "v", true, NULL));
	parser_says(&a, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	heard(&a, "\"volumes\":[]");
	/* Whoever asks for all there are is told. */
	parser_says(&b, says_request(PARSER_METHOD_LIST), -1);
	heard(&b, "\"name\":\"v\"");
	client_gone(&a);
	client_gone(&b);
}

static void a_subscriber_hears_of_its_own_volumes_alone(void **state)
{
	struct actor a = client_new(1000), root = client_new(0);
	struct volume *v = fake_volume_add(1001, "v", true, NULL);

	parser_says(&a, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	parser_says(&root, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	heard(&a, "\"volumes\":[]");
	heard(&root, "\"name\":\"v\"");
	fake_volume_changed(v);
	assert_null(client_hears(&a));
	heard(&root, "\"event\":\"changed\"");
	client_gone(&a);
	client_gone(&root);
}

static void a_subscriber_that_does_not_read_is_cut_off(void **state)
{
	struct actor slow = client_new(1000), quick = client_new(1000);
	struct volume *v = fake_volume_add(1000, "v", true, NULL);
	int i;

	parser_says(&slow, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	parser_says(&quick, says_request(PARSER_METHOD_SUBSCRIBE), -1);
	assert_non_null(client_hears(&quick));
	for (i = 0; i < 100000 && fake_n_ended == 0; i++) {
		fake_volume_changed(v);
		assert_non_null(client_hears(&quick));
	}
	assert_int_equal(fake_n_ended, 1);
	assert_true(client_is_cut_off(&slow));
	assert_false(client_is_cut_off(&quick));
	client_gone(&slow);
	client_gone(&quick);
}

static void a_oneway_subscription_is_nothing(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_request(PARSER_METHOD_SUBSCRIBE);

	/* There is no telling what it should mean, so no sound parser sends it. */
	m->flags = PARSER_CALL_ONEWAY;
	parser_says(&a, m, -1);
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

static void a_client_waits_for_a_parser(void **state)
{
	struct parser_order order;
	struct actor a;
	int copy = -1;
	size_t n = 0;

	fake_pool_is_full = false;
	a = client_new(1000);
	assert_int_equal(a.parser, -1);
	fake_pool_hands_out(0);
	assert_int_equal(fd_recv_exact(fake_parsers[0], &order, sizeof(order), &copy, 1, &n, 0), 0);
	assert_int_equal(order.command, PARSER_ASSIGN_CLIENT);
	close(copy);
	a.parser = fake_parsers[0];
	parser_says(&a, says_request(PARSER_METHOD_PING), -1);
	heard_answer(&a);
	client_gone(&a);
}

static void a_client_does_not_wait_for_a_parser_for_ever(void **state)
{
	struct actor a;

	fake_pool_is_full = false;
	stage.m.front->queue_patience_usec = 20000;
	a = client_new(1000);
	stage_wait_closed(a.fd);
	heard(&a, "io.dmuser.TimedOut\",\"parameters\":{\"stage\":\"starting a process that reads");
	client_gone(&a);
}

static void a_client_whose_parser_cannot_be_started_is_told_and_cut_off(void **state)
{
	struct actor a;

	fake_pool_is_full = false;
	a = client_new(1000);
	fake_pool_hands_out(-EPERM);
	heard(&a, "io.dmuser.BackendFailed\",\"parameters\":{\"reason\":\"no process that reads");
	assert_true(client_is_cut_off(&a));
	client_gone(&a);
}

/* By way of the listening socket, as this process's own uid. */
static struct actor come(void)
{
	struct actor a = { .parser = -1, .socket = -1 };
	struct sockaddr_un address;
	socklen_t size = sizeof(address);

	a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(getsockname(stage.listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(a.fd, (struct sockaddr *)&address, size), 0);
	stage_settle();
	return a;
}

static void whoever_comes_is_accepted(void **state)
{
	struct actor a = come();

	assert_int_equal(fake_n_parsers, 1);
	assert_int_equal(stage.m.front->n_connections, 1);
	assert_int_equal(connection_peer(connection_next(stage.m.front, NULL))->uid, getuid());
	assert_false(client_is_cut_off(&a));
	client_gone(&a);
}

static void one_too_many_is_told_so_and_cut_off(void **state)
{
	struct actor a, b;

	stage.m.settings.connections_max = 1;
	stage.m.settings.connections_per_uid_max = 1;
	a = client_new(0);
	b = come();
	heard(&b, "io.dmuser.QuotaExceeded\",\"parameters\":{\"resource\":\"connections\"");
	assert_true(client_is_cut_off(&b));
	assert_false(client_is_cut_off(&a));
	assert_int_equal(fake_n_parsers, 1);
	client_gone(&a);
	client_gone(&b);
}

static void a_place_that_is_left_can_be_taken(void **state)
{
	struct actor a, b;

	stage.m.settings.connections_max = 2;
	stage.m.settings.connections_per_uid_max = 1;
	a = come();
	a.parser = fake_parsers[0];
	parser_says(&a, says_end(), -1);
	assert_int_equal(stage.m.front->n_connections, 0);
	b = come();
	assert_false(client_is_cut_off(&b));
	client_gone(&a);
	client_gone(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_supervisor_reads_nothing_of_a_client),
		TEST(an_answer_is_followed_by_the_next_turn),
		TEST(the_next_turn_waits_for_the_answer),
		TEST(a_oneway_call_has_its_turn_and_no_answer),
		TEST(a_message_out_of_turn_ends_the_connection),
		TEST(a_parser_of_another_version_is_told_to_its_client),
		TEST(an_unsound_message_ends_the_connection),
		TEST(a_manifest_is_no_request),
		TEST(a_parser_takes_nobody_but_its_client_with_it),
		TEST(the_end_of_a_client_is_its_parsers_too),
		TEST(a_hang_up_is_noticed_while_a_call_is_worked_on),
		TEST(a_hang_up_is_the_parsers_to_find_while_it_reads),
		TEST(a_refusal_is_told_and_the_client_goes_on),
		TEST(a_fatal_refusal_is_told_before_the_end),
		TEST(what_is_no_call_gets_no_answer),
		TEST(a_client_that_does_not_read_is_cut_off_in_time),
		TEST(a_long_answer_comes_whole),
		TEST(a_subscriber_hears_a_snapshot_and_then_what_changes),
		TEST(a_subscriber_hears_of_no_change_that_it_cannot_see),
		TEST(a_snapshot_has_no_volume_whose_size_nobody_knows_yet),
		TEST(a_subscriber_hears_of_its_own_volumes_alone),
		TEST(a_subscriber_that_does_not_read_is_cut_off),
		TEST(a_oneway_subscription_is_nothing),
		TEST(a_client_waits_for_a_parser),
		TEST(a_client_does_not_wait_for_a_parser_for_ever),
		TEST(a_client_whose_parser_cannot_be_started_is_told_and_cut_off),
		TEST(whoever_comes_is_accepted),
		TEST(one_too_many_is_told_so_and_cut_off),
		TEST(a_place_that_is_left_can_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
