/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An I/O that somebody submits to the target's block device, in a thread of its own.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "target.h"

enum submit_operation {
	SUBMIT_READ,
	SUBMIT_WRITE,
	SUBMIT_WRITE_FUA,
	SUBMIT_FLUSH,
	SUBMIT_DISCARD,
	SUBMIT_ZEROES,
	SUBMIT_SECURE_ERASE,
	SUBMIT_PUNCH_HOLE,
};

struct submit {
	enum submit_operation operation;
	uint64_t offset, len; /* bytes */
	char *buf;            /* page-aligned, of len bytes; a write's are filled with a pattern */
	const char *device;
	pthread_t thread;
	atomic_bool done;
	int result;           /* 0 or -errno */
};

/* `offset` and `len` in bytes, multiples of 512; `t` stays. */
void submit_start(struct submit *s, const struct target *t, enum submit_operation operation,
		  uint64_t offset, uint64_t len);
/* Waits for the end, returns the result; buf stays. */
int submit_wait(struct submit *s);
/*
 * To be called first by a thread that submits I/O: leaves it without the process's channels. Or the
 * channels of a case that failed would wait for the thread, and the thread for the channels.
 */
void submit_let_go_of_channels(void);
/* What byte `i` of the device has after a write. */
char submit_pattern(uint64_t i);
