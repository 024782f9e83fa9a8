/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table line's words after `user`, with random options.
 */
#pragma once

#include <stdbool.h>

#include "prng.h"

#define TABLE_WORDS_MAX 512

/*
 * `block_size` stays the same for a device's life: device-mapper does not care what a device's
 * users hold in caches when it changes.
 */
void table_words(struct prng *p, unsigned target, unsigned node, unsigned block_size,
		 bool read_only, char ret_words[TABLE_WORDS_MAX]);
/* One that is refused. False: unless the live table's name is not live any more. */
bool table_bad_words(struct prng *p, unsigned target, unsigned live_node,
		     char ret_words[TABLE_WORDS_MAX]);
