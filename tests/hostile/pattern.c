// SPDX-License-Identifier: Apache-2.0
/*
 * Which bytes there are.
 */
#include "pattern.h"

#include <stdint.h>
#include <string.h>

static bool uniform(const unsigned char *p, size_t len, unsigned char byte)
{
	return len && p[0] == byte && memcmp(p, p + 1, len - 1) == 0;
}

long pattern_find_foreign(const void *buf, size_t len, bool submitted)
{
	const unsigned char *p = buf;
	size_t odd = 0;

	if (uniform(p, len, PATTERN_HELD) || (submitted && uniform(p, len, PATTERN_SUBMITTED)))
		return -1;
	for (size_t i = 0; i < len; i++) {
		/* a zero tells nothing, and a page that a holder lost and got back is full of them
		 */
		if (p[i] == PATTERN_HELD || p[i] == 0 || (submitted && p[i] == PATTERN_SUBMITTED))
			odd = 0;
		else if (++odd > PATTERN_ODD_MAX)
			return i - PATTERN_ODD_MAX;
	}
	return -1;
}
