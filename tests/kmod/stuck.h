/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is not there: a page whose fault nobody serves until the test says so, and a read()
 * or write() of it on a channel, in a thread of its own.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define STUCK_BYTES 4096

struct stuck {
	int fd;
	bool reading;
	ssize_t result; /* or -errno */
	/* private */
	const void *before;
	size_t before_len;
	char *page;
	int uffd;
	pthread_t thread;
};

/* Returns when the call waits for its page. */
void stuck_start(struct stuck *s, int fd, bool reading);
/* A write of `before`, which is there and stays, and of the page behind it, which is not. */
void stuck_start_behind(struct stuck *s, int fd, const void *before, size_t before_len);
/* Serves the page; returns the call's result. */
ssize_t stuck_end(struct stuck *s);
