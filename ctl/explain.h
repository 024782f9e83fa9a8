/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something failed, in a sentence, and what to do next.
 *
 * Pure: it takes an error of the service or an errno and gives words and an exit code. What came from the
 * service is escaped.
 */
#pragma once

#include "ctl/exit-code.h"

#include <stddef.h>

struct json_object;

struct explanation {
	enum exit_code exit_code;
	char sentence[1024];
	char hint[512]; /* empty: there is nothing to be advised */
};

/* An error reply: its name and its parameters. */
void explain_reply(const char *error, struct json_object *parameters, struct explanation *ret);

/* A call that got no reply: a negative errno of libdmuser. address NULL: the default. */
void explain_call_errno(int error, const char *address, struct explanation *ret);
