/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume's bytes lie in: an anonymous memory file, or an image that a user named.
 *
 * A worker can open nothing, so the supervisor opens for it. A path comes from a client: it is
 * looked at before it is opened for reading or writing, so that no FIFO, tape or terminal is ever
 * touched, and what is opened is what was looked at. All that depends on a user's file system
 * happens in a child.
 */
#pragma once

#include "dmuserd/messages/parser.h"
#include "dmuserd/supervisor/volume.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct backing_request {
	const char *option; /* the one that named the path, for messages */
	const char *path;
	uid_t owner;	     /* not root: the file must be owner's, in his reach, and is never made */
	uint64_t size_bytes; /* at least; PARSER_UNSET: as large as it is */
	uint64_t min_size_bytes; /* of any volume that could lie in it, for advice */
	uint32_t block_size;
	bool read_only;
};

struct backing {
	int fd;
	uint64_t size_bytes;
	bool made; /* it did not exist before */
};

/* What this machine has, in bytes; 0 if the kernel does not say. */
uint64_t backing_memory_total(void);

/*
 * A memory file of exactly that size, which nobody can change any more: a worker that could cut it
 * short would have everyone who maps it die of SIGBUS.
 */
int backing_open_memory(const char *name, uint64_t size_bytes, int *ret_fd);
/* Is it one of those? */
bool backing_is_memory(int fd);

/*
 * Opens, checks and locks an image; makes one if there is none, a size is given and the owner is
 * root. Blocks as long as the file system does. 0, or a negative errno with *failure written.
 */
int backing_open_image(const struct backing_request *request, struct backing *ret_backing,
		       struct failure *failure);

struct backing_call;
/* backing->fd is consumed by the callback; backing is NULL on failure, failure on success. */
typedef void (*backing_done_fn)(void *userdata, const struct backing *backing,
				const struct failure *failure);
/* backing_open_image() in a child with a deadline. `done` is called once, from the loop. */
int backing_start(sd_event *event, const struct backing_request *request, uint64_t timeout_ms,
		  backing_done_fn done, void *userdata, struct backing_call **ret_call);
void backing_cancel(struct backing_call *call);

/* Removes an image that was made for a volume that did not come to be, unless another stands there
 * now. */
void backing_unlink(const char *path, int fd);
