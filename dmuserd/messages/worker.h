/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor and a worker (through libdmuser) say to each other.
 *
 * Setup: one struct worker_setup waits on CONFINE_FD_SETUP when the worker starts; the worker answers
 * there with one struct confine_report, and closes.
 *
 * Control: a SOCK_SEQPACKET socket that the supervisor bound at <run>/workers/<uuid>.sock and on which
 * the worker calls listen() itself, so that SO_PEERCRED names the worker. One supervisor at a time; a
 * restarted one connects again. Every message is one struct worker_message; the worker sends only
 * answers, one a request, in order.
 *
 *   HELLO                 ->  HELLO   (uuid, generation, attached)
 *   CHANNEL (generation) + fd  ->  CHANNEL (error)      the channel is being served
 *   RESOURCES             ->  RESOURCES (count) + fds   what it was started with, for a new supervisor
 *   STOP                  ->  (none: the worker finishes what it has read, and exits with 0)
 */
#pragma once

#include "util/name.h"

#include <stdint.h>

#define WORKER_MESSAGE_VERSION 1
#define WORKER_OPTIONS_MAX 8
/* A path is the longest value that an option can have. */
#define WORKER_OPTION_VALUE_SIZE 4096
/* What a worker keeps for each request that there can be at once: the largest one's data. */
#define WORKER_REQUEST_BYTES (1024 * 1024)
/* For each thread that serves: its stack, all of it. */
#define WORKER_THREAD_BYTES (256 * 1024)
/*
 * Its program with what that has used, its first threads, and the kernel's own about it: twice what
 * was measured.
 */
#define WORKER_BASE_BYTES (2 * 1024 * 1024)

/* The least that a manifest's memory_max_bytes must be. */
static inline uint64_t worker_memory_needed(uint64_t n_threads, uint64_t n_requests)
{
	return WORKER_BASE_BYTES + n_threads * WORKER_THREAD_BYTES +
	       n_requests * WORKER_REQUEST_BYTES;
}

struct worker_option {
	char name[NAME_OPTION_MAX + 8];
	char value[WORKER_OPTION_VALUE_SIZE]; /* as validated against the manifest; NUL-terminated */
};

struct worker_setup {
	uint32_t version; /* WORKER_MESSAGE_VERSION */
	uint32_t block_size; /* bytes */
	uint64_t size_bytes;
	uint64_t generation;
	char uuid[NAME_UUID_LEN + 4];
	char volume[NAME_VOLUME_MAX + 8];
	uint32_t read_only;   /* 0 or 1 */
	uint32_t n_resources; /* descriptors from CONFINE_FD_RESOURCES on */
	uint32_t n_options;
	uint32_t requests_max; /* at once, that the manifest's memory has room for; 0: not said */
	struct worker_option options[WORKER_OPTIONS_MAX];
};

enum worker_op {
	WORKER_HELLO = 1,
	WORKER_CHANNEL,
	WORKER_RESOURCES,
	WORKER_STOP,
};

struct worker_message {
	uint32_t version;
	uint32_t op;
	uint64_t generation;
	int32_t error;     /* answers: 0 or a negative errno */
	uint32_t attached; /* HELLO's answer: 1 while it serves a channel */
	uint32_t count;    /* RESOURCES' answer */
	uint32_t reserved;
	char uuid[NAME_UUID_LEN + 4];
};
_Static_assert(sizeof(struct worker_message) == 72, "the same for every compiler");
