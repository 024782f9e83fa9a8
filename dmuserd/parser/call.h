/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Varlink call: the bytes of a message in, the fixed-size message for the supervisor out.
 *
 * What is wrong with the text or the envelope ends the connection, because then nobody can be sure
 * whether the caller waits for an answer; a call of which only the parameters are bad does not.
 * Makes no system call.
 */
#pragma once

#include "dmuserd/parser/text.h"

/*
 * bytes: without the NUL. n_fds: how many descriptors came with it, at most PARSER_FDS_MAX.
 * Always writes a REQUEST or a REFUSAL and returns 0; or -ENOMEM.
 */
int call_parse(struct text *text, const char *bytes, size_t size, size_t n_fds,
	       struct parser_message *ret_message);
