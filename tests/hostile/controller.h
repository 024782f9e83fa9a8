/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to a target through device-mapper: by one thread that creates, suspends, reloads and
 * removes, and by one that sends messages meanwhile.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "prng.h"

struct place;

struct controller {
	unsigned target;
	struct place *place;
	struct prng prng, messages; /* of the two threads */
	unsigned nr_nodes;
	unsigned block_size;
	/* Held while a message is sent; so the target's end waits for it, and none comes after. */
	pthread_mutex_t talking;
	atomic_ullong busy_since;   /* ms; 0: the first thread is not in an ioctl that may wait */
	pthread_t thread, messenger;
	/* the messenger's */
	bool failing;
	uint64_t mood_until;
};

void controller_start(struct controller *c, unsigned target);
void controller_join(struct controller *c);
void *messenger_run(void *userdata);
