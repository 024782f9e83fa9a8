/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target to test with, and what device-mapper can do to it.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct target {
	char name[64];    /* of the device, and of the node */
	char node[128];   /* the channel's */
	char device[128]; /* the block device's */
	uint64_t sectors;
	const char *options; /* of the table line, or NULL; as a reload will have them */
};

struct target_status {
	unsigned queued, outstanding, channels;
	unsigned long long generation, errors;
	unsigned failing, broken, deserted, lost;
	unsigned long long repeated, timed_out;
};

/* Waits until a field of the status has a value; the case's own deadline ends it otherwise. */
#define TARGET_AWAIT(t, field, value) \
	do { \
		while (target_status(t).field != (value)) \
			poll(NULL, 0, 1); \
	} while (0)

/* Each call in a process makes another name. Ends the process on failure. */
void target_create(struct target *ret_t, uint64_t sectors);
/* With options: "2 on_close requeue". */
void target_create_with(struct target *ret_t, uint64_t sectors, const char *options);
/* A device of `n` targets of the same size, with nodes NAME-0, NAME-1, …; node is the first's. */
void target_create_several(struct target *ret_t, uint64_t sectors, int n);
struct target_status target_status(const struct target *t);
/* Waits until so many requests are queued. */
void target_await_queued(const struct target *t, unsigned n);

/* These return 0 or -errno. */
int target_remove(const struct target *t);
/* Now, or once its device is closed. */
int target_remove_deferred(const struct target *t);
int target_suspend(const struct target *t, uint32_t flags);
int target_resume(const struct target *t);
/* Loads a table of one target, whose node will be `node_name`; device-mapper swaps it in at resume. */
int target_load(const struct target *t, const char *node_name);
int target_clear(const struct target *t);
int target_message(const struct target *t, const char *message);
/* A message that is answered: the answer, to be freed. */
char *target_ask(const struct target *t, const char *message);
/* The same by a caller that has `room` bytes for it, which may not be enough for all. */
char *target_ask_with_room(const struct target *t, const char *message, size_t room, bool *ret_full);
/* What IMA measures of the target: text, to be freed. */
char *target_measure(const struct target *t);
/* Device-mapper's events so far. */
unsigned target_events(const struct target *t);
/* The new generation. */
unsigned long long target_fence(const struct target *t);

/* A suspend in a process of its own, which exits with 0 if it succeeded. */
pid_t target_suspend_start(const struct target *t, uint32_t flags);
