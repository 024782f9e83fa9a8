/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What device-mapper can do to a target of the program. Each call is one ioctl; all but the two
 * getters count themselves. Returns 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tally.h"

/* The block device's minor is always the same, so that nobody opens another target's by mistake. */
#define MAPPER_MINOR_BASE 200

int mapper_create(unsigned target);
/* A table of one target, with the words after `user`; `flags` as in struct dm_ioctl. */
int mapper_load(unsigned target, enum tally_kind kind, const char *words, uint32_t flags);
int mapper_clear(unsigned target);
int mapper_suspend(unsigned target, uint32_t flags);
int mapper_resume(unsigned target, uint32_t flags);
int mapper_remove(unsigned target, bool deferred);
int mapper_status(unsigned target, uint32_t flags);
int mapper_message(unsigned target, enum tally_kind kind, uint64_t sector, const char *message);
/* Whether device-mapper knows it. */
bool mapper_exists(unsigned target);
bool mapper_is_suspended(unsigned target);
/* What device-mapper, and the target, have to say about it now. */
void mapper_print(unsigned target);
