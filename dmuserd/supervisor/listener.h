/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket that clients connect to: the service manager's, or one's own.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct listener {
	int fd;    /* listening, non-blocking */
	bool own;  /* made here, at `path`, and to be removed */
	char path[128];
};

/*
 * Takes the one that the service manager has passed on (and then unsets LISTEN_FDS and the like), or binds
 * <run_dir>/io.dmuser: mode 0660 and that group, or 0600 if group is (gid_t)-1. Blocking; needs CHOWN.
 * -EINVAL: what was passed on is something else.
 */
int listener_open(const char *run_dir, gid_t group, struct listener *ret_listener);
/* Closes it, and removes its own. An fd of -EBADF is fine. */
void listener_close(struct listener *listener);
