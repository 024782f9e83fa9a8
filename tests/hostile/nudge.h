/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nudges threads that have not come on for a while, with a signal: a read() that nobody ends would
 * keep them from whatever else they could do.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

/* Of a thread: what it was at, and how often it was found there. */
struct nudge {
	unsigned beats, times;
};

void nudge_init(void);
/*
 * To be called now and then. `beats` is another each time that the thread comes on, and 0 while it
 * rests.
 */
void nudge_if_still(struct nudge *n, pthread_t thread, unsigned beats);
