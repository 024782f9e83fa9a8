// SPDX-License-Identifier: Apache-2.0
/* What else the interface's parameters are called; see parameter.h. */
#include "ctl/parameter.h"
#include "util/cleanup.h"

#include <stdbool.h>
#include <string.h>

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

/* The parameter itself, or something in it. */
static bool is_within(const char *path, const char *parameter)
{
	size_t length = strlen(parameter);

	return strncmp(path, parameter, length) == 0 &&
	       (path[length] == 0 || path[length] == '.' || path[length] == '[');
}

static const char *look_up(const struct name *names, const char *path)
{
	if (strncmp(path, "parameters.", strlen("parameters.")) == 0)
		path += strlen("parameters.");
	for (; names->path; names++)
		if (is_within(path, names->path))
			return names->is_called;
	return NULL;
}

const char *parameter_option(const char *path)
{
	return look_up(options, path);
}

const char *parameter_key(const char *path)
{
	return look_up(keys, path);
}
