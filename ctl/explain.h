/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something failed, in a sentence, and what to do next.
 *
 * Takes an error of the service or an errno and gives words and an exit code. What came from the
 * service is escaped. Where options of a command line asked, parameters are called what those are.
 * The functions that are given circumstances are pure; the others look them up.
 */
#pragma once

#include "ctl/circumstances.h"
#include "ctl/exit-code.h"

#include <limits.h>
#include <stddef.h>

struct json_object;

struct explanation {
	enum exit_code exit_code;
	/* Room for one path as long as any. */
	char sentence[PATH_MAX + 1024];
	char hint[PATH_MAX + 512]; /* empty: there is nothing to be advised */
};

/* An error reply: its name and its parameters. */
void explain_reply(const char *error, struct json_object *parameters, struct explanation *ret);
void explain_reply_in(const struct circumstances *c, const char *error,
		      struct json_object *parameters, struct explanation *ret);

/* A call that got no reply: a negative errno of libdmuser. address NULL: the default. */
void explain_call_errno(int error, const char *address, struct explanation *ret);
void explain_call_errno_in(const struct circumstances *c, int error, const char *address,
			   struct explanation *ret);
