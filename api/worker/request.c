// SPDX-License-Identifier: Apache-2.0
/*
 * The pool of requests and the answering of one; see request.h. Owns the pool's memory for the life of
 * the process. Trusts the backend to complete a request once. Allocates only in requests_allocate().
 */
#include "api/worker/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(DMUSER_IO_MAX_BYTES == DM_USER_MAX_IO_BYTES, "a buffer holds any payload");
_Static_assert(DMUSER_IO_MAX_BYTES == WORKER_REQUEST_BYTES, "and the supervisor knows its size");

unsigned int requests_count(const struct dmuser_worker_ops *ops)
{
	return ops->n_requests ?: ops->n_threads;
}

int requests_allocate(struct dmuser_worker *worker)
{
	unsigned int count = requests_count(worker->ops);
	struct dmuser_request *requests = calloc(count, sizeof(*requests));
	char *buffers;

	if (!requests)
		return -ENOMEM;
	/* Pages, so that copies need no bounce; only what large requests touch becomes resident. */
	buffers = mmap(NULL, (size_t)count * DMUSER_IO_MAX_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED) {
		free(requests);
		return -ENOMEM;
	}
	if (worker->reserves_memory) {
		/* Locked as soon as all memory is, and from now on there. */
		memset(buffers, 0, (size_t)count * DMUSER_IO_MAX_BYTES);
	} else {
		/*
		 * A huge page would be two whole buffers, cleared for the first request however
		 * small, and locked. A kernel that has none refuses, which is as good.
		 */
		madvise(buffers, (size_t)count * DMUSER_IO_MAX_BYTES, MADV_NOHUGEPAGE);
	}
	for (unsigned int i = 0; i < count; i++) {
		requests[i].worker = worker;
		requests[i].buffer = buffers + (size_t)i * DMUSER_IO_MAX_BYTES;
		requests[i].next = worker->unused;
		worker->unused = &requests[i];
	}
	return 0;
}

struct dmuser_request *request_take(struct dmuser_worker *worker)
{
	struct dmuser_request *request;

	pthread_mutex_lock(&worker->lock);
	while (!worker->unused)
		pthread_cond_wait(&worker->changed, &worker->lock);
	request = worker->unused;
	worker->unused = request->next;
	pthread_mutex_unlock(&worker->lock);
	return request;
}

void request_begin(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;

	pthread_mutex_lock(&worker->lock);
	/* The process is about to end; the channel's close answers this one, as any that comes later. */
	while (worker->ending)
		pthread_cond_wait(&worker->changed, &worker->lock);
	worker->n_in_flight++;
	pthread_mutex_unlock(&worker->lock);
}

static void release(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;

	pthread_mutex_lock(&worker->lock);
	request->next = worker->unused;
	/* Waited for only by a thread that found the pool empty, and by the end that found it in use. */
	if (!worker->unused || worker->ending)
		pthread_cond_broadcast(&worker->changed);
	worker->unused = request;
	worker->n_in_flight--;
	pthread_mutex_unlock(&worker->lock);
}

static uint64_t response(int result)
{
	if (result == 0)
		return DM_USER_RESP_SUCCESS;
	return result == -EOPNOTSUPP ? DM_USER_RESP_UNSUPPORTED : DM_USER_RESP_ERROR;
}

void request_answer(struct dmuser_request *request, int result)
{
	struct dmuser_worker *worker = request->worker;
	struct dm_user_message *header = &request->header;
	size_t payload_size = 0;
	int r;

	if (header->type == DM_USER_REQ_MAP_READ && result == 0)
		payload_size = header->len;
	header->type = response(result);
	pthread_mutex_lock(&worker->channel.write_lock);
	r = channel_write_answer(&worker->channel, header, request->buffer, payload_size);
	pthread_mutex_unlock(&worker->channel.write_lock);
	/* A target that is gone wants no answer; whoever reads next finds that out and ends. */
	if (r < 0 && r != -ENOTBLK)
		worker_die(worker, DMUSER_EXIT_CHANNEL_WRITE, r);
	release(request);
}

unsigned int dmuser_request_flags(const struct dmuser_request *request)
{
	unsigned int flags = 0;

	if (request->header.flags & DM_USER_REQ_MAP_FLAG_FUA)
		flags |= DMUSER_REQUEST_FUA;
	if (request->header.flags & DM_USER_REQ_MAP_FLAG_NOUNMAP)
		flags |= DMUSER_REQUEST_NOUNMAP;
	return flags;
}

void dmuser_request_complete(struct dmuser_request *request, int result)
{
	request_answer(request, result);
}
