/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message that says no to a client, in the forms that the supervisor knows.
 */
#pragma once

#include "dmuserd/parser/path.h"

#include <stdbool.h>

/* Turns *message into a refusal; only its flags survive. text may be NULL where none belongs. */
void refusal_write(struct parser_message *message, enum parser_refusal refusal, bool fatal,
		   const char *text);

/* Of the parameter at a place; of the syntax, and fatal, if the place has no name. */
void refusal_write_place(struct parser_message *message, bool fatal, const struct path *place);
