// SPDX-License-Identifier: Apache-2.0
/* Which word of a list was probably meant; see nearest.h. */
#include "ctl/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* Longer than any command or option: nobody mistypes those. */
#define WORD_MAX 32

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All that is offered is in small letters. */
static bool is_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/*
 * How many letters must be put in, left out, replaced or swapped with their neighbour to make one
 * of the other. Three rows of the usual table are enough.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1] = {};

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(above[j - 1] + !is_same(a[i - 1], b[j - 1]),
				       1 + least(above[j], row[j - 1]));
			if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) &&
			    is_same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t length = strlen(n->word), d;
	bool begins = length > 0 && strncasecmp(candidate, n->word, length) == 0;

	if (length == 0 || length > WORD_MAX || strlen(candidate) > WORD_MAX)
		return;
	/*
	 * The beginning of one word alone means that word; of two it means neither more than the
	 * other.
	 */
	if (begins && n->n_begin_with_it++ == 0) {
		n->best = candidate;
		n->distance = 0;
		return;
	}
	d = distance(n->word, length, candidate, strlen(candidate));
	/*
	 * A third of its letters, rounded up, may be wrong: otherwise every short word is near to
	 * some.
	 */
	if (d <= (length + 2) / 3 && (!n->best || d < n->distance)) {
		n->best = candidate;
		n->distance = d;
	}
}
