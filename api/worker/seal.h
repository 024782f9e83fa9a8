/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of confinement, done by the confined program itself: a worker or a parser.
 *
 * The spawner has done the steps up to EXEC (confine-step.h). These finish it, and every failure is
 * reported by its step on CONFINE_FD_SETUP and ends the process; there is no half-sealed state.
 */
#pragma once

#include "dmuserd/messages/confine-step.h"

#include <stdbool.h>
#include <stdint.h>

/* Reports the failed step on CONFINE_FD_SETUP and exits with 1. detail may be NULL. */
_Noreturn void seal_fail(enum confine_step step, int error, const char *detail);

/* CAPABILITIES and DUMPABLE: the first thing that main() does. */
void seal_enter(void);

struct seal {
	bool lock_memory;    /* MLOCK: everything now and later, on fault */
	uint32_t nofile_max; /* RLIMITS: descriptor numbers stay below this */
	uint64_t fsize_max;  /* RLIMITS: no regular file is written at or beyond this many bytes */
	bool listen;         /* LISTEN on CONFINE_FD_LINK */
	/* THREADS: starts what threads the program wants, after Landlock and before the filter. NULL: none.
	 * 0 or a negative errno. */
	int (*start_threads)(void *userdata);
	void *userdata;
};

/* MLOCK to INNER_FILTER; then reports CONFINE_SEALED and closes CONFINE_FD_SETUP and _PROFILE. */
void seal_finish(const struct seal *seal);
