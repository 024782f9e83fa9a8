/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that may hang, in a process that can be given up.
 *
 * Reading a device, making a file system and mounting it all wait for a worker, and some of these
 * waits cannot be interrupted. So they are a child's, and this process keeps its deadline whatever
 * the child does. A child that cannot die yet ends when its volume is released, which fails its
 * I/O.
 */
#pragma once

#include "ctl/oci-hook/trouble.h"

#include <stdint.h>

/*
 * What the child does. It writes trouble, and the steps it takes, where its parent sees them;
 * *ret_fd, if it sets it, becomes the parent's. Returns 0 or a negative errno.
 */
typedef int (*child_work)(void *argument, int *ret_fd, struct trouble *t);

/*
 * Runs work in a child. Returns what it returned; -ETIMEDOUT at the deadline, -ECHILD if the child
 * died, both with trouble. ret_fd may be NULL.
 */
int child_run(child_work work, void *argument, uint64_t deadline, int *ret_fd, struct trouble *t);
