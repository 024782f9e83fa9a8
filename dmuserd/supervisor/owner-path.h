/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path, walked as the user who named it could walk it.
 *
 * The supervisor can search every directory, and may not lend that to its clients: neither may they reach what is
 * shut away from them, nor learn by an error's name what there is. It cannot become its client for a moment either
 * (privileges.c), so it looks at each directory on the way itself. It does so more strictly than the kernel: it
 * follows no link, and takes a directory for searchable if it is the user's own and open to him, or open to all.
 */
#pragma once

#include <sys/types.h>

/*
 * Opens an absolute path with O_PATH, which touches nothing; *ret_fd is the caller's. What it stands for, a symbolic
 * link perhaps, is for the caller to judge.
 * Returns 0, or a negative errno; -EACCES for a directory that uid cannot search, -ELOOP for a link on the way.
 */
int owner_path_open(const char *path, uid_t uid, int *ret_fd);
