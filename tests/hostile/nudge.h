/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nudges threads that have not come on for a while, with a signal: a read() that nobody ends would
 * keep them from whatever else they could do.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

/* For all threads of a process: SIGUSR1 interrupts system calls, and does nothing else. */
void nudge_init(void);
/* `beats` counts what the thread has done; `seen` is this function's own. */
void nudge_if_still(pthread_t thread, unsigned beats, unsigned *seen);
