/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting parameters together, and taking replies apart.
 *
 * Out of memory ends the program: there is nothing that a command could do about it. What is absent
 * from a reply, or of another type, reads as the fallback.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object *object_new(void);
struct json_object *object_new_array(void);
/* Takes over element. */
void object_append(struct json_object *array, struct json_object *element);
void object_set_string(struct json_object *object, const char *key, const char *value);
void object_set_int(struct json_object *object, const char *key, int64_t value);
void object_set_bool(struct json_object *object, const char *key, bool value);
/* Takes over value. */
void object_set(struct json_object *object, const char *key, struct json_object *value);

/* All of it, the caller's to put. */
struct json_object *object_copy(struct json_object *object);

/* They live as the object does. */
const char *object_string(struct json_object *object, const char *key, const char *fallback);
int64_t object_int(struct json_object *object, const char *key, int64_t fallback);
bool object_bool(struct json_object *object, const char *key);
/* NULL if it is not there or not of that type. */
struct json_object *object_member(struct json_object *object, const char *key, enum json_type type);
/* The elements of an array member; 0 if there is none. */
size_t object_array_length(struct json_object *object, const char *key);
struct json_object *object_array_element(struct json_object *object, const char *key, size_t index);

/* Reads one JSON value of size bytes, strictly. -EINVAL: it is none. -ENOMEM. */
int object_parse(const char *text, size_t size, struct json_object **ret_object);

static inline void object_putp(struct json_object **object)
{
	json_object_put(*object);
}
