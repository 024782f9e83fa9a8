// SPDX-License-Identifier: Apache-2.0
/*
 * The channels that a target's hostile threads share.
 */
#include "slots.h"

#include <stdatomic.h>
#include <unistd.h>

#include "arena.h"

#define SLOTS 8

/* A descriptor and 1, so that 0 is an empty slot. */
static atomic_int slots[TARGETS_MAX][SLOTS];

int slots_look(struct prng *p, unsigned target)
{
	unsigned first = prng_below(p, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++) {
		int value = slots[target][(first + i) % SLOTS];

		if (value)
			return value - 1;
	}
	return -1;
}

int slots_take(struct prng *p, unsigned target)
{
	unsigned first = prng_below(p, SLOTS);

	for (unsigned i = 0; i < SLOTS; i++) {
		int value = atomic_exchange(&slots[target][(first + i) % SLOTS], 0);

		if (value)
			return value - 1;
	}
	return -1;
}

bool slots_take_this(unsigned target, int fd)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		int value = fd + 1;

		if (atomic_compare_exchange_strong(&slots[target][i], &value, 0))
			return true;
	}
	return false;
}

int slots_put(struct prng *p, unsigned target, int fd)
{
	return atomic_exchange(&slots[target][prng_below(p, SLOTS)], fd + 1) - 1;
}

void slots_close_all(unsigned target)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		int value = atomic_exchange(&slots[target][i], 0);

		if (value)
			tally_count(TALLY_CLOSE, close(value - 1));
	}
}
