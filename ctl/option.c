// SPDX-License-Identifier: Apache-2.0
/*
 * One option of a command line after the other; see context_next_option() in command.h.
 *
 * getopt_long() finds them. What it finds wrong is said here, with the option that was probably
 * meant, because what it says itself begins with the command for a program's name and ends there.
 */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/nearest.h"

#include <string.h>

#define WORD_SIZE 128

/* The long option that has this value; NULL if there is none. */
static const struct option *find_option(const struct option *options, int value)
{
	for (; options->name; options++)
		if (options->val == value)
			return options;
	return NULL;
}

/* "--json=1", where --json takes nothing: optopt is its value, as it is a short option's letter. */
static bool is_value_too_many(const struct option *options, const char *word)
{
	const struct option *option = find_option(options, optopt);

	return option && option->has_arg == no_argument && strncmp(word, "--", 2) == 0 &&
	       strchr(word, '=') && strncmp(option->name, word + 2, strcspn(word + 2, "=")) == 0;
}

/*
 * The word in which getopt_long() found what it does not know. A group of letters such as -xyz is
 * left behind only when its last one was looked at.
 */
static const char *refused_word(char **argv, const struct option *options)
{
	const char *passed = argv[optind - 1], letter[] = { '-', (char)optopt, 0 };

	if (optopt == 0 || strcmp(passed, letter) == 0 || is_value_too_many(options, passed))
		return passed;
	return argv[optind] ? argv[optind] : passed;
}

/* The option's name alone, escaped: of "--size=4K" the first part. */
static void copy_name(const char *word, char out[static WORD_SIZE])
{
	char name[WORD_SIZE];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	escape_text(name, out, WORD_SIZE);
}

/* Whether there is -o KEY=VALUE. */
static bool takes_backend_options(const struct option *options)
{
	const struct option *o = find_option(options, 'o');

	return o && strcmp(o->name, "option") == 0;
}

static int refuse_unknown(const struct context *context, const struct option *options,
			  const char *word)
{
	const char *command = context->command->name;
	char name[WORD_SIZE], sought[WORD_SIZE];
	struct nearest nearest = { .word = sought };

	copy_name(word, name);
	snprintf(sought, sizeof(sought), "%s", name + strspn(name, "-"));
	for (const struct option *o = options; o->name; o++)
		nearest_offer(&nearest, o->name);
	if (nearest.n_begin_with_it > 1 && strncmp(name, "--", 2) == 0)
		usage_error(context, "'%s' is the beginning of more than one option", name);
	else if (nearest.best)
		usage_error(context, "%s has no option '%s': did you mean --%s?",
			    command[0] ? command : "dmuserctl", name, nearest.best);
	else if (strncmp(name, "--", 2) == 0 && strchr(word, '=') && takes_backend_options(options))
		usage_error(context,
			    "%s has no option '%s': one of the backend is given as -o %s=VALUE",
			    command, name, sought);
	else
		usage_error(context, "%s has no option '%s'", command[0] ? command : "dmuserctl",
			    name);
	return '?';
}

int context_next_option(const struct context *context, int argc, char **argv, const char *shorts,
			const struct option *options)
{
	bool stops = shorts[0] == '+';
	char quiet[32], name[WORD_SIZE];
	int option;

	/* The colon tells a value that is missing from an option that is unknown. */
	snprintf(quiet, sizeof(quiet), "%s:%s", stops ? "+" : "", shorts + stops);
	opterr = 0;
	option = getopt_long(argc, argv, quiet, options, NULL);
	if (option == ':') {
		copy_name(argv[optind - 1], name);
		usage_error(context, "%s needs a value", name);
		return '?';
	}
	if (option != '?')
		return option;
	if (is_value_too_many(options, argv[optind - 1])) {
		copy_name(argv[optind - 1], name);
		usage_error(context, "%s takes no value", name);
		return '?';
	}
	return refuse_unknown(context, options, refused_word(argv, options));
}
