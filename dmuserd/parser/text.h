/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this text one JSON object, and nothing but? The look at the bytes before json-c sees them.
 *
 * json-c takes comments, single quotes, NaN, leading zeros, repeated keys, broken UTF-8, \u0000 in
 * a key, text after the end, and turns a number that does not fit into the nearest that does. None
 * of that gets past here, and what json-c is given is bounded in depth and in count, so that its
 * memory is.
 *
 * Makes no system call and no allocation. Trusts nothing: the bytes are a stranger's.
 */
#pragma once

#include "dmuserd/parser/path.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The deepest call, Create with a container or options, has 3 levels; a manifest has 3. */
#define TEXT_DEPTH_MAX 16
/* The largest manifest has about 60 values. Each costs json-c less than a kilobyte. */
#define TEXT_VALUES_MAX 1024
/* Keys must be shorter; no name that anybody knows is longer than 32. Bounds their comparing. */
#define TEXT_KEY_MAX 128

enum text_verdict {
	/* Not JSON, or beyond a limit that ends the reading. */
	TEXT_BROKEN = 1,
	/* JSON, but with something in it that no two readers take alike: a repeated key, a number
	 * beyond 64 bits, U+0000, half of a surrogate pair, a monstrous key. The rest is sound. */
	TEXT_REFUSED,
};

struct text_key {
	size_t size;
	char bytes[TEXT_KEY_MAX];
};

/* The room that a check needs; nothing in it outlives the call. 140 KiB: not for the stack. */
struct text {
	const char *at, *end;
	struct path path; /* where `at` is */
	size_t n_values;
	bool refused;
	struct path refused_at; /* the first thing refused */
	size_t n_keys;
	struct text_key keys[TEXT_VALUES_MAX]; /* of the objects that are open, outermost first */
};

/* 0, or an enum text_verdict with the place in *ret_where; its depth is 0 if no key is to blame. */
int text_check(struct text *text, const char *bytes, size_t size, struct path *ret_where);
