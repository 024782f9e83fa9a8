// SPDX-License-Identifier: Apache-2.0
/* Putting parameters together, and taking replies apart; see object.h. */
#include "ctl/object.h"
#include "util/cleanup.h"

#include <limits.h>
#include <string.h>

#define JSON_MAX_DEPTH 32

static void object_no_memory(void)
{
	fputs("out of memory\n", stderr);
	exit(EXIT_FAILURE);
}

struct json_object *object_new(void)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		object_no_memory();
	return object;
}

struct json_object *object_new_array(void)
{
	struct json_object *array = json_object_new_array();

	if (!array)
		object_no_memory();
	return array;
}

void object_append(struct json_object *array, struct json_object *element)
{
	if (!element || json_object_array_add(array, element) < 0)
		object_no_memory();
}

void object_set(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add(object, key, value) < 0)
		object_no_memory();
}

void object_set_string(struct json_object *object, const char *key, const char *value)
{
	object_set(object, key, json_object_new_string(value));
}

void object_set_int(struct json_object *object, const char *key, int64_t value)
{
	object_set(object, key, json_object_new_int64(value));
}

void object_set_bool(struct json_object *object, const char *key, bool value)
{
	object_set(object, key, json_object_new_boolean(value));
}

struct json_object *object_copy(struct json_object *object)
{
	struct json_object *copy = NULL;

	if (json_object_deep_copy(object, &copy, NULL) < 0)
		object_no_memory();
	return copy;
}

struct json_object *object_member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return NULL;
	return value;
}

const char *object_string(struct json_object *object, const char *key, const char *fallback)
{
	struct json_object *value = object_member(object, key, json_type_string);

	return value ? json_object_get_string(value) : fallback;
}

int64_t object_int(struct json_object *object, const char *key, int64_t fallback)
{
	struct json_object *value = object_member(object, key, json_type_int);

	return value ? json_object_get_int64(value) : fallback;
}

bool object_bool(struct json_object *object, const char *key)
{
	struct json_object *value = object_member(object, key, json_type_boolean);

	return value && json_object_get_boolean(value);
}

size_t object_array_length(struct json_object *object, const char *key)
{
	struct json_object *array = object_member(object, key, json_type_array);

	return array ? json_object_array_length(array) : 0;
}

struct json_object *object_array_element(struct json_object *object, const char *key, size_t index)
{
	return json_object_array_get_idx(object_member(object, key, json_type_array), index);
}

static void json_tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

int object_parse(const char *text, size_t size, struct json_object **ret_object)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(object_putp) struct json_object *object = NULL;

	if (size >= INT_MAX || memchr(text, 0, size))
		return -EINVAL;
	tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	/* White space after it is no part of it, and no error. */
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    strspn(text + json_tokener_get_parse_end(tokener), " \t\r\n") !=
		    size - json_tokener_get_parse_end(tokener))
		return -EINVAL;
	*ret_object = take_ptr(&object);
	return 0;
}
