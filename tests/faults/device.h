/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device-mapper's operations on a target, one system call each: so a fault hits the operation, and
 * nothing that only leads to it. Each returns 0 or -errno, and ends the process in no case.
 */
#pragma once

#include <stdint.h>

#include "../kmod/target.h"

/* Opens device-mapper's control node, once. Ends the process on failure. */
void device_begin(void);
/* The device without a table; fills in t->device. */
int device_define(struct target *t);
/* Loads a table of t's one target, with t's options and the node `node_name`. */
int device_load(const struct target *t, const char *node_name);
int device_suspend(const struct target *t, uint32_t flags);
int device_resume(const struct target *t);
int device_remove(const struct target *t, uint32_t flags);
int device_message(const struct target *t, const char *message);
int device_status(const struct target *t);
