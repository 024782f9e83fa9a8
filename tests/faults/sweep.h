/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sweep: an operation is done again and again, and its first, second, third… point of failure
 * made to fail, until it goes through without having come to the one whose turn it is.
 *
 * A point of failure is any allocation, of slab objects or of pages, and any copy from or to user
 * memory, that the calling thread comes to in the kernel.
 */
#pragma once

#include <stdbool.h>

/**
 * struct operation - what is swept
 * @name:	for the report
 * @before:	brings about what `run` needs; no fault hits it
 * @run:	the operation, by the calling thread: 0 or -errno
 * @after:	no fault hits it: checks that the state fits the result, and that all still works
 * @also:	errors that are right besides ENOMEM and EFAULT; or 0
 * @first:	the point to begin with; 0: the first
 */
struct operation {
	const char *name;
	void (*before)(void);
	int (*run)(void);
	void (*after)(int result);
	int also[2];
	unsigned first;
};

/* Says on stdout how many faults there were. Returns their number. Ends the process if one was not
 * borne. */
unsigned sweep(const struct operation *o);
/* The points of failure that `run` comes to if none fails. Ends the process if it fails all the
 * same. */
unsigned sweep_count(int (*run)(void));
/* Whether a fault was hit in the attempt that `after` is about. */
bool sweep_hit(void);
