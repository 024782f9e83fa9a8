/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channels that a target's hostile threads share. A thread that looks one up may find its
 * number closed, or another file's, by the time it uses it: that is meant.
 */
#pragma once

#include "prng.h"

/* -1: there is none. */
int slots_look(struct prng *p, unsigned target);
/* Takes it away, so that only the caller closes it. */
int slots_take(struct prng *p, unsigned target);
/* The same, of this one; false if it is in no slot. */
bool slots_take_this(unsigned target, int fd);
/* Puts it into a slot. Returns what was there, to be closed, or -1. */
int slots_put(struct prng *p, unsigned target, int fd);
void slots_close_all(unsigned target);
