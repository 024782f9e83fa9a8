/* SPDX-License-Identifier: Apache-2.0 */
/* Which word of a list was probably meant by one that is not in it, whatever its case. Pure. */
#pragma once

#include <stddef.h>

/*
 * Begin with { .word = … }, offer the list, take `best`: NULL if none is near enough to be named.
 */
struct nearest {
	const char *word;
	const char *best;
	size_t distance, n_begin_with_it;
};

/* candidate lives as long as the struct is used. */
void nearest_offer(struct nearest *n, const char *candidate);
