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

/* *ret_fd holds the lock and is the caller's. -EBUSY: another one holds it. */
int sole_in_run_dir(const char *run_dir, int *ret_fd);
/* Likewise, on device-mapper's control node. -ENODEV: there is no device-mapper now that could be shared. */
int sole_on_machine(const char *control, int *ret_fd);
