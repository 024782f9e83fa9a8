// SPDX-License-Identifier: Apache-2.0
/*
 * A sweep, by the kernel's own switch: what is written to a thread's fail-nth counts down with each
 * point of failure that this thread comes to, and the last one fails. tests/faults/run has told the
 * kernel that any allocation may.
 */
#include "sweep.h"

#include <fcntl.h>
#include <unistd.h>

#include "../kmod/case.h"

/* An operation that always comes to one more is not an operation. */
#define FAULTS_MAX 20000

/* Two in a row: a cache that was refilled meanwhile may spare an operation a page. */
#define UNTOUCHED 2

static int fail_nth = -1;
static bool hit;

bool sweep_hit(void)
{
	return hit;
}

static void arm(unsigned n)
{
	char text[16];

	if (fail_nth < 0)
		fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK(fail_nth >= 0);

	int len = snprintf(text, sizeof(text), "%u", n);
	CHECK_EQ(pwrite(fail_nth, text, len, 0), len);
}

/* Points that were still to come; 0: the fault was. The copies below are next: one that fails says
 * so. */
static unsigned disarm(void)
{
	char text[16] = "";
	unsigned left = pread(fail_nth, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 1;

	while (pwrite(fail_nth, "0", 1, 0) < 0)
		CHECK_EQ(errno, EFAULT);
	return left;
}

static void check_result(const struct operation *o, unsigned n, int r)
{
	bool told =
		r == -ENOMEM || r == -EFAULT || (r < 0 && (r == -o->also[0] || r == -o->also[1]));

	if (r == 0 || (hit && told))
		return;
	fprintf(stderr, "%s: fault %u (%s) yields %s\n", o->name, n, hit ? "hit" : "not hit",
		strerror(-r));
	exit(1);
}

unsigned sweep_count(int (*run)(void))
{
	arm(FAULTS_MAX);
	int r = run();
	unsigned left = disarm();

	CHECK_EQ(r, 0);
	CHECK(left > 0);
	return FAULTS_MAX - left;
}

unsigned sweep(const struct operation *o)
{
	unsigned hits = 0, told = 0, untouched = 0;

	for (unsigned n = o->first ? o->first : 1; untouched < UNTOUCHED; n++) {
		CHECK(n < FAULTS_MAX);
		if (o->before)
			o->before();
		arm(n);
		int r = o->run();

		hit = disarm() == 0;
		check_result(o, n, r);
		o->after(r);
		hits += hit;
		told += r < 0;
		untouched = hit ? 0 : untouched + 1;
	}
	printf("%s: %u faults, of which %u were told\n", o->name, hits, told);
	return hits;
}
