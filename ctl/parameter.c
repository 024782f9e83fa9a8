// SPDX-License-Identifier: Apache-2.0
/* What the interface's parameters are called on dmuserctl's command line; see parameter.h. */
#include "ctl/parameter.h"
#include "util/cleanup.h"

#include <stdbool.h>
#include <string.h>

/* A member of a parameter comes before the parameter. */
static const struct {
	const char *path, *option;
} names[] = {
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
	{ "name", "NAME" },
	{ "interface", "INTERFACE" },
};

/* The parameter itself, or something in it. */
static bool is_within(const char *path, const char *parameter)
{
	size_t length = strlen(parameter);

	return strncmp(path, parameter, length) == 0 &&
	       (path[length] == 0 || path[length] == '.' || path[length] == '[');
}

const char *parameter_option(const char *path)
{
	if (strncmp(path, "parameters.", strlen("parameters.")) == 0)
		path += strlen("parameters.");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (is_within(path, names[i].path))
			return names[i].option;
	return NULL;
}
