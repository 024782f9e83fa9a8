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
#define BURST_MAX	    16

struct place;

/* Direct reads and writes that have been submitted, and have not ended. */
struct burst {
	aio_context_t aio;
	char *buf; /* a part for each */
	struct iocb flying[BURST_MAX];
	bool flies[BURST_MAX];
	unsigned nr_flying;
};

struct submitter {
	unsigned target, index;
	struct place *place;
	struct prng prng;
	char *buf; /* page-aligned */
	struct burst burst;
	pthread_t thread;
	bool direct; /* how the device is open */
};

void submitter_start(struct submitter *s, unsigned target, unsigned index);
void submitter_join(struct submitter *s);
/* A successful read's bytes must be a holder's, or another submitter's that the cache kept. */
void submitter_check(struct submitter *s, const char *buf, long len);
/* 0 or -errno */
int burst_init(struct burst *b);
void burst_exit(struct burst *b);
/* Several direct reads and writes at a time, on `fd`. Waits for none, unless as many fly as may. */
void burst_submit(struct submitter *s, int fd);
/* Waits for all. */
void burst_end(struct submitter *s);
