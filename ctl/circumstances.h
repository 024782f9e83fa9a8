/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On what machine, and for whom, a hint is meant: nobody is told to do what cannot be done here.
 *
 * Looks at this process's uid, for a group and at a few paths; changes nothing.
 */
#pragma once

#include <stdbool.h>

struct json_object;

struct circumstances {
	bool is_root;
	bool has_unit;  /* systemd runs, and dmuserd.service is installed */
	bool has_group; /* there is a group dmuser */
	/*
	 * What was asked, where options of a command line made it: an error is then explained by
	 * those. NULL: the caller knows the interface's own names. Not owned.
	 */
	struct json_object *request;
	/*
	 * What the caller wrote instead of a parameter of that path; NULL from it: nothing of that kind. NULL:
	 * an option, where there is a request, or else the parameter itself.
	 */
	const char *(*name_of)(const char *path);
};

void circumstances_read(struct circumstances *ret);

/* The same below another root directory, which tests make. */
bool circumstances_find_unit(const char *root);

/* Where dmuserd's messages are: half a sentence. */
const char *circumstances_log(const struct circumstances *c);
