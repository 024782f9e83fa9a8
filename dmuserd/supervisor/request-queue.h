/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the spawner that its socket did not take at once, with duplicates of their descriptors.
 */
#pragma once

#include "dmuserd/messages/spawner.h"

#include <stddef.h>

struct queued_request;

/* All zero: empty. */
struct request_queue {
	struct queued_request *first, *last;
	size_t n;
};

/* The descriptors stay the caller's. -EAGAIN: as many wait as ever may. */
int request_queue_add(struct request_queue *queue, const struct spawner_request *request,
		      const int *fds, size_t n_fds);
/* Sends in order what the socket takes. 0: all of it; 1: some is left; or a negative errno. */
int request_queue_send(struct request_queue *queue, int socket);
void request_queue_clear(struct request_queue *queue);
