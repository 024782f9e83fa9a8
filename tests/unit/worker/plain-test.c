// SPDX-License-Identifier: Apache-2.0
/*
 * A backend's own command line: what is wrong with it is said in words, with its own exit status.
 *
 * Usage: worker-plain-test BUILD
 */
#include "tests/unit/worker/test.h"

#include "api/dmuser-worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const char *build;

/* Runs a backend with stdin from nowhere; expects a status, and some words among what it says. */
static void expect(int status, const char *words, const char *type, const char *arguments)
{
	char command[1024], said[8192] = "";
	size_t size;
	int ended;
	FILE *pipe;

	/* Descriptor 4 is closed, as it is for whoever starts this from a shell. */
	snprintf(command, sizeof(command),
		 "timeout 30 %1$s/backends/%2$s/dmuser-backend-%2$s %3$s 2>&1 </dev/null 4<&-",
		 build, type, arguments);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	size = fread(said, 1, sizeof(said) - 1, pipe);
	said[size] = '\0';
	ended = pclose(pipe);
	if (!strstr(said, words))
		fail_msg("'%s' does not say '%s' but: %s", arguments, words, said);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), status);
}

static void without_arguments_it_says_what_it_needs(void **state)
{
	expect(DMUSER_EXIT_USAGE, "--channel and --size are needed", "memory", "");
}

static void help_names_the_backends_options(void **state)
{
	expect(DMUSER_EXIT_OK, "path=PATH", "file", "--help");
	expect(DMUSER_EXIT_OK, "Usage: dmuser-backend-memory", "memory", "--help");
}

static void nonsense_is_named(void **state)
{
	static const char *const wrong[][2] = {
		{ "--size 12junk", "'12junk' is no number of bytes" },
		{ "--size -1", "'-1' is no number of bytes" },
		{ "--size 99999999999999999999999", "is no number of bytes" },
		{ "--size 0 --channel /dev/null", "are needed" },
		{ "--szie 4096 --channel /dev/null", "--help tells the options" },
		{ "--size 1000 --channel /dev/null", "not a multiple of the block size" },
		{ "--size 4096 --channel /dev/null --block-size 1000", "--block-size: 512, 1024" },
		{ "--size 4096 --channel /dev/null more", "'more': what is that?" },
		{ "--option path", "'path' is not NAME=VALUE" },
		{ "--no-such-option", "no-such-option" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect(DMUSER_EXIT_USAGE, wrong[i][1], "memory", wrong[i][0]);
}

static void options_that_the_backend_does_not_have_are_refused(void **state)
{
	expect(DMUSER_EXIT_SETUP, "there is no 'colour'", "memory",
	       "--channel /dev/null --size 4096 --option colour=red");
}

static void a_missing_option_is_named(void **state)
{
	expect(DMUSER_EXIT_SETUP, "--option path=", "file", "--channel /dev/null --size 4096");
}

static void a_missing_image_is_named(void **state)
{
	expect(DMUSER_EXIT_SETUP, "/no/such/image: No such file", "file",
	       "--channel /dev/null --size 4096 --option path=/no/such/image");
}

static void a_missing_channel_is_named(void **state)
{
	expect(DMUSER_EXIT_SETUP, "/no/such/node: No such file", "memory",
	       "--channel /no/such/node --size 4096");
}

/* /dev/null ends at once, which no channel does. */
static void what_is_no_channel_ends_with_its_status(void **state)
{
	expect(DMUSER_EXIT_CHANNEL_READ, "reading the channel", "memory",
	       "--channel /dev/null --size 4096");
	expect(DMUSER_EXIT_CHANNEL_READ, "unconfined, serving /dev/null", "memory",
	       "--channel /dev/null --size 4096");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_arguments_it_says_what_it_needs),
		cmocka_unit_test(help_names_the_backends_options),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(options_that_the_backend_does_not_have_are_refused),
		cmocka_unit_test(a_missing_option_is_named),
		cmocka_unit_test(a_missing_image_is_named),
		cmocka_unit_test(a_missing_channel_is_named),
		cmocka_unit_test(what_is_no_channel_ends_with_its_status),
	};

	if (argc != 2) {
		fprintf(stderr, "Usage: %s BUILD\n", argv[0]);
		return 2;
	}
	build = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
