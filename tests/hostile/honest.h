/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A holder that keeps to the rules, in a process without those that do not: so that I/O flows, and
 * what a channel yields can be judged.
 */
#pragma once

#include <linux/dm-user.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "prng.h"

#define HONEST_PENDING_MAX 16

struct place;

struct honest {
	unsigned target, index;
	struct place *place;
	struct prng prng;
	pthread_t thread;
	atomic_uint beats; /* for nudge.c */
	char *buf;         /* a header and the largest payload */
	/* of the channel that it holds */
	int fd;
	bool nonblock;
	size_t chunk;      /* bytes that a read() or write() has at most */
	bool batch;        /* whole messages, several a read() */
	size_t have;       /* bytes in buf */
	struct dm_user_message pending[HONEST_PENDING_MAX]; /* read, not answered */
	unsigned nr_pending, patience; /* how many may be */
};

void honest_start(struct honest *h, unsigned target, unsigned index);
void honest_join(struct honest *h);
