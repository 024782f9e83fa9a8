/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, as whoever reads the journal needs it: which volume, at which step, what to do.
 *
 * Whoever finds trouble writes it down here and returns its errno; the stage's end tells it once,
 * on stderr and in the journal. (crun drops a hook's stderr.)
 */
#pragma once

#include <stddef.h>

struct trouble {
	char volume[72];    /* empty: not about one volume */
	char step[40];      /* what is being done now; set before it is begun */
	char message[1024]; /* empty: nothing has gone wrong */
	char hint[512];
};

/* Begins a step, so that a deadline that passes can name it. volume NULL: as before. */
void trouble_step(struct trouble *t, const char *volume, const char *step);

/*
 * Writes the message, unless one is there: the first is the cause. Returns error. What does not
 * fit, here and below, is cut behind a word, and "…" says so.
 */
int trouble_set(struct trouble *t, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with ": " and the errno's words behind it, which are never cut. */
int trouble_set_errno(struct trouble *t, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void trouble_hint(struct trouble *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As much as dmuserd takes of it. */
#define TROUBLE_REASON_SIZE 512
/* "volume V: formatting: it failed", in one printable line of valid UTF-8. */
void trouble_reason(const struct trouble *t, char ret_reason[static TROUBLE_REASON_SIZE]);

/*
 * On stderr, escaped, and in the journal with fields DMUSER_VOLUME, DMUSER_CONTAINER, DMUSER_STEP.
 */
void trouble_tell(const struct trouble *t, const char *container);
