/* SPDX-License-Identifier: Apache-2.0 */
/* The spawner's half of confinement: from a request to a child that has been let go. */
#pragma once

#include "dmuserd/messages/spawner.h"
#include "dmuserd/spawner/cgroup.h"
#include "dmuserd/messages/test-hooks.h"

#include <linux/filter.h>

/* What every child needs and the spawner keeps; nothing of it is a child's own. */
struct spawn_context {
	struct cgroups *cgroups;
	struct sock_fprog outer_filter;
	int null_fd;	/* /dev/null, read and write */
	int spawner_fd; /* pidfd of the spawner itself */
	struct hooks hooks;
};

/* Is the request one that can be carried out? Makes no system call. 0 or -EINVAL. */
int spawn_check(const struct spawner_request *request, size_t n_fds);

/*
 * Starts a child. 0, with *ret_pid and *ret_pidfd, which is the caller's; or a negative errno with
 * the step that failed in *ret_step, and no child. What fails later, the child reports by itself.
 * fds stay the caller's.
 */
int spawn(const struct spawn_context *context, const struct spawner_request *request,
	  const int *fds, size_t n_fds, pid_t *ret_pid, int *ret_pidfd,
	  enum confine_step *ret_step);
