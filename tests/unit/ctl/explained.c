// SPDX-License-Identifier: Apache-2.0
/* See explained.h. */
#include "explained.h"

#include <json-c/json.h>

struct explanation explained_to(bool is_root, const char *request, const char *error,
				const char *parameters)
{
	struct json_object *p = json_tokener_parse(parameters);
	struct circumstances c = { .is_root = is_root,
				   .words = request ? WORDS_OF_COMMAND_LINE : WORDS_OF_INTERFACE,
				   .request = request ? json_tokener_parse(request) : NULL };
	struct explanation e;

	explain_reply_in(&c, error, p, &e);
	json_object_put(c.request);
	json_object_put(p);
	return e;
}
