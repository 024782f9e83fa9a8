/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8, strictly: no overlong form, no surrogate, nothing beyond U+10FFFF.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Room that one character needs at most. */
#define UTF8_MAX 4

/* How many bytes the character at `at` has, 1 to 4; 0 if no valid one begins there. */
size_t utf8_sequence(const char *at, const char *end);

/* Writes one character that is no surrogate and at most U+10FFFF; returns its bytes. */
size_t utf8_encode(uint32_t character, char ret_bytes[static UTF8_MAX]);
