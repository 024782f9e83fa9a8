// SPDX-License-Identifier: Apache-2.0
/*
 * The channel's bytes; see channel.h. Owns nothing (the descriptor is the worker's), trusts the kernel
 * for what it reads, never allocates, and never interprets a message.
 */
#include "api/worker/channel.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

int channel_read(struct channel *channel, void *data, size_t size)
{
	char *next = data;

	while (size > 0) {
		ssize_t got = read(channel->fd, next, size);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (got == 0)
			return -EPIPE;
		next += got;
		size -= (size_t)got;
	}
	return 0;
}

/* Takes done bytes off the front of iov[0..count). Returns how many elements are empty now. */
static int skip(struct iovec *iov, int count, size_t done)
{
	int empty = 0;

	while (empty < count && done >= iov[empty].iov_len)
		done -= iov[empty++].iov_len;
	if (empty < count) {
		iov[empty].iov_base = (char *)iov[empty].iov_base + done;
		iov[empty].iov_len -= done;
	}
	return empty;
}

static int write_all(struct channel *channel, struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t put = writev(channel->fd, iov, count);
		int empty;

		if (put < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (put == 0)
			return -EPIPE;
		empty = skip(iov, count, (size_t)put);
		iov += empty;
		count -= empty;
	}
	return 0;
}

int channel_write_answer(struct channel *channel, const struct dm_user_message *header,
			 const void *payload, size_t payload_size)
{
	struct iovec iov[] = {
		{ .iov_base = (void *)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)payload, .iov_len = payload_size },
	};

	return write_all(channel, iov, payload_size > 0 ? 2 : 1);
}
