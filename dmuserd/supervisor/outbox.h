/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on their way to one client.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* All zero: empty. */
struct outbox {
	char *bytes;
	size_t size, sent, capacity;
};

/* Puts a message behind what waits. 0 or -ENOMEM. */
int outbox_add(struct outbox *box, const char *bytes, size_t size);
/* Writes without blocking. 0: all is written; 1: the client must read first; or a negative errno. */
int outbox_write(struct outbox *box, int socket);
size_t outbox_waiting(const struct outbox *box);
void outbox_clear(struct outbox *box);
