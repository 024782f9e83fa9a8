// SPDX-License-Identifier: Apache-2.0
/* Bytes on their way to one client; see outbox.h. How many may wait is for the connection to say. */
#include "dmuserd/supervisor/outbox.h"
#include "util/cleanup.h"

#include <string.h>
#include <sys/socket.h>

#define CAPACITY_MIN 1024

size_t outbox_waiting(const struct outbox *box)
{
	return box->size - box->sent;
}

static int grow(struct outbox *box, size_t needed)
{
	size_t capacity = box->capacity ? box->capacity : CAPACITY_MIN;
	char *bytes;

	while (capacity < needed) {
		if (__builtin_mul_overflow(capacity, 2, &capacity))
			return -ENOMEM;
	}
	bytes = realloc(box->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	box->bytes = bytes;
	box->capacity = capacity;
	return 0;
}

int outbox_add(struct outbox *box, const char *bytes, size_t size)
{
	if (box->sent > 0) {
		memmove(box->bytes, box->bytes + box->sent, outbox_waiting(box));
		box->size -= box->sent;
		box->sent = 0;
	}
	if (size > box->capacity - box->size) {
		size_t needed;
		int r = __builtin_add_overflow(box->size, size, &needed) ? -ENOMEM :
									   grow(box, needed);

		if (r < 0)
			return r;
	}
	memcpy(box->bytes + box->size, bytes, size);
	box->size += size;
	return 0;
}

int outbox_write(struct outbox *box, int socket)
{
	while (outbox_waiting(box) > 0) {
		ssize_t n = send(socket, box->bytes + box->sent, outbox_waiting(box),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		box->sent += (size_t)n;
	}
	/* A large list is not held on to. */
	outbox_clear(box);
	return 0;
}

void outbox_clear(struct outbox *box)
{
	free(box->bytes);
	*box = (struct outbox){};
}
