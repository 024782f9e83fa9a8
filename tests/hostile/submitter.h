/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody who uses a target's block device: opens it, submits I/O of every kind, closes it.
 */
#pragma once

#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdbool.h>

#include "prng.h"

#define SUBMITTER_BUF_BYTES (1024 * 1024)

struct place;

struct submitter {
	unsigned target, index;
	struct place *place;
	struct prng prng;
	char *buf; /* page-aligned */
	aio_context_t aio;
	pthread_t thread;
	bool direct; /* how the device is open */
};

void submitter_start(struct submitter *s, unsigned target, unsigned index);
void submitter_join(struct submitter *s);
/* A successful read's bytes must be a holder's, or another submitter's that the cache kept. */
void submitter_check(struct submitter *s, const char *buf, long len);
/* Several direct reads and writes at a time, on `fd`. */
void burst_submit(struct submitter *s, int fd);
