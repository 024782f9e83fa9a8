/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One supervisor at a time: for a run directory, whose journal it writes, and for a kernel, of whose dm-user
 * devices it removes those that it does not know.
 *
 * Both are locks that end with the process that holds them, however it ends.
 */
#pragma once

#include <paths.h>

/* One for a kernel, wherever /dev is that of the host. */
#define SOLE_CONTROL _PATH_DEV "mapper/control"

/* In a run directory. */
#define SOLE_LOCK "dmuserd.lock"

/* "pid 4711, run_dir /run/dmuser", a path cut if it must be. */
#define SOLE_HOLDER_SIZE 256

/*
 * *ret_fd holds the lock and is the caller's. -EBUSY: another one holds it, and ret_holder says who. To find that
 * out is to read what may be long; NULL, for who has others to serve: it is not looked for.
 */
int sole_in_run_dir(const char *run_dir, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE]);
/* Likewise, on device-mapper's control node. -ENODEV: there is no device-mapper now that could be shared. */
int sole_on_machine(const char *control, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE]);
