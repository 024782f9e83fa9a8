// SPDX-License-Identifier: Apache-2.0
/* What was told last of each thing; see news.h. */
#include "ctl/news.h"

#include <string.h>

bool news_is(struct news *news, const char *key, const char *words)
{
	if (!news->told)
		news->told = object_new();
	if (strcmp(object_string(news->told, key, ""), words) == 0)
		return false;
	object_set_string(news->told, key, words);
	return true;
}

void news_forget(struct news *news, const char *key)
{
	if (news->told)
		json_object_object_del(news->told, key);
}

void news_done(struct news *news)
{
	json_object_put(news->told);
	news->told = NULL;
}
