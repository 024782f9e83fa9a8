/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of random numbers. Each thread has one of its own, which follows from the program's seed
 * and the thread's place alone: so a seed gives each thread the same decisions again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t state;
};

/* Who draws from it: a role, in the target of that number, the thread of that number. */
enum prng_role {
	PRNG_HONEST,
	PRNG_HOSTILE,
	PRNG_SUBMITTER,
	PRNG_CONTROLLER,
	PRNG_MESSENGER,
	PRNG_FAULTS,
};

struct prng prng_new(uint64_t seed, enum prng_role role, unsigned target, unsigned index);
uint64_t prng_next(struct prng *p);
/* 0 to n - 1; n is not 0 */
uint64_t prng_below(struct prng *p, uint64_t n);
bool prng_one_in(struct prng *p, uint64_t n);
/* Favours the small: 0 to n - 1, each power of two as likely as the next. */
uint64_t prng_small(struct prng *p, uint64_t n);
