/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A holder that keeps to no rule: a thread that does random things to the channels that it shares
 * with the other hostile threads of its target.
 */
#pragma once

#include <linux/dm-user.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "memory.h"
#include "prng.h"
#include "tally.h"

#define HOLDER_KNOWN 16
#define HOLDER_CHILDREN 2

struct place;

/* A request that was read, or what looked like one. */
struct known {
	int fd;
	bool answered;
	struct dm_user_message message;
};

struct holder {
	unsigned target, index;
	struct place *place;
	struct prng prng;
	struct memory memory;
	pthread_t thread;
	atomic_uint beats; /* for nudge.c */
	int epoll;
	struct known known[HOLDER_KNOWN]; /* a ring */
	unsigned nr_known;                /* ever */
	pid_t children[HOLDER_CHILDREN]; /* 0: none */
};

void holder_start(struct holder *h, unsigned target, unsigned index);
void holder_join(struct holder *h);

/* Whether it has read something from `fd` that it did not answer. */
bool holder_knows(const struct holder *h, int fd);

/* Each does one thing to a channel. misread.c */
void misread(struct holder *h, int fd);
/* miswrite.c */
void miswrite(struct holder *h, int fd);
/* misuse.c: all that is neither reading nor writing */
void misuse(struct holder *h, int fd);
/* child.c */
void child_fork(struct holder *h, int fd);
void child_disturb(struct holder *h);
void child_end_all(struct holder *h);
/* pass.c */
void pass_on(struct holder *h, int fd);
