/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was told last of each thing, so that it is told again only when it has become another. Owns
 * copies of keys and words. Out of memory ends the program.
 *
 * Subscribe repeats no event either; but a line for people shows less than an event has, so that
 * two that differ can read alike, and a dmuserd older than that promise does repeat them.
 */
#pragma once

#include "ctl/object.h"

struct news {
	struct json_object *told; /* key to words; NULL: nothing yet */
};

/* Whether that is news; it is remembered as told. */
bool news_is(struct news *news, const char *key, const char *words);
/* There is no such thing any more. */
void news_forget(struct news *news, const char *key);
void news_done(struct news *news);
