/* SPDX-License-Identifier: Apache-2.0 */
/* What the spawner may do: what it takes at its start, and what it gives up before it serves. */
#pragma once

#include "dmuserd/messages/test-hooks.h"

#include <linux/filter.h>

/* What its children inherit and cannot get for themselves. While all capabilities are there. */
int powers_take(const struct hooks *hooks);

/* The last thing before the first request: from here on only what DESIGN's table says. */
int powers_give_up(const struct sock_fprog *own_filter, const struct hooks *hooks);
