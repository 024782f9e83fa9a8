/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On what machine, for whom, and of what call an error is explained: nobody is told to do what
 * cannot be done here, and everybody in the words that he used.
 *
 * Looks at this process's uid, for a group and at a few paths; changes nothing.
 */
#pragma once

#include "ctl/parameter.h"

#include <stdbool.h>

struct inquiry;
struct json_object;

struct circumstances {
	bool is_root;
	bool has_unit;  /* systemd runs, and dmuserd.service is installed */
	bool has_group; /* there is a group dmuser */
	enum parameter_words words;
	/*
	 * What was asked for, where options or an annotation said it. NULL: not known. Not owned.
	 */
	struct json_object *request;
	const char *command;         /* of dmuserctl, such as "show"; NULL: none */
	const struct inquiry *found; /* what else is known; NULL: nothing. Not owned */
};

void circumstances_read(struct circumstances *ret);

/* The same below another root directory, which tests make. */
bool circumstances_find_unit(const char *root);

/* Where dmuserd's messages are: half a sentence. */
const char *circumstances_log(const struct circumstances *c);
