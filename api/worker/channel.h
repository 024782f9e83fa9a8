/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel: whole requests in, whole answers out, over a byte stream that may break them anywhere.
 *
 * Requests are read by one thread at a time and answers written by one at a time, each under its lock,
 * because a message that two threads share in the middle is lost. The locks are independent of each
 * other: answers go out while a reader sleeps.
 */
#pragma once

#include <linux/dm-user.h>
#include <pthread.h>
#include <stddef.h>

struct channel {
	int fd;
	/* Held from a request's header to the end of its payload. */
	pthread_mutex_t read_lock;
	/* Held for one answer. Nests in nothing but read_lock. */
	pthread_mutex_t write_lock;
};

/*
 * Reads exactly size bytes; the caller holds read_lock from a header to its payload's end.
 * 0; -ENOTBLK when the target is gone; -EPIPE when the stream ended; or another negative errno.
 */
int channel_read(struct channel *channel, void *data, size_t size);

/*
 * Writes an answer's header and payload_size bytes in one call, or as many as the kernel wants it in; the
 * caller holds write_lock. Returns as channel_read() does.
 */
int channel_write_answer(struct channel *channel, const struct dm_user_message *header,
			 const void *payload, size_t payload_size);
