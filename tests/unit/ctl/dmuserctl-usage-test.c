// SPDX-License-Identifier: Apache-2.0
/*
 * The command line itself: what is wrong with one is said before the server is asked, with what was
 * meant, and each command has its help.
 */
#include "cmocka-all.h"
#include "ctl-run.h"
#include "util/cleanup.h"

#include <stdio.h>
#include <string.h>

static void a_wrong_command_line_never_reaches_the_server(void **state)
{
	static const char *const lines[][12] = {
		{ "" },
		{ "frobnicate" },
		{ "--frobnicate", "list" },
		{ "list", "x" },
		{ "list", "--frobnicate" },
		{ "show" },
		{ "show", "a", "b" },
		{ "show", "../x" },
		{ "show", "" },
		{ "show", "/" },
		{ "show", "a\x1b" },
		{ "show", "a", "--owner", "no-such-user" },
		{ "show", "a", "--owner", "-1" },
		{ "show", "a", "--owner", "4294967295" },
		{ "create", "a" },
		{ "create", "--backend", "memory" },
		{ "create", "a", "--backend", "m", "--size", "0" },
		{ "create", "a", "--backend", "m", "--size", "1MB" },
		{ "create", "a", "--backend", "m", "--size", "-5" },
		{ "create", "a", "--backend", "m", "--size", "99999999999999999999" },
		{ "create", "a", "--backend", "m", "--block-size", "513" },
		{ "create", "a", "--backend", "m", "--block-size", "8192" },
		{ "create", "a", "--backend", "m", "-o", "novalue" },
		{ "create", "a", "--backend", "m", "-o", "=x" },
		{ "create", "a", "--backend", "m", "-o", "path=" },
		{ "--timeout", "0s", "list" },
		{ "release", "a", "--timeout", "0" },
		{ "create", "a", "--backend", "m", "-o", "K=x" },
		{ "create", "a", "--backend", "m", "-o", "k=x", "-o", "k=y" },
		{ "create", "a", "--backend", "m", "--container", "c" },
		{ "create", "a", "--backend", "m", "--pid", "1" },
		{ "create", "a", "--backend", "m", "--container", "../c", "--pid", "1" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "0" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "1x" },
		{ "create", "a", "--backend", "m", "--container", "c", "--pid", "1", "--lease" },
		{ "bind", "a" },
		{ "bind", "a", "--container", "c" },
		{ "release" },
		{ "release", "a", "b", "--container", "c" },
		{ "release", "--container", "/" },
		{ "show", "a", "--container", "/" },
		{ "show", "--container", "c" },
		{ "release", "a", "--timeout-ms", "-1" },
		{ "call" },
		{ "call", "X", "[]" },
		{ "call", "X", "{" },
		{ "call", "X", "{}", "y" },
		{ "call", "X", "--more", "--oneway" },
		{ "--timeout", "x", "list" },
		{ "--timeout", "5m", "list" },
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
		{ { "ls" }, "there is no command 'ls': did you mean 'list'?" },
		{ { "delete", "a" }, "there is no command 'delete': did you mean 'release'?" },
		{ { "help", "create" }, "there is no command 'help': did you mean '--help'?" },
		{ { "create", "a", "--path=/x" },
		  "create has no option '--path': one of the backend is given as "
		  "-o path=VALUE\n" },
		{ { "create", "a", "--verbose" }, "create has no option '--verbose'\n" },
		{ { "frobnicate" }, "there is no command 'frobnicate'\n" },
		{ { "--jsn", "list" }, "dmuserctl has no option '--jsn': did you mean --json?" },
		{ { "create", "a", "--sise=64M" },
		  "create has no option '--sise': did you mean --size?" },
		{ { "create", "a", "--sise", "64M" },
		  "create has no option '--sise': did you mean --size?" },
		{ { "create", "a", "-size", "64M" },
		  "create has no option '-size': did you mean --size?" },
		{ { "create", "a", "-s", "64M" },
		  "create has no option '-s': did you mean --size?" },
		{ { "create", "a", "-x" }, "create has no option '-x'\n" },
		{ { "create", "--b", "memory" }, "'--b' is the beginning of more than one option" },
		{ { "create", "a", "--size" }, "--size needs a value" },
		{ { "create", "a", "-o" }, "-o needs a value" },
		{ { "list", "--json=1" }, "--json takes no value" },
		{ { "list", "--forc\x1b" }, "list has no option '--forc\\x1b'\n" },
		{ { "create", "a", "path=/x", "--backend", "file" }, "did you mean -o path=/x?" },
		{ { "create", "path=/x" }, "did you mean -o path=/x?" },
		{ { "create", "a", "size=64M" }, "did you mean --size=64M?" },
		{ { "create", "a", "b" },
		  "create takes no more than 1 argument, and 'b' is one too many" },
		{ { "list", "b" }, "list takes no argument, and 'b' is one\n" },
		{ { "create" }, "create needs NAME\nUsage: dmuserctl create NAME --backend TYPE" },
		{ { "create", "a" }, "--backend is missing" },
		{ { "create", "a" }, "\nUsage: dmuserctl create NAME --backend TYPE" },
		{ { "show" }, "show needs NAME\nUsage: dmuserctl show NAME [OPTION]...\n" },
		{ { "bind" }, "bind needs NAME\nUsage: dmuserctl bind NAME --container ID" },
		{ { "bind", "a" }, "bind needs --container ID and --pid PID\nUsage: " },
		{ { "bind", "a", "--pid", "1" }, "--container is missing" },
		{ { "call" }, "call needs METHOD\nUsage: dmuserctl call METHOD" },
		{ { "release" },
		  "release needs NAME or --container ID\nUsage: dmuserctl release NAME" },
		{ { "create", "a", "--backend", "file", "-o", "path=" },
		  "-o path= has no value\n" },
		{ { "list", "--timeout", "0s" },
		  "--timeout takes seconds (30 or 30s) or milliseconds (500ms), "
		  "more than 0 and up to a day, or infinity, not "
		  "'0s'\n" },
		{ { "show", "a", "--owner", "no-such-user" },
		  "--owner takes a user's name or uid, and "
		  "'no-such-user' is none\n" },
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

static void every_command_has_its_help(void **state)
{
	static const char *const commands[] = { "create",  "list", "show", "bind",	"release",
						"monitor", "ping", "call", "introspect" };

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
		cmocka_unit_test(a_wrong_command_line_never_reaches_the_server),
		cmocka_unit_test(what_was_meant_is_said),
		cmocka_unit_test(every_command_has_its_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
