// SPDX-License-Identifier: Apache-2.0
/* A checked text as json-c's tree; see tree.h. */
#include "dmuserd/parser/tree.h"
#include "util/cleanup.h"

#include <json-c/json_tokener.h>
#include <limits.h>

static void tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

int tree_parse(struct text *text, const char *bytes, size_t size, json_object **ret_tree,
	       struct path *ret_where)
{
	_cleanup_(tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(json_putp) json_object *tree = NULL;
	int verdict;

	_Static_assert(PARSER_MESSAGE_MAX_BYTES < INT_MAX, "json-c counts in int");
	if (size > PARSER_MESSAGE_MAX_BYTES) {
		path_clear(ret_where);
		return TEXT_BROKEN;
	}
	verdict = text_check(text, bytes, size, ret_where);
	if (verdict == TEXT_BROKEN)
		return verdict;

	/* One more than the check lets through, so that its limit is the one that counts. */
	tokener = json_tokener_new_ex(TEXT_DEPTH_MAX + 1);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	tree = json_tokener_parse_ex(tokener, bytes, (int)size);
	/* Two readers that disagree about a text are an attack on one of them. */
	if (!json_object_is_type(tree, json_type_object)) {
		path_clear(ret_where);
		return TEXT_BROKEN;
	}
	*ret_tree = take_ptr(&tree);
	return verdict;
}
