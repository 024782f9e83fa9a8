/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A system call on a channel that has to wait, in a thread of its own.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#define BLOCKED_BYTES 8192

struct blocked {
	int fd;
	char buf[BLOCKED_BYTES];
	size_t len;     /* bytes of `buf` that the call is about */
	pthread_t thread;
	atomic_int tid;
	atomic_bool over;
	ssize_t result; /* or -errno */
	/* private */
	ssize_t (*call)(struct blocked *b);
};

/* These return once the call sleeps. */
void blocked_read(struct blocked *b, int fd, size_t len);
void blocked_write(struct blocked *b, int fd, const void *data, size_t len);
void blocked_opt_in(struct blocked *b, int fd);
/* An epoll_wait() for one event; its result is what that is about. */
void blocked_epoll(struct blocked *b, int epoll);
/* Waits for its end; returns the result. */
ssize_t blocked_end(struct blocked *b);
