/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend whose every outcome a test can choose, served in a child process by the library's own
 * threads. State that both processes look at is shared memory.
 */
#pragma once

#include "api/worker/worker.h"

#include <stdatomic.h>
#include <sys/types.h>

#define FAKE_SIZE_BYTES (4 * 1024 * 1024)

/* Shared between the test and the child. */
struct fake {
	char data[FAKE_SIZE_BYTES];
	atomic_uint flags_seen;  /* of the last write or write_zeroes */
	atomic_uint n_writes;    /* calls of write */
	atomic_int result;       /* what discard, write_zeroes and flush return */
	atomic_int read_result;  /* what read returns, if not 0 */
	atomic_uint n_together;  /* read waits until so many calls are inside; 0: none */
	atomic_uint n_inside;    /* calls of read that have begun */
	atomic_bool release;     /* lets a held read go on */
};

/* Maps one for a test, zeroed; fake_free() ends it. */
struct fake *fake_new(void);
void fake_free(struct fake *fake);

/* The ordinary table of operations: all of them, answering at once, on two threads. */
extern const struct dmuser_worker_ops fake_ops;

/* One that answers reads later, from a thread of its own, the last come first, `batch` at a time. */
#define FAKE_LATER_BATCH 4
extern const struct dmuser_worker_ops fake_later_ops;

/* The child's worker for these operations. Lives as long as the child. */
struct dmuser_worker *fake_worker(struct fake *fake, const struct dmuser_worker_ops *ops,
				  bool read_only);

/* Forks a child that serves channel until the end. The child keeps no other descriptor open above 2. */
pid_t fake_serve(struct fake *fake, const struct dmuser_worker_ops *ops, bool read_only,
		 int channel);

/* Waits until *value is at least wanted; fails the test when patience is over. */
void fake_wait_for(atomic_uint *value, unsigned int wanted);

/* Waits for a child's end and returns its status as waitpid() gives it. */
int fake_reap(pid_t pid);
