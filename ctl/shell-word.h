/* SPDX-License-Identifier: Apache-2.0 */
/* A text as one word for a shell, for advice that can be typed. */
#pragma once

#include <limits.h>
#include <stddef.h>

/* For any path: a quote in it becomes four bytes, and two are around it. */
#define SHELL_WORD_SIZE (4 * PATH_MAX + 3)

/* Returns out. Not escaped for the terminal: whoever prints it does that. */
char *shell_word(const char *text, char *out, size_t size);
