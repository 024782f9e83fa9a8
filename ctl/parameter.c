// SPDX-License-Identifier: Apache-2.0
/* What the interface's parameters are called; see parameter.h. */
#include "ctl/parameter.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define IN_OPTIONS "options."

struct name {
	const char *path, *is_called;
};

/* A member of a parameter comes before the parameter; the last has no path. */
static const struct name options[] = {
	{ "size_bytes", "--size" },
	{ "block_size", "--block-size" },
	{ "backend", "--backend" },
	{ "options", "-o KEY=VALUE" },
	{ "read_only", "--read-only" },
	{ "keep", "--lease" },
	{ "container.pidfd", "--pid" },
	{ "container", "--container" },
	{ "owner", "--owner" },
	{ "timeout_ms", "--timeout-ms" },
	{ "unless_open", "--force" },
	{ "name", "NAME" },
	{ "interface", "INTERFACE" },
	{},
};

static const struct name keys[] = {
	{ "size_bytes", "size=" },
	{ "block_size", "block_size=" },
	{ "backend", "backend=" },
	{ "options", "an option of the backend" },
	{ "read_only", "read_only=" },
	{ "name", "the volume's name" },
	{},
};

static const struct name none[] = { {} };

static const struct name *const vocabularies[] = {
	[WORDS_OF_INTERFACE] = none,
	[WORDS_OF_COMMAND_LINE] = options,
	[WORDS_OF_ANNOTATION] = keys,
};

/* The parameter itself, or something in it. */
static bool is_within(const char *path, const char *parameter)
{
	size_t length = strlen(parameter);

	return strncmp(path, parameter, length) == 0 &&
	       (path[length] == 0 || path[length] == '.' || path[length] == '[');
}

const char *parameter_word(enum parameter_words words, const char *path,
			   char out[static PARAMETER_WORD_SIZE])
{
	if (strncmp(path, "parameters.", strlen("parameters.")) == 0)
		path += strlen("parameters.");
	if (words != WORDS_OF_INTERFACE && strncmp(path, IN_OPTIONS, strlen(IN_OPTIONS)) == 0) {
		snprintf(out, PARAMETER_WORD_SIZE, words == WORDS_OF_ANNOTATION ? "%s=" : "-o %s",
			 path + strlen(IN_OPTIONS));
		return out;
	}
	for (const struct name *n = vocabularies[words]; n->path; n++) {
		if (!is_within(path, n->path))
			continue;
		snprintf(out, PARAMETER_WORD_SIZE, "%s", n->is_called);
		return out;
	}
	return NULL;
}
