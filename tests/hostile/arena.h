/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program's processes share: what was asked for, where each target is in its life, what
 * was counted, and what went wrong.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

#define TARGETS_MAX 16
#define THREADS_MAX 32
/* Of each target; enough for I/O that is split, too few to fill memory with what is cached. */
#define TARGET_SECTORS 4096
#define TARGET_BYTES (TARGET_SECTORS * 512)

/* Who is to hold channels of a target just now. */
#define MOOD_HONEST 1
#define MOOD_HOSTILE 2

struct place {
	atomic_uint node_live;   /* the number in the live table's node name */
	atomic_uint node_loaded; /* of the table that the next resume makes live, or 0 */
	atomic_uint mood;
	atomic_uint open;        /* submitters may come in */
	atomic_uint inside;      /* submitters that came in and did not leave yet */
};

struct arena {
	/* constant */
	uint64_t seed, operations_max;
	unsigned threads, targets, seconds;

	atomic_ullong operations;
	atomic_uint rate; /* of late, a second; the watching process says it */
	atomic_bool stop;
	atomic_bool wrong; /* once set, `what` says what; all go on until it has been looked at */
	char what[512];
	atomic_bool quit;  /* at once, without tidying up */
	struct tally tally;
	struct place places[TARGETS_MAX];
};

extern struct arena *arena;

/* Maps it. 0 or -errno. */
int arena_init(void);
/* Says that something must not be. The first one counts; the program ends. */
void arena_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Names the calling thread, as a report of what hangs will show it. */
void arena_name_thread(const char *role, unsigned target, unsigned index);
/* The path of a node of a target. */
void arena_node(char *ret_path, unsigned size, unsigned target, unsigned node);
/* Nothing is to be done for a moment. */
void arena_rest(unsigned ms);
/*
 * Rests for about as long as so many operations take now, though not for long: so that what is
 * dear, such as a target's life, has the same share of the operations on every machine.
 */
void arena_rest_operations(uint64_t n);
/* Rests while the word has this value, though not for long. Who changes it tells. */
void arena_rest_while(atomic_uint *word, unsigned value);
/* A node could not be opened. Between a target's lives there is nothing to do. */
void arena_rest_without_node(struct place *place);
void arena_tell(atomic_uint *word, unsigned value);
uint64_t arena_now_ms(void);
