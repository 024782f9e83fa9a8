/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool whose parsers are played: the test holds the other end of each link.
 */
#pragma once

#include "dmuserd/supervisor/parser-pool.h"

#include <stdbool.h>

#define FAKE_PARSERS_MAX 16

void fake_pool_reset(void);
/* false: whoever wants a parser waits until fake_pool_hands_out(). */
extern bool fake_pool_is_full;
/* The longest waiter gets a parser, or that error. */
void fake_pool_hands_out(int error);
/* The parsers' own ends, in the order in which they were taken. */
extern int fake_parsers[FAKE_PARSERS_MAX];
extern size_t fake_n_parsers, fake_n_ended;
