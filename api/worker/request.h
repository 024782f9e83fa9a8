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
	struct dmuser_request *next; /* in worker->unused; worker->lock */
	char *buffer;                /* DMUSER_IO_MAX_BYTES; a WRITE's payload, or a READ's */
	struct dm_user_message header; /* as read from the channel */
};

/* How many there can be at once. */
unsigned int requests_count(const struct dmuser_worker_ops *ops);

/* Fills the pool. 0 or -ENOMEM. */
int requests_allocate(struct dmuser_worker *worker);

/* Takes one from the pool; waits until there is one. */
struct dmuser_request *request_take(struct dmuser_worker *worker);

/* Its header has been read: it is in flight. Never returns once the worker is ending. */
void request_begin(struct dmuser_request *request);

/* Answers a request (0 or a negative errno) and puts it back into the pool. */
void request_answer(struct dmuser_request *request, int result);

static inline uint64_t request_offset(const struct dmuser_request *request)
{
	return request->header.sector * 512;
}
