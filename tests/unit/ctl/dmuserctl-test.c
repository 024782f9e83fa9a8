// SPDX-License-Identifier: Apache-2.0
/* The program itself: what it sends, what it prints, how it exits; against a scripted server. */
#include "cmocka-all.h"
#include "tests/unit/client/fake-server.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define VOLUME                                                                                     \
	"{\"name\":\"a\",\"owner\":0,\"uuid\":\"u\",\"state\":\"active\",\"backend\":\"memory\","  \
	"\"options\":{\"x\":\"\\u001b[2J\"},\"size_bytes\":67108864,\"block_size\":512,"           \
	"\"read_only\":false,\"keep\":true,\"blank\":true,\"device\":\"/dev/dm-3\",\"generation\":1}"

static char output[16384]; /* stdout and stderr of the last run */

/* Runs dmuserctl on a server with that script; words end with NULL. Returns its exit status. */
static int run_on(fake_script script, const char *const *words)
{
	const char *program = getenv("DMUSERCTL");
	struct fake_server server;
	char *argv[32] = { (char *)program, (char *)"--address", server.address };
	int out[2], status, script_status;
	size_t n = 3, size = 0;
	ssize_t got;
	pid_t pid;

	assert_non_null(program);
	for (; *words; words++)
		argv[n++] = (char *)*words;
	/* Before the pipe is there, whose end would otherwise be held by the server. */
	fake_server_start(&server, script);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execv(program, argv);
		_exit(127);
	}
	close(out[1]);
	while (size < sizeof(output) - 1 &&
	       (got = read(out[0], output + size, sizeof(output) - 1 - size)) > 0)
		size += (size_t)got;
	output[size] = 0;
	close(out[0]);
	waitpid(pid, &status, 0);
	if (!script)
		kill(server.pid, SIGKILL);
	script_status = fake_server_end(&server);
	if (script && script_status != 0)
		fail_msg("the server's side failed (%d): %s", script_status, output);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(script, ...) run_on(script, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_printed(const char *text)
{
	if (!strstr(output, text))
		fail_msg("not printed: %s\nbut: %s", text, output);
}

#define BACKENDS                                                                                   \
	"{\"backends\":[{\"type\":\"file\",\"summary\":\"In a file\",\"profile\":\"file\","               \
	"\"size_min\":4096,\"size_max\":1099511627776,\"resources\":[\"file\"],\"options\":["             \
	"{\"name\":\"path\",\"summary\":\"The image\",\"kind\":\"string\",\"required\":true,"           \
	"\"min\":2,\"max\":4095,\"opens\":\"file\"},"                                                  \
	"{\"name\":\"depth\",\"summary\":\"How deep\",\"kind\":\"integer\",\"required\":false,"         \
	"\"min\":1,\"max\":9},"                                                                    \
	"{\"name\":\"start\",\"summary\":\"Where\",\"kind\":\"size\",\"required\":false,"              \
	"\"min\":0,\"max\":1099511627776},"                                                          \
	"{\"name\":\"word\",\"summary\":\"A word\",\"kind\":\"string\",\"required\":false}]},"         \
	"{\"type\":\"odd\",\"summary\":\"\\u001b[2J\",\"profile\":\"odd\",\"size_min\":512,"             \
	"\"size_max\":9223372036854775807,\"resources\":[],\"options\":[],\"missing\":\"/no/odd.bpf\"}],"  \
	"\"rejected\":[{\"type\":\"bad\",\"reason\":\"bad.json: field \\\"size\\\"\"}]}"

static void takes_list_backends(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.ListBackends\"}");
	fake_reply(s, "{\"parameters\":" BACKENDS "}", NULL, 0);
	fake_expect_close(s);
}

static void backends_are_shown_with_what_they_take(void **state)
{
	assert_int_equal(RUN(takes_list_backends, "backends"), 0);
	assert_printed("file: In a file\n"
		       "  --size SIZE            4K to 1T; what FILE has, if left out\n"
		       "  -o path=FILE           The image, 2 to 4095 bytes long (needed)\n"
		       "  -o depth=NUMBER        How deep, 1 to 9\n"
		       "  -o start=SIZE          Where, 0 to 1T\n"
		       "  -o word=TEXT           A word\n"
		       "odd: ");
	assert_printed("  cannot be used: there is no /no/odd.bpf\n"
		       "  --size SIZE            512 or more (needed)\n"
		       "bad: cannot be used: bad.json: field \"size\"\n");
	assert_null(strchr(output, '\033'));
	assert_int_equal(RUN(takes_list_backends, "backends", "odd"), 0);
	assert_null(strstr(output, "file:"));
	assert_int_equal(RUN(takes_list_backends, "backends", "none"), 1);
	assert_printed("no backend 'none' is installed");
}

static void takes_create(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Create\",\"parameters\":{\"backend\":\"memory\","
			    "\"size_bytes\":67108864,\"options\":{\"k\":\"v=w\"},\"block_size\":4096,"
			    "\"read_only\":true,\"name\":\"a\",\"keep\":true}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":true}}", NULL, 0);
	fake_expect_close(s);
}

static void create_sends_what_was_asked_for(void **state)
{
	assert_int_equal(RUN(takes_create, "create", "a", "--backend", "memory", "--size", "64M", "-o",
			     "k=v=w", "--block-size", "4096", "--read-only"), 0);
	assert_string_equal(output, "a: created, /dev/dm-3, 64M\n");
}

static void takes_sizes_in_bytes(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.ListBackends\"}");
	fake_reply(s, "{\"parameters\":" BACKENDS "}", NULL, 0);
	fake_expect_text(s, "{\"method\":\"io.dmuser.Create\",\"parameters\":{\"backend\":\"file\","
			    "\"options\":{\"start\":\"4096\",\"word\":\"8M\",\"depth\":\"2K\"},"
			    "\"name\":\"a\",\"keep\":true}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":true}}", NULL, 0);
	fake_expect_close(s);
}

static void takes_digits_at_once(int s)
{
	const char *call = fake_expect_call(s, NULL, NULL);

	if (!strstr(call, "\"start\":\"4096\""))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":true}}", NULL, 0);
	fake_expect_close(s);
}

/* The interface takes bytes; which options are sizes, the backend's manifest says. */
static void an_option_that_is_a_size_is_given_as_size_is(void **state)
{
	assert_int_equal(RUN(takes_sizes_in_bytes, "create", "a", "--backend", "file", "-o", "start=4K", "-o",
			     "word=8M", "-o", "depth=2K"), 0);
	assert_int_equal(RUN(takes_digits_at_once, "create", "a", "--backend", "file", "-o", "start=4096"), 0);
}

static void takes_create_with_pidfd(int s)
{
	int fds[8];
	size_t n_fds;
	const char *call = fake_expect_call(s, fds, &n_fds);

	/* Only a pidfd can be signalled through. */
	if (n_fds != 1 || syscall(SYS_pidfd_send_signal, fds[0], 0, NULL, 0) < 0 ||
	    !strstr(call, "\"container\":{\"id\":\"c1\",\"pidfd\":0}"))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":false}}", NULL, 0);
	fake_expect_close(s);
}

static void create_and_bind_hand_over_a_pidfd(void **state)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	assert_int_equal(RUN(takes_create_with_pidfd, "create", "a", "--backend", "memory", "--size",
			     "1M", "--container", "c1", "--pid", pid), 0);
	assert_printed("a: exists already");
	assert_int_equal(RUN(takes_create_with_pidfd, "bind", "a", "--container", "c1", "--pid", pid), 0);
}

static void has_a_degraded_volume(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volume\":{\"name\":\"a\",\"state\":\"degraded\","
		   "\"error\":\"the worker was killed\",\"size_bytes\":1048576},\"created\":false}}",
		   NULL, 0);
	fake_expect_close(s);
}

static void create_of_a_degraded_volume_fails(void **state)
{
	assert_int_equal(RUN(has_a_degraded_volume, "create", "a", "--backend", "memory", "--size",
			     "1M"), 1);
	assert_printed("a: exists already");
	assert_printed("degraded, and its I/O fails: the worker was killed");
	assert_printed("hint: unmount it if it is mounted; dmuserctl release a, then create it again\n");
}

static void takes_a_lease(int s)
{
	const char *call = fake_expect_call(s, NULL, NULL);

	if (strstr(call, "keep"))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":true}}", NULL, 0);
	fake_expect_close(s);
}

static void a_lease_ends_when_stdin_closes(void **state)
{
	assert_int_equal(RUN(takes_a_lease, "create", "a", "--backend", "memory", "--lease"), 0);
}

static void lists_two(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.List\"}");
	fake_reply(s, "{\"parameters\":{\"volumes\":[" VOLUME ",{\"name\":\"b\\u001b[2J\","
		      "\"owner\":4000000,\"state\":\"degraded\",\"container\":\"c1\","
		      "\"error\":\"killed\\u001b\"}]}}", NULL, 0);
	fake_expect_close(s);
}

static void list_is_a_table_in_which_nothing_acts(void **state)
{
	assert_int_equal(RUN(lists_two, "list"), 0);
	assert_printed("NAME      STATE     SIZE  BACKEND  DEVICE     HELD BY  OWNER    REASON\n");
	assert_printed("a         active    64M   memory   /dev/dm-3  kept     root     -\n");
	assert_printed("b\\x1b[2J  degraded  -     -        -          c1       4000000  killed\\x1b\n");
}

static void lists_one_that_is_well(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volumes\":[" VOLUME "]}}", NULL, 0);
	fake_expect_close(s);
}

static void list_has_reasons_only_where_something_is_amiss(void **state)
{
	assert_int_equal(RUN(lists_one_that_is_well, "list"), 0);
	assert_printed("OWNER\n");
	assert_null(strstr(output, "REASON"));
}

static void describes_a_degraded_one(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volume\":{\"name\":\"a\",\"state\":\"degraded\","
		   "\"error\":\"the worker was killed\",\"size_bytes\":1048576}}}", NULL, 0);
	fake_expect_close(s);
}

static void show_says_what_to_do_about_a_degraded_one(void **state)
{
	assert_int_equal(RUN(describes_a_degraded_one, "show", "a"), 0);
	assert_printed("  State        degraded\n"
		       "  Error        the worker was killed\n"
		       "  To do        unmount it if it is mounted; dmuserctl release a, then create it again\n");
	assert_int_equal(RUN(describes_a_degraded_one, "show", "a", "--json"), 0);
	assert_null(strstr(output, "release"));
}

static void list_as_json_is_json(void **state)
{
	assert_int_equal(RUN(lists_two, "--json", "list"), 0);
	assert_printed("\"name\":");
	assert_null(strchr(output, '\x1b'));
	assert_int_equal(RUN(lists_two, "list", "--json"), 0);
	assert_printed("\"name\":");
}

static void describes(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"owner\":7,\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME "}}", NULL, 0);
	fake_expect_close(s);
}

static void show_tells_all_and_escapes_it(void **state)
{
	assert_int_equal(RUN(describes, "show", "a", "--owner", "7"), 0);
	assert_printed("64M (67108864 bytes), in blocks of 512");
	assert_printed("x=\\x1b[2J");
	assert_printed("none, after generation 1");
}

static void knows_no_volume(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"a\"}}", NULL, 0);
	fake_expect_close(s);
}

static void an_error_is_a_sentence_a_hint_and_an_exit_code(void **state)
{
	assert_int_equal(RUN(knows_no_volume, "show", "a"), 5);
	if (getuid() == 0)
		assert_string_equal(output, "dmuserctl: there is no volume 'a'\n"
					    "  hint: 'dmuserctl list' names all there are; another "
					    "owner's needs --owner UID\n");
	else
		assert_string_equal(output, "dmuserctl: there is no volume 'a' that you may see\n"
					    "  hint: 'dmuserctl list' names yours\n");
}

static void releases_slowly(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"timeout_ms\":100,"
			    "\"container\":\"c1\",\"unless_open\":true}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,\"stage\":\"gone\","
		      "\"holders\":[]},{\"name\":\"b\",\"owner\":0,\"stage\":\"device_busy\",\"holders\":"
		      "[\"pid 7 (fio)\",\"mount /mnt\"]}]}}", NULL, 0);
	fake_expect_close(s);
}

static void a_release_that_is_not_over_says_who_is_in_the_way(void **state)
{
	assert_int_equal(RUN(releases_slowly, "release", "--timeout-ms", "100", "--container", "c1"), 7);
	assert_printed("a: released\n");
	assert_printed("b: its device is still open by pid 7 (fio), mount /mnt; it goes when that closes\n"
		       "  hint: end pid 7 (fio)\n"
		       "  hint: umount /mnt\n");
	assert_int_equal(RUN(releases_slowly, "release", "--json", "--timeout-ms", "100", "--container",
			     "c1"), 7);
}

static void finds_it_open(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"owner\":4294967294,"
			    "\"unless_open\":true,\"name\":\"a\"}}");
	fake_reply(s, "{\"error\":\"io.dmuser.VolumeBusy\",\"parameters\":{\"name\":\"a\",\"open_count\":1,"
		      "\"holders\":[\"volume b of uid 4294967294, container c1\"]}}", NULL, 0);
	fake_expect_close(s);
}

static void takes_a_release_by_force(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,\"stage\":\"gone\","
		      "\"holders\":[]}]}}", NULL, 0);
	fake_expect_close(s);
}

static void what_is_in_use_is_released_by_force_only(void **state)
{
	assert_int_equal(RUN(finds_it_open, "release", "a", "--owner", "4294967294"), 7);
	assert_string_equal(output, "dmuserctl: volume 'a' is in use: its device is open once (volume b of uid "
				    "4294967294, container c1)\n"
				    "  hint: dmuserctl release b --container c1 --owner 4294967294 first, which "
				    "lies on top of it; or dmuserctl release a --owner 4294967294 --force, which "
				    "fails its I/O\n");
	assert_int_equal(RUN(takes_a_release_by_force, "release", "a", "--force"), 0);
}

static void releases_nothing(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"released\":[]}}", NULL, 0);
	fake_expect_close(s);
}

static void a_container_without_volumes_is_said_to_have_none(void **state)
{
	assert_int_equal(RUN(releases_nothing, "release", "--container", "c1"), 0);
	assert_string_equal(output, "container c1 has no volumes\n");
}

static void takes_a_name_and_a_container(int s)
{
	const char *call = fake_expect_call(s, NULL, NULL);

	if (!strstr(call, "\"name\":\"a\"") || !strstr(call, "\"container\":\"c1\""))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"a\","
		      "\"last_failure\":\"mkfs failed\"}}", NULL, 0);
	fake_expect_close(s);
}

static void one_container_s_volume_is_shown_and_released_by_both_names(void **state)
{
	assert_int_equal(RUN(takes_a_name_and_a_container, "show", "a", "--container", "c1"), 5);
	assert_printed("no volume 'a'; the last attempt to create it failed: mkfs failed\n");
	assert_int_equal(RUN(takes_a_name_and_a_container, "release", "a", "--container", "c1"), 5);
	assert_int_equal(RUN(takes_a_name_and_a_container, "release", "--container", "c1", "a"), 5);
}

static void refuses_the_size(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
		      "\"parameter\":\"size_bytes\"}}", NULL, 0);
	fake_expect_close(s);
}

static void an_error_names_the_option_and_call_s_the_parameter(void **state)
{
	assert_int_equal(RUN(refuses_the_size, "create", "a", "--backend", "memory"), 1);
	assert_printed("dmuserctl: memory needs --size: ");
	assert_null(strstr(output, "size_bytes"));
	assert_int_equal(RUN(refuses_the_size, "call", "Create", "{\"name\":\"a\"}"), 1);
	assert_printed("parameter 'size_bytes'");
}

/* Each is found before dmuserd is asked, and told in a sentence that names the option. */
static void what_is_no_size_is_said(void **state)
{
	static const struct {
		const char *size, *said;
	} cases[] = {
		{ "0", "--size must be more than 0\n" },
		{ "0K", "--size must be more than 0\n" },
		{ "-5", "--size must be more than 0, and '-5' is negative\n" },
		{ "9223372036854775808", "--size 9223372036854775808 is too large: it must be" },
		{ "18446744073709551616", "--size 18446744073709551616 is too large" },
		{ "8388608T", "--size 8388608T is too large" },
		{ "64MB", "--size takes bytes, or a number with one of K, M, G, T after it" },
		{ "1.5G", "such as 64M, not '1.5G'\n" },
		{ "", "--size takes bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(RUN(NULL, "create", "a", "--backend", "m", "--size", cases[i].size), 2);
		assert_printed(cases[i].said);
		assert_null(strstr(output, "size_bytes"));
	}
}

#define TOO_SMALL "and the smallest that backend file serves has 4096"

static void says_that_it_is_too_small(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidSize\",\"parameters\":{\"reason\":\"the volume has 512 "
		      "bytes, " TOO_SMALL "\",\"min\":4096,\"max\":1099511627776}}", NULL, 0);
	fake_expect_close(s);
}

/* Whether it is no whole number of blocks, or one of too few: the same words, the same sizes, the same end. */
static void a_size_that_cannot_be_had_is_answered_alike(void **state)
{
	static const struct {
		const char *size, *block_size, *said;
	} cases[] = {
		{ "100", "512", "the volume has 100 bytes, " TOO_SMALL "\n"
				"  hint: sizes from 4K to 1T can be, in multiples of the block size (512 "
				"bytes); nearest to 100: 4K\n" },
		{ "1000000", "512", "1000000 bytes are no multiple of the block size, 512\n" },
		{ "1000000", "512", "nearest to 1000000: 999936 and 1000448\n" },
		{ "5K", "4096", "(4096 bytes); nearest to 5K: 4K and 8K\n" },
		{ "9223372036854775807", "512", "the largest that backend file serves has 1099511627776\n" },
		{ "9223372036854775807", "512", "nearest to 9223372036854775807: 1T\n" },
	};

	assert_int_equal(RUN(says_that_it_is_too_small, "create", "a", "--backend", "file", "--size", "512"), 1);
	assert_string_equal(output, "dmuserctl: that size cannot be had: the volume has 512 bytes, " TOO_SMALL
				    "\n  hint: sizes from 4K to 1T can be, in multiples of the block size (512 "
				    "bytes); nearest to 512: 4K\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(RUN(takes_list_backends, "create", "a", "--backend", "file", "--size",
				     cases[i].size, "--block-size", cases[i].block_size), 1);
		assert_printed("dmuserctl: that size cannot be had: ");
		assert_printed(cases[i].said);
	}
}

static void notifies(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Subscribe\",\"more\":true}");
	fake_reply(s, "{\"parameters\":{\"event\":\"snapshot\",\"volumes\":[" VOLUME "]},\"continues\":true}",
		   NULL, 0);
	fake_reply(s, "{\"parameters\":{\"event\":\"gone\",\"volumes\":[" VOLUME "]},\"continues\":true}",
		   NULL, 0);
}

static void monitor_prints_each_event_and_tells_of_the_end(void **state)
{
	assert_int_equal(RUN(notifies, "monitor"), 3);
	assert_printed("snapshot  a  active  64M  /dev/dm-3  kept\n");
	assert_printed("gone      a  active");
	assert_printed("dmuserd closed the connection");
}

static void takes_one_call(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"x\":1}}", NULL, 0);
	fake_expect_close(s);
}

static void takes_a_foreign_call(int s)
{
	fake_expect_text(s, "{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}");
	fake_expect_close(s);
}

static void call_calls_anything(void **state)
{
	assert_int_equal(RUN(takes_one_call, "call", "Describe", "{\"name\":\"a\"}"), 0);
	assert_printed("\"x\": 1");
	assert_int_equal(RUN(takes_a_foreign_call, "call", "org.varlink.service.GetInfo", "--oneway"), 0);
	assert_string_equal(output, "");
}

static void describes_itself(int s)
{
	fake_expect_text(s, "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
			    "\"interface\":\"io.dmuser\"}}");
	fake_reply(s, "{\"parameters\":{\"description\":\"interface io.dmuser\\n\\nmethod \\u001b\\n\"}}",
		   NULL, 0);
	fake_expect_close(s);
}

static void introspect_prints_lines(void **state)
{
	assert_int_equal(RUN(describes_itself, "introspect"), 0);
	assert_string_equal(output, "interface io.dmuser\n\nmethod \\x1b\n");
}

static void answers_ping(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Ping\"}");
	fake_reply(s, "{\"parameters\":{\"version\":\"0.1.0\",\"volumes\":1}}", NULL, 0);
	fake_expect_close(s);
}

static void ping_says_that_the_module_is_missing(void **state)
{
	assert_int_equal(RUN(answers_ping, "ping"), 0);
	assert_string_equal(output, "dmuserd 0.1.0, kernel module not loaded (modprobe dm-user), 1 volume\n");
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
	assert_int_equal(RUN(NULL, "--timeout", "100ms", "ping"), 6);
	assert_printed("did not answer in time");
}

/* A shell of nobody's that calls itself dmuserd and says what its configuration is; it ends with *ret_stdin. */
static pid_t start_impostor(const char *name, const char *config, int *ret_stdin)
{
	int in[2], out[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0)
			execl(name, name, "-c", "echo; read x", "--config", config, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1);
	close(out[0]);
	*ret_stdin = in[1];
	return pid;
}

static void the_doctor_follows_nobody_who_calls_himself_dmuserd(void **state)
{
	char directory[] = "/tmp/dmuserctl-test-XXXXXX", name[64], config[64];
	int in = -EBADF;
	FILE *file;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(name, sizeof(name), "%s/dmuserd", directory);
	snprintf(config, sizeof(config), "%s/conf", directory);
	assert_int_equal(symlink("/bin/sh", name), 0);
	file = fopen(config, "we");
	assert_non_null(file);
	fputs("worker_uid_base = 1234567890\n", file);
	fclose(file);
	pid = start_impostor(name, config, &in);
	RUN(NULL, "doctor", "--timeout", "100ms");
	close(in);
	waitpid(pid, NULL, 0);
	unlink(name);
	unlink(config);
	rmdir(directory);
	assert_printed("uids");
	assert_null(strstr(output, "1234567890"));
}

static void no_server_is_unreachable(void **state)
{
	assert_int_equal(RUN(NULL, "--address", "/nonexistent/socket", "ping"), 3);
	assert_printed("dmuserd is not running: nobody listens on /nonexistent/socket\n"
		       "  hint: is that the address?");
}

static void a_wrong_command_line_never_reaches_the_server(void **state)
{
	static const char *const lines[][12] = {
		{ "" }, { "frobnicate" }, { "--frobnicate", "list" }, { "list", "x" },
		{ "list", "--frobnicate" }, { "show" }, { "show", "a", "b" }, { "show", "../x" },
		{ "show", "" }, { "show", "/" }, { "show", "a\x1b" }, { "show", "a", "--owner", "root" },
		{ "show", "a", "--owner", "-1" }, { "show", "a", "--owner", "4294967295" },
		{ "create", "a" }, { "create", "--backend", "memory" },
		{ "create", "a", "--backend", "m", "--size", "0" },
		{ "create", "a", "--backend", "m", "--size", "1MB" },
		{ "create", "a", "--backend", "m", "--size", "-5" },
		{ "create", "a", "--backend", "m", "--size", "99999999999999999999" },
		{ "create", "a", "--backend", "m", "--block-size", "513" },
		{ "create", "a", "--backend", "m", "--block-size", "8192" },
		{ "create", "a", "--backend", "m", "-o", "novalue" },
		{ "create", "a", "--backend", "m", "-o", "=x" },
		{ "create", "a", "--backend", "m", "-o", "K=x" },
		{ "create", "a", "--backend", "m", "-o", "k=x", "-o", "k=y" },
		{ "create", "a", "--backend", "m", "--container", "c" },
		{ "create", "a", "--backend", "m", "--pid", "1" },
		{ "create", "a", "--backend", "m", "--container", "../c", "--pid", "1" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "0" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "1x" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "1", "--lease" },
		{ "bind", "a" }, { "bind", "a", "--container", "c" },
		{ "release" }, { "release", "a", "b", "--container", "c" },
		{ "release", "--container", "/" }, { "show", "a", "--container", "/" },
		{ "show", "--container", "c" }, { "release", "a", "--timeout-ms", "-1" },
		{ "call" }, { "call", "X", "[]" }, { "call", "X", "{" }, { "call", "X", "{}", "y" },
		{ "call", "X", "--more", "--oneway" },
		{ "--timeout", "x", "list" }, { "--timeout", "5m", "list" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		int status = run_on(NULL, lines[i]);

		if (status != 2 || !output[0])
			fail_msg("case %zu, '%s %s': status %d, said '%s'", i, lines[i][0],
				 lines[i][1] ? lines[i][1] : "", status, output);
	}
}

/* Words end with NULL; what is said has no program's name in front but dmuserctl's. */
static void what_was_meant_is_said(void **state)
{
	static const struct {
		const char *words[8], *said;
	} cases[] = {
		{ { "relase", "a" }, "there is no command 'relase': did you mean 'release'?" },
		{ { "lst" }, "there is no command 'lst': did you mean 'list'?" },
		{ { "frobnicate" }, "there is no command 'frobnicate'\n" },
		{ { "--jsn", "list" }, "dmuserctl has no option '--jsn': did you mean --json?" },
		{ { "create", "a", "--sise=64M" }, "create has no option '--sise': did you mean --size?" },
		{ { "create", "a", "--sise", "64M" }, "create has no option '--sise': did you mean --size?" },
		{ { "create", "a", "-size", "64M" }, "create has no option '-size': did you mean --size?" },
		{ { "create", "a", "-s", "64M" }, "create has no option '-s': did you mean --size?" },
		{ { "create", "a", "-x" }, "create has no option '-x'\n" },
		{ { "create", "--b", "memory" }, "'--b' is the beginning of more than one option" },
		{ { "create", "a", "--size" }, "--size needs a value" },
		{ { "create", "a", "-o" }, "-o needs a value" },
		{ { "list", "--json=1" }, "--json takes no value" },
		{ { "list", "--forc\x1b" }, "list has no option '--forc\\x1b'\n" },
		{ { "create", "a", "path=/x", "--backend", "file" }, "did you mean -o path=/x?" },
		{ { "create", "path=/x" }, "did you mean -o path=/x?" },
		{ { "create", "a", "size=64M" }, "did you mean --size=64M?" },
		{ { "create", "a", "b" }, "create takes no more than 1 argument, and 'b' is one too many" },
		{ { "list", "b" }, "list takes no argument, and 'b' is one\n" },
		{ { "create" }, "create needs NAME\nUsage: dmuserctl create NAME --backend TYPE" },
		{ { "create", "a" }, "--backend is missing" },
		{ { "create", "a" }, "\nUsage: dmuserctl create NAME --backend TYPE" },
		{ { "show" }, "show needs NAME\nUsage: dmuserctl show NAME [OPTION]...\n" },
		{ { "bind" }, "bind needs NAME\nUsage: dmuserctl bind NAME --container ID" },
		{ { "bind", "a" }, "bind needs --container ID and --pid PID\nUsage: " },
		{ { "bind", "a", "--pid", "1" }, "--container is missing" },
		{ { "call" }, "call needs METHOD\nUsage: dmuserctl call METHOD" },
		{ { "release" }, "release needs NAME or --container ID\nUsage: dmuserctl release NAME" },
		{ { "--json" }, "a command is missing\nUsage: dmuserctl [OPTION]... COMMAND" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(run_on(NULL, cases[i].words), 2);
		assert_printed(cases[i].said);
		if (strncmp(output, "dmuserctl: ", strlen("dmuserctl: ")) != 0)
			fail_msg("begins otherwise: %s", output);
		assert_printed("--help'.\n");
	}
}

static void has_no_spawner(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.BackendFailed\",\"parameters\":{\"reason\":\"no process that reads "
		      "requests could be started (Connection reset by peer): start dmuser-spawner, or restart "
		      "dmuserd, which does\"}}", NULL, 0);
	fake_expect_close(s);
}

static void without_the_spawner_it_is_the_service_that_fails(void **state)
{
	assert_int_equal(RUN(has_no_spawner, "ping"), 1);
	assert_printed("dmuserctl: dmuserd can start no process, as its spawner is not there: ");
	assert_null(strstr(output, "the volume's process"));
	assert_printed("volumes that there are live on\n");
	assert_int_equal(RUN(has_no_spawner, "list"), 1);
	assert_null(strstr(output, "the volume's process"));
}

static void every_command_has_its_help(void **state)
{
	static const char *const commands[] = { "create", "list", "show", "bind", "release", "monitor",
						"ping", "call", "introspect" };

	assert_int_equal(RUN(NULL, "--help"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_printed(commands[i]);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char usage[64];

		assert_int_equal(RUN(NULL, commands[i], "--help"), 0);
		snprintf(usage, sizeof(usage), "Usage: dmuserctl %s", commands[i]);
		assert_printed(usage);
	}
	assert_int_equal(RUN(NULL, "--version"), 0);
	assert_printed("dmuserctl ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_sends_what_was_asked_for),
		cmocka_unit_test(backends_are_shown_with_what_they_take),
		cmocka_unit_test(an_option_that_is_a_size_is_given_as_size_is),
		cmocka_unit_test(create_and_bind_hand_over_a_pidfd),
		cmocka_unit_test(create_of_a_degraded_volume_fails),
		cmocka_unit_test(a_lease_ends_when_stdin_closes),
		cmocka_unit_test(list_is_a_table_in_which_nothing_acts),
		cmocka_unit_test(list_has_reasons_only_where_something_is_amiss),
		cmocka_unit_test(list_as_json_is_json),
		cmocka_unit_test(show_says_what_to_do_about_a_degraded_one),
		cmocka_unit_test(show_tells_all_and_escapes_it),
		cmocka_unit_test(an_error_is_a_sentence_a_hint_and_an_exit_code),
		cmocka_unit_test(a_release_that_is_not_over_says_who_is_in_the_way),
		cmocka_unit_test(what_is_in_use_is_released_by_force_only),
		cmocka_unit_test(a_container_without_volumes_is_said_to_have_none),
		cmocka_unit_test(one_container_s_volume_is_shown_and_released_by_both_names),
		cmocka_unit_test(an_error_names_the_option_and_call_s_the_parameter),
		cmocka_unit_test(what_is_no_size_is_said),
		cmocka_unit_test(a_size_that_cannot_be_had_is_answered_alike),
		cmocka_unit_test(monitor_prints_each_event_and_tells_of_the_end),
		cmocka_unit_test(call_calls_anything),
		cmocka_unit_test(introspect_prints_lines),
		cmocka_unit_test(ping_says_that_the_module_is_missing),
		cmocka_unit_test(a_server_that_does_not_answer_is_given_up),
		cmocka_unit_test(the_doctor_follows_nobody_who_calls_himself_dmuserd),
		cmocka_unit_test(no_server_is_unreachable),
		cmocka_unit_test(a_wrong_command_line_never_reaches_the_server),
		cmocka_unit_test(what_was_meant_is_said),
		cmocka_unit_test(without_the_spawner_it_is_the_service_that_fails),
		cmocka_unit_test(every_command_has_its_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
