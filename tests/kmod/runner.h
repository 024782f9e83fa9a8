/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of cases: `--list` prints their names, one a line; a name runs that one, and the
 * program exits with 0, with 77 if it cannot run here, or with what went wrong on stderr.
 */
#pragma once

#include <sys/types.h>

#include "case.h"

/**
 * struct runner - such a program
 * @program:	its name, for the usage
 * @groups:	its cases, to NULL
 * @deadline_s:	of a case: only a hang gets there
 * @prepare:	called in the case's process first; may be NULL
 * @fail_io:	what the case's process has submitted is to fail. A case that fails or hangs may leave
 *		I/O behind that nobody serves, and could not even die
 */
struct runner {
	const char *program;
	const struct test_case *const *groups;
	unsigned deadline_s;
	void (*prepare)(void);
	void (*fail_io)(pid_t child);
};

int runner_main(const struct runner *r, int argc, char **argv);
