/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of other people for a terminal: nothing in it can move the cursor, change colours or reorder
 * what is shown.
 *
 * Control characters (C0, DEL, C1), characters that change the direction of text, and bytes that
 * are no UTF-8 come out as \x1b or \u202e; a backslash comes out as two.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct json_object;

/* Writes text, escaped and NUL-terminated, cut at a whole character to fit. Returns out. */
char *escape_text(const char *text, char *out, size_t out_size);

/* Writes JSON in which the same characters are JSON's own escapes. pretty: over several lines. */
void escape_json(FILE *file, struct json_object *object, int pretty);
