// SPDX-License-Identifier: Apache-2.0
/*
 * dmuserctl: the command line to dmuserd.
 *
 * It has the caller's powers and needs none of its own: what may be done is decided at the other
 * end of the socket. It prints to stdout what was asked for, and to stderr what went wrong. This
 * file finds the command; a command is a file of its own.
 */
#include "config.h"
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/nearest.h"

#include <signal.h>
#include <string.h>

static const struct command *const commands[] = {
	&command_create, &command_list, &command_show, &command_bind, &command_release,
	&command_monitor, &command_backends, &command_ping, &command_call, &command_introspect,
	&command_doctor,
};

#define USAGE "Usage: dmuserctl [OPTION]... COMMAND [ARGUMENT]...\n\n"

static void print_help(void)
{
	puts(USAGE "Makes, shows and ends block volumes that are served by confined processes.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-16s%s\n", commands[i]->name, commands[i]->summary);
	puts("\n"
	     "  --address PATH  dmuserd's socket (default: $DMUSER_ADDRESS, or "
	     "/run/dmuser/io.dmuser)\n"
	     "  --timeout TIME  wait so long for a reply: 30 or 30s (default), 500ms, infinity\n"
	     "  --json          print replies as JSON\n"
	     "  --help          this text, or a command's own: dmuserctl COMMAND --help\n"
	     "  --version\n"
	     "\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage, 3 dmuserd is not there, 4 not allowed, "
	     "5 no such\n"
	     "volume, 6 timed out, 7 in use. See dmuserctl(8).");
}

static int no_command(struct context *context, int argc, char **argv)
{
	return usage_missing(context, "a command is missing");
}

/* What other programs call it. NULL: nothing that is here. */
static const char *find_synonym(const char *word)
{
	static const struct {
		const char *word, *meant;
	} synonyms[] = {
		{ "new", "create" },	 { "add", "create" },	  { "make", "create" },
		{ "ls", "list" },	 { "status", "show" },	  { "info", "show" },
		{ "inspect", "show" },	 { "describe", "show" },  { "rm", "release" },
		{ "remove", "release" }, { "delete", "release" }, { "destroy", "release" },
		{ "watch", "monitor" },	 { "check", "doctor" },	  { "help", "--help" },
		{ "version", "--version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
		if (strcmp(word, synonyms[i].word) == 0)
			return synonyms[i].meant;
	return NULL;
}

static int unknown_command(const struct context *context, const char *word)
{
	const char *synonym = find_synonym(word);
	struct nearest nearest = { .word = word };
	char escaped[128];

	escape_text(word, escaped, sizeof(escaped));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		nearest_offer(&nearest, commands[i]->name);
	if (synonym)
		return usage_error(context, "there is no command '%s': did you mean '%s'?", escaped,
				   synonym);
	if (nearest.best && nearest.n_begin_with_it <= 1)
		return usage_error(context, "there is no command '%s': did you mean '%s'?", escaped,
				   nearest.best);
	return usage_error(context, "there is no command '%s'", escaped);
}

static int version_shown(void)
{
	puts("dmuserctl " DMUSER_VERSION);
	return EXIT_DONE;
}

/* Options before the command. -1: go on; otherwise the exit code. */
static int take_options(struct context *context, int argc, char **argv)
{
	static const struct option options[] = {
		{ "version", no_argument, NULL, 'v' },
		COMMON_OPTIONS,
	};
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "+h", options)) >= 0) {
		if (option == 'v')
			return version_shown();
		if (option == 'h') {
			print_help();
			return EXIT_DONE;
		}
		r = context_option(context, option);
	}
	return r;
}

int main(int argc, char **argv)
{
	static const struct command none = { "", "", USAGE, no_command };
	struct context context = { .command = &none, .timeout_ms = DEFAULT_TIMEOUT_MS };
	int r;

	/* A reader that has gone is found by the write that fails. */
	signal(SIGPIPE, SIG_IGN);
	r = take_options(&context, argc, argv);
	if (r >= 0)
		return r;
	argc -= optind;
	argv += optind;
	optind = 0; /* getopt starts anew, also inside */
	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[0], commands[i]->name) == 0)
			context.command = commands[i];
	if (argc > 0 && context.command == &none)
		return unknown_command(&context, argv[0]);
	r = context.command->run(&context, argc, argv);
	dmuser_connection_free(context.connection);
	if (fflush(stdout) != 0 && r == EXIT_DONE)
		r = EXIT_FAILED;
	return r;
}
