/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that keeps the volume in memory.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "target.h"

struct server {
	char *store;
	uint64_t size; /* bytes */
	size_t chunk;  /* bytes a read() and write() at most; 0: no limit */
	int threads;
	bool shared;   /* one channel for all threads instead of one each */
	bool batch;    /* whole messages */
	atomic_ullong counts[16]; /* requests, by type */
	atomic_ullong fua;
	/* private */
	int fds[64];
	pthread_t ids[64];
	pthread_mutex_t reading;
};

void server_start(struct server *s, const struct target *t, int threads, bool shared, size_t chunk);
/* The same on channels of whole messages, of which each call carries as many as there are. */
void server_start_batch(struct server *s, const struct target *t, int threads, bool shared);
/* Waits for the target's end; each thread must have got ENOTBLK. Frees everything. */
void server_join(struct server *s);
