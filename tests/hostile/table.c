// SPDX-License-Identifier: Apache-2.0
/*
 * A table line's words after `user`, with random options: mostly such that holders feel them.
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"

struct words {
	unsigned nr;
	size_t len;
	char text[TABLE_WORDS_MAX / 2];
};

__attribute__((format(printf, 3, 4)))
static void add(struct words *w, unsigned nr, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	w->len += vsnprintf(w->text + w->len, sizeof(w->text) - w->len, format, arguments);
	va_end(arguments);
	w->nr += nr;
}

void table_words(struct prng *p, unsigned target, unsigned node, unsigned block_size,
		 bool read_only, char ret_words[TABLE_WORDS_MAX])
{
	struct words w = { 0 };

	add(&w, 2, " block_size %u", block_size);
	if (prng_one_in(p, 2))
		add(&w, 2, " on_close requeue");
	if (prng_one_in(p, 3))
		add(&w, 2, " max_outstanding %u", 1 + (unsigned)prng_small(p, 64));
	if (prng_one_in(p, 3))
		add(&w, 2, " volatile_cache off");
	if (prng_one_in(p, 2))
		add(&w, 2, " attach_timeout_ms %u", 1 + (unsigned)prng_small(p, 1000));
	if (prng_one_in(p, 2))
		add(&w, 2, " request_timeout_ms %u", 1 + (unsigned)prng_small(p, 2000));
	if (prng_one_in(p, 4))
		add(&w, 2, prng_one_in(p, 2) ? " discard off" : " discard 64:16");
	if (prng_one_in(p, 6))
		add(&w, 2, prng_one_in(p, 2) ? " secure_erase off" : " secure_erase 64");
	if (prng_one_in(p, 4))
		add(&w, 2, prng_one_in(p, 2) ? " write_zeroes off" : " write_zeroes 64");
	if (prng_one_in(p, 4))
		add(&w, 2, " max_io_kb %u", 4 << prng_below(p, 6));
	if (read_only)
		add(&w, 1, " read_only");
	snprintf(ret_words, TABLE_WORDS_MAX, "0 %u hostile-%u.%u %u%s", TARGET_SECTORS, target,
		 node, w.nr, w.text);
}

bool table_bad_words(struct prng *p, unsigned target, unsigned live_node,
		     char ret_words[TABLE_WORDS_MAX])
{
	static const char *const options[] = {
		"1", "2 on_close", "2 on_close maybe", "4 on_close error on_close error",
		"2 max_outstanding 0", "2 max_outstanding 65537", "2 request_timeout_ms -1",
		"2 block_size 513", "2 discard 7:3", "2 nonsense 1", "-1", "99999999999999999999",
		"2 attach_timeout_ms 86400001", "1 read_only", "2 max_io_kb 3", "\xff\xfe",
	};
	static const char *const heads[] = { "", "0", "0 0", "1 4096 x", "0 4095 x", "0 4096 ../x",
					     "0 4096 .", "0 4096 a/b", "0 4096 \xc3\xa9" };

	if (prng_one_in(p, 4)) {
		snprintf(ret_words, TABLE_WORDS_MAX, "0 %u hostile-%u.%u", TARGET_SECTORS, target,
			 live_node);
		return false;
	}
	if (prng_one_in(p, 4))
		snprintf(ret_words, TABLE_WORDS_MAX, "%s",
			 heads[prng_below(p, sizeof(heads) / sizeof(*heads))]);
	else
		snprintf(ret_words, TABLE_WORDS_MAX, "0 %u hostile-%u.bad %s", TARGET_SECTORS,
			 target, options[prng_below(p, sizeof(options) / sizeof(*options))]);
	return true;
}
