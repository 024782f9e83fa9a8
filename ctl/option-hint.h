/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about an option of a backend that dmuserd refused, told from the reason that it gave.
 *
 * The reasons are dmuserd's own (backing.c, backend-validate.c) or a worker's; one that is not
 * known here has the general hint. Pure.
 */
#pragma once

#include "ctl/backing.h"

#include <stdbool.h>

/* Who asked for what. */
struct option_circumstances {
	bool is_root;
	bool has_size; /* one was given */
	enum backing_kind backing;
	bool is_in_dev; /* the path begins with /dev/ */
};

/* Templates; see template.h. The general one fits any refusal. Never NULL. */
extern const char option_hint_general[];
const char *option_hint(const char *reason, const struct option_circumstances *c);
