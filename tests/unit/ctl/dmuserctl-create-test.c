// SPDX-License-Identifier: Apache-2.0
/*
 * create, bind and backends: what is sent of what was asked for, which options and sizes there are,
 * and how those that cannot be had are answered.
 */
#include "cmocka-all.h"
#include "ctl-run.h"
#include "util/cleanup.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKENDS                                                                                   \
	"{\"backends\":[{\"type\":\"file\",\"summary\":\"In a file\",\"profile\":\"file\","        \
	"\"size_min\":4096,\"size_max\":1099511627776,\"resources\":[\"file\"],\"options\":["      \
	"{\"name\":\"path\",\"summary\":\"The image\",\"kind\":\"string\",\"required\":true,"      \
	"\"min\":2,\"max\":4095,\"opens\":\"file\"},"                                              \
	"{\"name\":\"depth\",\"summary\":\"How deep\",\"kind\":\"integer\",\"required\":false,"    \
	"\"min\":1,\"max\":9},"                                                                    \
	"{\"name\":\"start\",\"summary\":\"Where\",\"kind\":\"size\",\"required\":false,"          \
	"\"min\":0,\"max\":1099511627776},"                                                        \
	"{\"name\":\"word\",\"summary\":\"A word\",\"kind\":\"string\",\"required\":false}]},"     \
	"{\"type\":\"odd\",\"summary\":\"\\u001b[2J\",\"profile\":\"odd\",\"size_min\":512,"       \
	"\"size_max\":9223372036854775807,\"resources\":[],\"options\":[],"                        \
	"\"missing\":\"/no/odd.bpf\"}],"                                                           \
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

static void one_backend_is_all_that_json_tells_of(void **state)
{
	assert_int_equal(RUN(takes_list_backends, "--json", "backends"), 0);
	assert_printed("\"file\"");
	assert_printed("\"bad\"");
	assert_int_equal(RUN(takes_list_backends, "--json", "backends", "odd"), 0);
	assert_printed("\"odd\"");
	assert_printed("\"rejected\"");
	assert_null(strstr(output, "\"file\""));
	assert_null(strstr(output, "bad"));
	assert_int_equal(RUN(takes_list_backends, "backends", "--json", "bad"), 0);
	assert_printed("bad.json");
	assert_null(strstr(output, "odd"));
	assert_int_equal(RUN(takes_list_backends, "--json", "backends", "none"), 1);
	assert_string_equal(output, "dmuserctl: no backend 'none' is installed\n"
				    "  hint: 'dmuserctl backends' lists those that are\n");
}

static void does_not_take_that_name(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
		      "{\"parameter\":\"backend\"}}", NULL, 0);
	takes_list_backends(s);
}

static void a_backend_in_large_letters_is_known_for_what_it_is(void **state)
{
	assert_int_equal(RUN(does_not_take_that_name, "create", "a", "--backend", "FILE"), 1);
	assert_string_equal(output, "dmuserctl: no backend 'FILE' is installed\n"
				    "  hint: did you mean 'file'? Installed are: file, odd\n");
	assert_int_equal(RUN(takes_list_backends, "backends", "FILE"), 1);
	assert_printed("  hint: did you mean 'file'? 'dmuserctl backends' lists those that are\n");
	assert_int_equal(RUN(takes_list_backends, "backends", "bda"), 1);
	assert_printed("did you mean 'bad'?");
}

static void has_no_such_option(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidOption\",\"parameters\":{\"option\":\"detph\","
		      "\"reason\":\"backend file has no such option\"}}", NULL, 0);
	takes_list_backends(s);
}

static void an_option_that_is_mistyped_is_met_with_the_one_that_was_meant(void **state)
{
	assert_int_equal(RUN(has_no_such_option, "create", "a", "--backend", "file", "-o",
			     "path=/x", "-o", "detph=2"),
			 1);
	assert_string_equal(output, "dmuserctl: -o detph=2 cannot be taken: backend file has no "
				    "such option\n"
				    "  hint: did you mean -o depth? It has: path, depth, start, "
				    "word\n");
}

/* It is asked nothing after that. */
static void has_no_such_file(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidOption\",\"parameters\":{\"option\":\"path\","
		      "\"reason\":\"cannot open /srv/it has no such option: No such file or "
		      "directory\"}}", NULL, 0);
	fake_expect_close(s);
}

static void what_a_path_has_in_it_is_no_mistyped_option(void **state)
{
	assert_int_equal(RUN(has_no_such_file, "create", "a", "--backend", "file", "-o",
			     "path=/srv/it has no such option"), 1);
	assert_null(strstr(output, "did you mean"));
}

static void takes_create(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Create\","
			    "\"parameters\":{\"backend\":\"memory\",\"size_bytes\":67108864,"
			    "\"options\":{\"k\":\"v=w\"},\"block_size\":4096,\"read_only\":true,"
			    "\"name\":\"a\",\"keep\":true}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME ",\"created\":true}}", NULL, 0);
	fake_expect_close(s);
}

static void create_sends_what_was_asked_for(void **state)
{
	assert_int_equal(RUN(takes_create, "create", "a", "--backend", "memory", "--size", "64M",
			     "-o", "k=v=w", "--block-size", "4096", "--read-only"),
			 0);
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
	assert_int_equal(RUN(takes_sizes_in_bytes, "create", "a", "--backend", "file", "-o",
			     "start=4K", "-o", "word=8M", "-o", "depth=2K"),
			 0);
	assert_int_equal(RUN(takes_digits_at_once, "create", "a", "--backend", "file", "-o",
			     "start=4096"),
			 0);
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
	assert_int_equal(RUN(takes_create_with_pidfd, "create", "a", "--backend", "memory",
			     "--size", "1M", "--container", "c1", "--pid", pid),
			 0);
	assert_printed("a: exists already");
	assert_int_equal(RUN(takes_create_with_pidfd, "bind", "a", "--container", "c1", "--pid",
			     pid),
			 0);
}

static void has_a_degraded_volume(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volume\":{\"name\":\"a\",\"state\":\"degraded\","
		   "\"error\":\"the worker was killed\",\"size_bytes\":1048576},"
		   "\"created\":false}}",
		   NULL, 0);
	fake_expect_close(s);
}

static void create_of_a_degraded_volume_fails(void **state)
{
	assert_int_equal(RUN(has_a_degraded_volume, "create", "a", "--backend", "memory", "--size",
			     "1M"), 1);
	assert_null(strstr(output, "exists already"));
	assert_printed("degraded, and its I/O fails: the worker was killed");
	assert_printed("hint: unmount it if it is mounted; dmuserctl release a, then create it "
		       "again\n");
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

static void refuses_the_size(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
		      "\"parameter\":\"size_bytes\"}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void refuses_nine_terabytes(int s)
{
	const char *call;

	fake_expect_text(s, "{\"method\":\"io.dmuser.ListBackends\"}");
	fake_reply(s, "{\"parameters\":" BACKENDS "}", NULL, 0);
	call = fake_expect_call(s, NULL, NULL);
	if (!strstr(call, "\"start\":\"9895604649984\""))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"error\":\"io.dmuser.InvalidOption\",\"parameters\":{\"option\":\"start\","
		      "\"reason\":\"must be from 0 to 1099511627776\"}}", NULL, 0);
	fake_expect_close(s);
}

static void what_is_refused_is_shown_as_it_was_written(void **state)
{
	assert_int_equal(RUN(refuses_nine_terabytes, "create", "a", "--backend", "file", "-o",
			     "start=9T"),
			 1);
	assert_printed("dmuserctl: -o start=9T cannot be taken: must be from 0 to 1099511627776\n");
}

static void has_another_size(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.SpecificationMismatch\","
		      "\"parameters\":{\"name\":\"a\",\"field\":\"size_bytes\"}}", NULL, 0);
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME "}}", NULL, 0);
	fake_expect_close(s);
}

static void a_volume_that_differs_is_asked_how(void **state)
{
	assert_int_equal(RUN(has_another_size, "create", "a", "--backend", "memory", "--size",
			     "1M"),
			 1);
	assert_printed("with another --size: it has 64M, and 1M was asked for\n");
}

static char image[64];

static void makes_it_in_the_image(int s)
{
	char text[1024];

	fake_expect_call(s, NULL, NULL);
	snprintf(text, sizeof(text), "{\"parameters\":{\"created\":true,\"volume\":{\"name\":\"a\","
		 "\"state\":\"active\",\"options\":{\"path\":\"%s\"},"
		 "\"size_bytes\":1048576}}}", image);
	fake_reply(s, text, NULL, 0);
	fake_expect_close(s);
}

static void an_image_that_outgrows_its_file_system_is_noted(void **state)
{
	char option[80];
	int fd;

	strcpy(image, "/tmp/dmuser-image-XXXXXX");
	fd = mkstemp(image);
	assert_true(fd >= 0);
	snprintf(option, sizeof(option), "path=%s", image);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(RUN(makes_it_in_the_image, "create", "a", "--backend", "file", "-o",
			     option),
			 0);
	assert_null(strstr(output, "note:"));
	/* More than any file system that is met here has. */
	assert_int_equal(ftruncate(fd, INT64_C(1) << 43), 0);
	assert_int_equal(RUN(makes_it_in_the_image, "create", "a", "--backend", "file", "-o",
			     option),
			 0);
	assert_printed("dmuserctl: note: /tmp/dmuser-image-");
	assert_printed("is a sparse file that can grow by 8.0T, and its file system has ");
	unlink(image);
	close(fd);
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
		assert_int_equal(RUN(NULL, "create", "a", "--backend", "m", "--size",
				     cases[i].size),
				 2);
		assert_printed(cases[i].said);
		assert_null(strstr(output, "size_bytes"));
	}
}

#define TOO_SMALL "and the smallest that backend file serves has 4096"

static void says_that_it_is_too_small(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s,
		   "{\"error\":\"io.dmuser.InvalidSize\",\"parameters\":{\"reason\":\"the "
		   "volume has 512 bytes, " TOO_SMALL "\",\"min\":4096,\"max\":1099511627776}}",
		   NULL, 0);
	fake_expect_close(s);
}

/*
 * Whether it is no whole number of blocks, or one of too few: the same words, the same sizes, the
 * same end.
 */
static void a_size_that_cannot_be_had_is_answered_alike(void **state)
{
	static const struct {
		const char *size, *block_size, *said;
	} cases[] = {
		{ "100", "512",
		  "the volume has 100 bytes, " TOO_SMALL "\n"
		  "  hint: sizes from 4K to 1T can be, in multiples of the block "
		  "size (512 bytes); nearest to 100: 4K\n" },
		{ "1000000", "512", "1000000 bytes are no multiple of the block size, 512\n" },
		{ "1000000", "512", "nearest to 1000000: 999936 and 1000448\n" },
		{ "5K", "4096", "(4096 bytes); nearest to 5K: 4K and 8K\n" },
		{ "9223372036854775807", "512",
		  "the largest that backend file serves has 1099511627776\n" },
		{ "9223372036854775807", "512", "nearest to 9223372036854775807: 1T\n" },
	};

	assert_int_equal(RUN(says_that_it_is_too_small, "create", "a", "--backend", "file",
			     "--size", "512"),
			 1);
	assert_string_equal(output, "dmuserctl: that size cannot be had: the volume has 512 "
				    "bytes, " TOO_SMALL
				    "\n  hint: sizes from 4K to 1T can be, in multiples of the "
				    "block size (512 bytes); nearest to 512: 4K\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(RUN(takes_list_backends, "create", "a", "--backend", "file",
				     "--size", cases[i].size, "--block-size", cases[i].block_size),
				 1);
		assert_printed("dmuserctl: that size cannot be had: ");
		assert_printed(cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_sends_what_was_asked_for),
		cmocka_unit_test(backends_are_shown_with_what_they_take),
		cmocka_unit_test(one_backend_is_all_that_json_tells_of),
		cmocka_unit_test(a_backend_in_large_letters_is_known_for_what_it_is),
		cmocka_unit_test(an_option_that_is_mistyped_is_met_with_the_one_that_was_meant),
		cmocka_unit_test(what_a_path_has_in_it_is_no_mistyped_option),
		cmocka_unit_test(an_option_that_is_a_size_is_given_as_size_is),
		cmocka_unit_test(create_and_bind_hand_over_a_pidfd),
		cmocka_unit_test(create_of_a_degraded_volume_fails),
		cmocka_unit_test(a_lease_ends_when_stdin_closes),
		cmocka_unit_test(an_error_names_the_option_and_call_s_the_parameter),
		cmocka_unit_test(what_is_refused_is_shown_as_it_was_written),
		cmocka_unit_test(a_volume_that_differs_is_asked_how),
		cmocka_unit_test(an_image_that_outgrows_its_file_system_is_noted),
		cmocka_unit_test(what_is_no_size_is_said),
		cmocka_unit_test(a_size_that_cannot_be_had_is_answered_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
