// SPDX-License-Identifier: Apache-2.0
/*
 * The request threads; see serve.h. This is where a request's range is checked, once, for every backend.
 *
 * Trusts the kernel for the stream's framing, but not for ranges: a backend must never be asked for a
 * byte beyond its volume, whoever is wrong. Never allocates; never holds a lock while a backend works.
 */
#include "api/worker/serve.h"
#include "api/worker/request.h"

#include <errno.h>
#include <unistd.h>

/* Backends copy and make system calls; they keep no data on the stack. Locked memory, on fault. */
#define STACK_BYTES ((size_t)256 * 1024)
_Static_assert(STACK_BYTES == WORKER_THREAD_BYTES, "and the supervisor knows its size");

/* Whether the request may be executed at all. */
static int check(const struct dmuser_request *request)
{
	const struct dm_user_message *header = &request->header;
	const struct worker_setup *setup = &request->worker->setup;
	uint64_t sectors = setup->size_bytes / 512;

	if (header->type == DM_USER_REQ_MAP_FLUSH)
		return 0;
	if (header->sector > sectors || header->len > (sectors - header->sector) * 512)
		return -ERANGE;
	if (header->type == DM_USER_REQ_MAP_READ)
		return header->len > DMUSER_IO_MAX_BYTES ? -EMSGSIZE : 0;
	if (setup->read_only)
		return -EROFS;
	if (header->type != DM_USER_REQ_MAP_WRITE)
		return 0;
	if (!request->worker->ops->write)
		return -EROFS;
	return header->len > DMUSER_IO_MAX_BYTES ? -EMSGSIZE : 0;
}

/* An operation on a range without data. */
static int do_range(struct dmuser_request *request,
		    int (*operation)(void *, struct dmuser_request *, uint64_t, uint64_t))
{
	if (!operation)
		return -EOPNOTSUPP;
	return operation(request->worker->volume, request, request->header.len,
			 request_offset(request));
}

/* 0, DMUSER_LATER or a negative errno. */
static int execute(struct dmuser_request *request)
{
	const struct dmuser_worker_ops *ops = request->worker->ops;
	const struct dm_user_message *header = &request->header;
	void *volume = request->worker->volume;
	uint64_t offset = request_offset(request);

	switch (header->type) {
	case DM_USER_REQ_MAP_READ:
		return ops->read(volume, request, request->buffer, header->len, offset);
	case DM_USER_REQ_MAP_WRITE:
		return ops->write(volume, request, request->buffer, header->len, offset);
	case DM_USER_REQ_MAP_FLUSH:
		return ops->flush ? ops->flush(volume, request) : 0;
	case DM_USER_REQ_MAP_DISCARD:
		return do_range(request, ops->discard);
	case DM_USER_REQ_MAP_WRITE_ZEROES:
		return do_range(request, ops->write_zeroes);
	case DM_USER_REQ_MAP_SECURE_ERASE:
		return do_range(request, ops->secure_erase);
	default:
		return -EOPNOTSUPP;
	}
}

_Noreturn static void channel_ended(struct dmuser_worker *worker, int error)
{
	/* At once: nobody is left to be answered, and a backend that hangs must not keep us. */
	if (error == -ENOTBLK)
		_exit(DMUSER_EXIT_OK);
	worker_die(worker, DMUSER_EXIT_CHANNEL_READ, error);
}

/* Takes a payload that nobody will use, or the stream would be lost. */
static int drop_payload(struct dmuser_request *request)
{
	struct channel *channel = &request->worker->channel;
	int r = 0;

	for (uint64_t left = request->header.len; r == 0 && left > 0;) {
		size_t size = left < DMUSER_IO_MAX_BYTES ? (size_t)left : DMUSER_IO_MAX_BYTES;

		r = channel_read(channel, request->buffer, size);
		left -= size;
	}
	return r;
}

/*
 * Reads one whole request. Returns 0 if it is to be executed, or why it is not. Ends the process if the
 * channel is over.
 */
static int receive(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;
	struct channel *channel = &worker->channel;
	int result = 0;
	int r;

	pthread_mutex_lock(&channel->read_lock);
	r = channel_read(channel, &request->header, sizeof(request->header));
	if (r == 0) {
		request_begin(request);
		result = check(request);
		if (request->header.type == DM_USER_REQ_MAP_WRITE)
			r = result < 0 ? drop_payload(request) :
					 channel_read(channel, request->buffer, request->header.len);
	}
	if (r < 0)
		channel_ended(worker, r);
	pthread_mutex_unlock(&channel->read_lock);
	return result;
}

static void serve_next(struct dmuser_worker *worker)
{
	struct dmuser_request *request = request_take(worker);
	int result = receive(request);

	if (result == 0)
		result = execute(request);
	/* After DMUSER_LATER the request may be answered and in use for another by now. */
	if (result != DMUSER_LATER)
		request_answer(request, result);
}

static void *run(void *userdata)
{
	struct dmuser_worker *worker = userdata;

	pthread_mutex_lock(&worker->lock);
	worker->n_running++;
	pthread_cond_broadcast(&worker->changed);
	while (!worker->attached)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	for (;;)
		serve_next(worker);
	return NULL;
}

static int start_request_threads(struct dmuser_worker *worker)
{
	pthread_attr_t attributes;
	int r = pthread_attr_init(&attributes);

	if (r > 0)
		return -r;
	r = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (r == 0)
		r = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (unsigned int i = 0; r == 0 && i < worker->ops->n_threads; i++) {
		pthread_t thread;

		r = pthread_create(&thread, &attributes, run, worker);
	}
	pthread_attr_destroy(&attributes);
	return -r;
}

int serve_start_threads(struct dmuser_worker *worker)
{
	int r = start_request_threads(worker);

	if (r < 0)
		return r;
	pthread_mutex_lock(&worker->lock);
	while (worker->n_running < worker->ops->n_threads)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	return worker->ops->start ? worker->ops->start(worker->volume) : 0;
}

void serve_attach(struct dmuser_worker *worker, int channel_fd)
{
	pthread_mutex_lock(&worker->lock);
	worker->channel.fd = channel_fd;
	worker->attached = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

_Noreturn void serve_stop(struct dmuser_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->ending = true;
	while (worker->n_in_flight > 0)
		pthread_cond_wait(&worker->changed, &worker->lock);
	_exit(DMUSER_EXIT_OK);
}
