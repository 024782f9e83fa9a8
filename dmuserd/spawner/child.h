/* SPDX-License-Identifier: Apache-2.0 */
/* The child's half of confinement: from clone3 to exec. */
#pragma once

#include "dmuserd/messages/spawner.h"
#include "dmuserd/messages/test-hooks.h"

#include <linux/filter.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_FDS_MAX (SPAWNER_FD_RESOURCES + CONFINE_RESOURCES_MAX)

/* All that the child needs, decided before it is born: it allocates and looks up nothing. */
struct child_plan {
	uid_t uid; /* and gid */
	uint32_t nofile_max;
	int fds[CHILD_FDS_MAX]; /* as SPAWNER_FD_… orders them */
	size_t n_fds;
	int null_fd;	/* /dev/null */
	int spawner_fd; /* pidfd of the spawner */
	int go_fd; /* a byte comes when the spawner has done its part; the end when it is dead */
	int go_write_fd;
	const struct sock_fprog *outer_filter;
	char program[64]; /* argv[0] */
	struct hooks hooks;
};

/*
 * Never comes back: ends in exec, or reports the step that failed on the setup socket and exits
 * with 1.
 */
_Noreturn void child_run(const struct child_plan *plan);
