// SPDX-License-Identifier: Apache-2.0
/*
 * Requests larger than a buffer; see large.h. Owns the request until its answer is out.
 *
 * While a read's answer is under way nobody else may write to the channel, but nobody may wait either:
 * the backend thread that completes our next part may be the one that wants to answer another request.
 * So others leave their answers in worker->deferred, and the streaming thread sends them at the end.
 */
#include "api/worker/large.h"

#include <errno.h>

static int wait_for_part(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;
	int result;

	pthread_mutex_lock(&worker->lock);
	while (request->part_result == DMUSER_LATER)
		pthread_cond_wait(&worker->changed, &worker->lock);
	result = request->part_result;
	pthread_mutex_unlock(&worker->lock);
	return result;
}

static size_t part_size(const struct dmuser_request *request, uint64_t done)
{
	uint64_t left = request->header.len - done;

	return left < DMUSER_IO_MAX_BYTES ? (size_t)left : DMUSER_IO_MAX_BYTES;
}

static int write_part(struct dmuser_request *request, size_t size, uint64_t offset)
{
	struct dmuser_worker *worker = request->worker;
	int r;

	request->part_result = DMUSER_LATER;
	r = worker->ops->write(worker->volume, request, request->buffer, size, offset);
	return r == DMUSER_LATER ? wait_for_part(request) : r;
}

static int read_part(struct dmuser_request *request, size_t size, uint64_t offset)
{
	struct dmuser_worker *worker = request->worker;
	int r;

	request->part_result = DMUSER_LATER;
	r = worker->ops->read(worker->volume, request, request->buffer, size, offset);
	return r == DMUSER_LATER ? wait_for_part(request) : r;
}

int large_write(struct dmuser_request *request, int *ret_channel_error)
{
	struct channel *channel = &request->worker->channel;
	int result = 0;

	request->in_parts = true;
	for (uint64_t done = 0; done < request->header.len;) {
		size_t size = part_size(request, done);
		int r = channel_read(channel, request->buffer, size);

		if (r < 0) {
			*ret_channel_error = r;
			return -EIO;
		}
		if (result == 0)
			result = write_part(request, size, request_offset(request) + done);
		done += size;
	}
	request->in_parts = false;
	*ret_channel_error = 0;
	return result;
}

static void begin_streaming(struct dmuser_worker *worker)
{
	pthread_mutex_lock(&worker->streaming_lock);
	pthread_mutex_lock(&worker->channel.write_lock);
	worker->streaming = true;
	pthread_mutex_unlock(&worker->channel.write_lock);
}

static void end_streaming(struct dmuser_worker *worker)
{
	pthread_mutex_lock(&worker->channel.write_lock);
	while (worker->deferred) {
		struct dmuser_request *request = worker->deferred;

		worker->deferred = request->next;
		request_answer_locked(request, request->result);
	}
	worker->streaming = false;
	pthread_mutex_unlock(&worker->channel.write_lock);
	pthread_mutex_unlock(&worker->streaming_lock);
}

/* The parts after the first. 0, or what channel_write_more() said. */
static int stream_rest(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;

	for (uint64_t done = DMUSER_IO_MAX_BYTES; done < request->header.len;) {
		size_t size = part_size(request, done);
		int r = read_part(request, size, request_offset(request) + done);

		if (r < 0)
			worker_die(worker, DMUSER_EXIT_TORN_READ, r);
		r = channel_write_more(&worker->channel, request->buffer, size);
		if (r < 0)
			return r;
		done += size;
	}
	return 0;
}

void large_read(struct dmuser_request *request)
{
	struct dmuser_worker *worker = request->worker;
	struct dm_user_message header = request->header;
	int result;

	request->in_parts = true;
	result = read_part(request, DMUSER_IO_MAX_BYTES, request_offset(request));
	if (result == 0) {
		int r;

		begin_streaming(worker);
		header.type = DM_USER_RESP_SUCCESS;
		r = channel_write_answer(&worker->channel, &header, request->buffer,
					 DMUSER_IO_MAX_BYTES);
		if (r == 0)
			r = stream_rest(request);
		if (r < 0 && r != -ENOTBLK)
			worker_die(worker, DMUSER_EXIT_CHANNEL_WRITE, r);
		end_streaming(worker);
	}
	request->in_parts = false;
	if (result == 0)
		request_release(request);
	else
		request_answer(request, result);
}
