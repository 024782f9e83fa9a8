/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked text as json-c's tree. The only place that lets json-c's tokener near a client's bytes.
 */
#pragma once

#include "dmuserd/parser/text.h"

#include <json-c/json_object.h>

/* For _cleanup_; NULL is fine. */
static inline void json_putp(json_object **object)
{
	json_object_put(*object);
}

/*
 * 0 with *ret_tree, the caller's from then on; TEXT_REFUSED with *ret_where and the tree, which is
 * good enough to see whether an answer is wanted; TEXT_BROKEN with *ret_where alone; -ENOMEM.
 */
int tree_parse(struct text *text, const char *bytes, size_t size, json_object **ret_tree,
	       struct path *ret_where);
