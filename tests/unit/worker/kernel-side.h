/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of a channel, played by a test over one end of a SOCK_STREAM pair. Every failure
 * fails the running test; nothing waits longer than the socket's time-out.
 */
#pragma once

#include <linux/dm-user.h>
#include <stddef.h>

/* A pair with a time-out on our end: [0] ours, [1] the worker's. */
void kernel_side_pair(int fds[2]);

/* A request's header with fields as given, and seq counting up. */
void kernel_side_header(uint64_t type, uint64_t sector, uint64_t len,
			struct dm_user_message *ret_header);

void kernel_side_send(int fd, const void *data, size_t size);
void kernel_side_receive(int fd, void *data, size_t size);

/* Sends a request (payload may be NULL) and returns its seq. */
uint64_t kernel_side_request(int fd, uint64_t type, uint64_t flags, uint64_t sector, uint64_t len,
			     const void *payload);

/* Takes an answer's header, and checks whose and what it is. */
void kernel_side_expect(int fd, uint64_t seq, uint64_t response);

/* A FLUSH that succeeds: the stream is where it should be, and the worker serves. */
void kernel_side_expect_alive(int fd);
