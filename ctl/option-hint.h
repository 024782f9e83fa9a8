/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about an option of a backend that dmuserd refused, told from the reason that it gave.
 *
 * The reasons are dmuserd's own (backing.c, backend-validate.c) or a worker's; one that is not known here has
 * the general hint. Pure.
 */
#pragma once

#include <stdbool.h>

/* Who asked for what. */
struct option_circumstances {
	bool is_root;
	bool has_size; /* --size was given */
};

/*
 * A template as explain.c fills it: {value}, what was given, and {directory}, where that lies, each as a word
 * for a shell; {option}, {size}, {backend}, {log}. Never NULL.
 */
const char *option_hint(const char *reason, const struct option_circumstances *c);
