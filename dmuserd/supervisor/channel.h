/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The character device of one target, from the supervisor's side: its name, and the one open of it.
 *
 * Whoever holds a channel answers for the volume. The supervisor opens it, gives it to a worker
 * that has passed the gate, and closes its own at once: while any copy is open, a dead worker looks
 * alive.
 */
#pragma once

#include <linux/dm-user.h>
#include <stdint.h>

#define CHANNEL_NODE_SIZE (DM_USER_NAME_MAX + 1)

/*
 * <uuid>.<generation>: every worker gets a node of its own, so no old one can reach a new target.
 */
void channel_node(const char *uuid, uint64_t generation, char ret_node[static CHANNEL_NODE_SIZE]);

/* 0, or a negative errno; -ENOTTY if what stands there is no character device. */
int channel_open(const char *node, int *ret_fd);

/* Only names the node, for comparison: opens no channel. 0, or a negative errno. */
int channel_open_path(const char *node, int *ret_fd);
