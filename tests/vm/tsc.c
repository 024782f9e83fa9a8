// SPDX-License-Identifier: Apache-2.0
/*
 * tsc: prints this machine's TSC frequency, in kHz.
 *
 * An emulated CPU's TSC is the host's, and a kernel that measures it at boot on a busy host may be wrong by
 * factors: from then on its clock runs away, and every deadline in the VM with it. Here it is measured against
 * a clock that is right. Takes a fifth of a second; a reading is taken between two of the clock, as close
 * together as they ever are, so that being preempted does no harm.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define ATTEMPTS    1000
#define INTERVAL_NS 200000000

struct reading {
	uint64_t ticks;
	int64_t ns;
	int64_t spread;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static struct reading best_reading(void)
{
	struct reading best = { .spread = INT64_MAX };

	for (int i = 0; i < ATTEMPTS; i++) {
		int64_t before = now_ns();
		uint64_t ticks = __rdtsc();
		int64_t spread = now_ns() - before;

		if (spread < best.spread)
			best = (struct reading){ ticks, before + spread / 2, spread };
	}
	return best;
}

int main(void)
{
	struct reading first = best_reading(), second;

	nanosleep(&(struct timespec){ .tv_nsec = INTERVAL_NS }, NULL);
	second = best_reading();
	printf("%.0f\n", (double)(second.ticks - first.ticks) * 1e6 / (double)(second.ns - first.ns));
	return 0;
}
