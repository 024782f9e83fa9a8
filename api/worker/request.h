/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request in the worker: from the pool, through the backend, to its answer and back to the pool.
 *
 * All requests and their buffers are allocated before the seal. At any time one of these owns a
 * request: the pool; the thread that reads and executes it; or, after DMUSER_LATER, whoever is going
 * to call dmuser_request_complete().
 */
#pragma once

#include "api/worker/worker.h"

struct dmuser_request {
	struct dmuser_worker *worker;
	struct dmuser_request *next; /* in worker->unused or ->deferred, by their locks */
	char *buffer;                /* DMUSER_IO_MAX_BYTES; a WRITE's payload, or a READ's */
	int result;                  /* of a deferred one */
	/* One call of several for a large request is under way: completing it wakes large.c. */
	bool in_parts;
	int part_result; /* DMUSER_LATER until that call is completed; worker->lock */
	struct dm_user_message header; /* as read from the channel */
};

/* Fills the pool. 0 or -ENOMEM. */
int requests_allocate(struct dmuser_worker *worker);

/* Takes one from the pool; waits until there is one. */
struct dmuser_request *request_take(struct dmuser_worker *worker);

/* Its header has been read: it is in flight. Never returns once the worker is ending. */
void request_begin(struct dmuser_request *request);

/* Answers a request (0 or a negative errno) and puts it back into the pool. */
void request_answer(struct dmuser_request *request, int result);

/* The part of request_answer() that goes out: the caller holds channel.write_lock. */
void request_answer_locked(struct dmuser_request *request, int result);

/* Puts it back into the pool, answered. */
void request_release(struct dmuser_request *request);

static inline uint64_t request_offset(const struct dmuser_request *request)
{
	return request->header.sector * 512;
}
