/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes there are. Holders write PATTERN_HELD and headers, submitters PATTERN_SUBMITTED, and
 * a submitter's buffer is full of PATTERN_CANARY before it reads. So anything else that a read
 * yields was somebody else's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_HELD 0xa7
#define PATTERN_SUBMITTED 0x5b
#define PATTERN_CANARY 0xc5

/*
 * Where holders disagree about where an answer begins, headers end up in data. Their numbers are
 * small, and the rest of them is PATTERN_HELD, so what is neither is never longer than this.
 */
#define PATTERN_ODD_MAX 16

/* The offset of the first byte that must not be there, or -1. `submitted`: its bytes may be. */
long pattern_find_foreign(const void *buf, size_t len, bool submitted);
