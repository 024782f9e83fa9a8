/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a JSON text something is: "container.pidfd", "options[2].min". What a refusal names.
 *
 * Owns one fixed-size string that is always NUL-terminated, valid UTF-8 and free of control
 * characters, whatever the keys hold that are put into it; what does not fit is cut between two
 * characters.
 */
#pragma once

#include "dmuserd/messages/parser.h"

#include <stddef.h>
#include <stdint.h>

struct path {
	char text[PARSER_TEXT_SIZE];
	size_t len;
	unsigned int depth; /* keys and indices in it, also those that no longer fitted */
};

/* A place to come back to. */
struct path_mark {
	size_t len;
	unsigned int depth;
};

struct path_mark path_add_key(struct path *path, const char *key, size_t size);
struct path_mark path_add_index(struct path *path, size_t index);
void path_back(struct path *path, struct path_mark mark);
/* Empties it. */
void path_clear(struct path *path);

/* Copies a string into a refusal's text by the same rules. */
void path_copy_text(char ret_text[static PARSER_TEXT_SIZE], const char *from);
