// SPDX-License-Identifier: Apache-2.0
/*
 * What was done, and with which result.
 */
#include "tally.h"

#include <errno.h>
#include <string.h>

#include "arena.h"

#define TALLY_NAME(id, name) name,
static const char *const names[] = { TALLY_KINDS(TALLY_NAME) };

long tally_count(enum tally_kind kind, long result)
{
	int error = result < 0 ? errno : 0;

	arena->tally.counts[kind][error < TALLY_ERRNO_MAX ? error : TALLY_ERRNO_MAX - 1]++;
	if (++arena->operations >= arena->operations_max)
		arena->stop = true;
	return result < 0 ? -error : result;
}

const char *tally_name(enum tally_kind kind)
{
	return names[kind];
}

static void print_kind(FILE *f, const char *name, atomic_ullong *counts)
{
	unsigned long long sum = 0;

	for (int e = 0; e < TALLY_ERRNO_MAX; e++)
		sum += counts[e];
	fprintf(f, "%-26s %10llu:", name, sum);
	for (int e = 0; e < TALLY_ERRNO_MAX; e++) {
		const char *text = e ? strerrorname_np(e) : "ok";

		if (counts[e])
			fprintf(f, " %s %llu", text ? text : "other",
				(unsigned long long)counts[e]);
	}
	fputc('\n', f);
}

void tally_print(FILE *f, struct tally *t)
{
	for (int k = 0; k < TALLY_NR; k++)
		print_kind(f, names[k], t->counts[k]);
}
