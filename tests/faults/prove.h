/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That a target works, and that one is not there.
 */
#pragma once

#include <stdbool.h>

#include "../kmod/target.h"

/* Of every case's device and node. */
#define PROVE_NAME "faults"

/* A write and a read go through a new channel and come back right. Ends the process if they do not.
 */
void prove_serves(const struct target *t);
/* Whether device-mapper has the device. */
bool prove_exists(const struct target *t);
/* Makes the device, with a table that is live, or ends the process. */
void prove_create(struct target *t);
/* Removes the device, if it is there; then nothing of it is left, or the process ends. */
void prove_remove(const struct target *t);
/* Whether a channel can be opened: a node in /dev need not lead to anything. */
bool prove_has_node(const struct target *t);
/*
 * Takes the target's node out of /dev, if it is still there: the kernel asks for memory to take a
 * node away, and leaves it, of any device, if it gets none.
 */
void prove_forget_node(const struct target *t);
/* A name and a size, as all of the cases have them. What an earlier one has left goes. */
void prove_name(struct target *ret_t, const char *options);
