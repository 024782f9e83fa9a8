// SPDX-License-Identifier: Apache-2.0
/*
 * A stream of random numbers: a counter with a large odd step, whose values are mixed. Any two
 * streams are at different places of it.
 */
#include "prng.h"

#define STEP 0x9e3779b97f4a7c15

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

struct prng prng_new(uint64_t seed, enum prng_role role, unsigned target, unsigned index)
{
	uint64_t place = (uint64_t)role << 32 | target << 16 | index;

	return (struct prng){ mix(mix(seed + STEP) ^ mix(place + 1)) };
}

uint64_t prng_next(struct prng *p)
{
	p->state += STEP;
	return mix(p->state);
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
	return prng_next(p) % n;
}

bool prng_one_in(struct prng *p, uint64_t n)
{
	return prng_below(p, n) == 0;
}

uint64_t prng_small(struct prng *p, uint64_t n)
{
	unsigned bits = 64 - __builtin_clzll(n | 1);

	return prng_below(p, 1ULL << prng_below(p, bits + 1)) % n;
}
