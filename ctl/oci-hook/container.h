/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container that is being made: its init, held by a pidfd, and that init's namespaces.
 *
 * The pid is only trusted while the pidfd says that the process lives: what was opened by its
 * number in /proc is this process's if it still lives afterwards.
 */
#pragma once

#include "ctl/oci-hook/trouble.h"

#include <sys/types.h>

struct container {
	int pidfd;
	int userns; /* -EBADF: the same as this process's */
};

/* Takes the pidfd, which must be the first thing that is done with a pid. */
int container_open(pid_t pid, struct container *ret, struct trouble *t);
/* Opens its user namespace; refuses a container that has no mount namespace of its own. */
int container_open_namespaces(pid_t pid, struct container *container, struct trouble *t);
/* 0 while init lives; -ESRCH with trouble. */
int container_check(const struct container *container, struct trouble *t);
void container_close(struct container *container);
