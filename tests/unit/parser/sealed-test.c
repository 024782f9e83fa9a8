// SPDX-License-Identifier: Apache-2.0
/*
 * The installed program, sealed under its own profile: whatever a client sends, it needs no other
 * system call than the profile lists, and no more memory than it has.
 *
 *   parser-sealed-test dmuser-parser parser.bpf
 */
#include "peers.h"
#include "dmuserd/messages/confine-step.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static const char *executable, *profile;
static int setup[2];

/* As the spawner would start it, as far as this test needs no privilege. */
static void be_sealed(int link)
{
	int program = open(profile, O_RDONLY | O_CLOEXEC);
	int fds[] = { link, setup[1], program };

	/* Out of the way first, so that no number is taken before it is copied. */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		dup2(fds[i], CONFINE_FD_LINK + (int)i);
	fd_close_all_but((int[]){ 0, 1, 2, CONFINE_FD_LINK, CONFINE_FD_SETUP, CONFINE_FD_PROFILE },
			 6);
	/* Without it, neither Landlock nor a filter may be had by one who is not root. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0)
		execl(executable, executable, (char *)NULL);
}

static int start_sealed(void **state)
{
	struct confine_report report;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, setup), 0);
	peers_start(be_sealed);
	close_fd(&setup[1]);
	assert_int_equal(fd_recv_exact(setup[0], &report, sizeof(report), NULL, 0, NULL, 0), 0);
	close_fd(&setup[0]);
	if (report.step != CONFINE_SEALED)
		fail_msg("%s: %s", confine_step_name(report.step), strerror(-report.error));
	assert_int_equal(report.error, 0);
	return 0;
}

static void it_serves_a_client_to_the_end(void **state)
{
	assign();
	client_sends(BYTES(PING "\0" LIST "\0"), NULL, 0);
	told_request(PARSER_METHOD_PING);
	next();
	told_request(PARSER_METHOD_LIST);
	next();
	client_sends(BYTES("{\"method\""), NULL, 0);
	close_fd(&peers.client);
	told_end();
	ends_well();
}

static void it_passes_descriptors_on(void **state)
{
	struct witness w = witness_new();
	int fd = -EBADF;

	assign();
	client_sends(BYTES(BIND "\0"), &w.sent, 1);
	close_fd(&w.sent);
	assert_int_equal(told_with_fds(&fd, 1)->n_fds, 1);
	close_fd(&fd);
	next();
	witness_sees_all_closed(&w);
	ends_well();
}

static void it_refuses_more_descriptors_than_its_limit(void **state)
{
	struct witness w = witness_new();
	int fds[FD_MESSAGE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = w.sent;
	assign();
	client_sends(BYTES(BIND "\0"), fds, ARRAY_SIZE(fds));
	close_fd(&w.sent);
	told_refusal(PARSER_REFUSED_INVALID_PARAMETER, true, "fds");
	witness_sees_all_closed(&w);
	ends_well();
}

static void it_reads_a_manifest(void **state)
{
	assign_manifest(BYTES("{\"type\":\"memory\",\"summary\":\"s\",\"profile\":\"memory\","
			      "\"memory_max_bytes\":1}\n"));
	assert_int_equal(told_with_fds(NULL, 0)->event, PARSER_MANIFEST);
	exits_with(0);
}

/* A Create with parameters made of `item`, which has a %d for a number, as often as fits. */
static size_t fill(char *to, const char *item, size_t item_size, int times)
{
	static const char tail[] = "\"z\":0}}";
	size_t used = (size_t)sprintf(to, "{\"method\":\"io.dmuser.Create\",\"parameters\":{");

	for (int i = 0; i < times && used + item_size + 16 < PARSER_MESSAGE_MAX_BYTES; i++)
		used += (size_t)sprintf(to + used, item, i);
	memcpy(to + used, tail, sizeof(tail));
	return used + sizeof(tail);
}

static void send_all(const char *bytes, size_t size)
{
	while (size > 0) {
		size_t piece = size < 65536 ? size : 65536;

		client_sends(bytes, piece, NULL, 0);
		bytes += piece;
		size -= piece;
	}
}

/* The heap has to hold all of it again and again: what is free has holes by then. */
static void it_reads_the_heaviest_messages_with_the_memory_it_has(void **state)
{
	static char message[PARSER_MESSAGE_MAX_BYTES + 256], item[PARSER_MESSAGE_MAX_BYTES];
	static const struct {
		const char *before, *after; /* of a run of x */
		int run, times;
	} kinds[] = {
		{ "\"k%d\":\"", "\",", PARSER_MESSAGE_MAX_BYTES - 1024, 1 }, /* one long string */
		{ "\"k%d\":{}", ",", 0, 1000 },				     /* objects */
		{ "\"k%d\":[]", ",", 0, 1000 },
		{ "\"k%d\":\"", "\",", 1000, 1000 }, /* many strings */
		{ "\"k%d\":{\"a\":\"", "\"},", 1900, 500 },
		{ "\"k%d\":\"\\u0001", "\",", 500, 1000 },
		{ "\"k%d\":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]", ",", 0, 65 }, /* deep */
	};

	assign();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			int run = kinds[i].run - 7 * round;
			size_t n = (size_t)sprintf(item, "%s", kinds[i].before);

			memset(item + n, 'x', run > 0 ? (size_t)run : 0);
			n += run > 0 ? (size_t)run : 0;
			n += (size_t)sprintf(item + n, "%s", kinds[i].after);
			send_all(message, fill(message, item, n, kinds[i].times));
			told_refusal(PARSER_REFUSED_INVALID_PARAMETER, false, "k0");
			next();
		}
	}
	ends_well();
}

static void by_hand_it_tells_what_it_is(void **state)
{
	char command[512], text[1024] = "";
	FILE *out;

	snprintf(command, sizeof(command), "%s --help", executable);
	out = popen(command, "re");
	assert_non_null(out);
	assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
	assert_int_equal(pclose(out), 0);
	assert_non_null(strstr(text, "Usage: dmuser-parser\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_sealed, peers_stop)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(it_serves_a_client_to_the_end),
		TEST(it_passes_descriptors_on),
		TEST(it_refuses_more_descriptors_than_its_limit),
		TEST(it_reads_a_manifest),
		TEST(it_reads_the_heaviest_messages_with_the_memory_it_has),
		cmocka_unit_test(by_hand_it_tells_what_it_is),
	};

	if (argc != 3)
		return 99;
	executable = argv[1];
	profile = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
