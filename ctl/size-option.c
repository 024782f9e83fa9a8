// SPDX-License-Identifier: Apache-2.0
/* A backend's options of kind "size"; see size-option.h. */
#include "ctl/size-option.h"
#include "ctl/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Plain digits are taken as they are. */
static bool has_unit(const char *text, uint64_t *ret_bytes)
{
	return quantity_parse_size(text, ret_bytes) == 0 && text[strspn(text, "0123456789")];
}

static struct json_object *options_of(struct json_object *create)
{
	return object_member(create, "options", json_type_object);
}

bool size_options_need_kinds(struct json_object *create)
{
	struct json_object *options = options_of(create);
	uint64_t bytes;

	if (!options)
		return false;
	for (struct json_object_iterator i = json_object_iter_begin(options),
					 end = json_object_iter_end(options);
	     !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
		if (has_unit(json_object_get_string(json_object_iter_peek_value(&i)), &bytes))
			return true;
	return false;
}

struct json_object *size_options_find_backend(struct json_object *backends, const char *type)
{
	for (size_t i = 0; i < object_array_length(backends, "backends"); i++) {
		struct json_object *backend = object_array_element(backends, "backends", i);

		if (strcmp(object_string(backend, "type", ""), type) == 0)
			return backend;
	}
	return NULL;
}

static void to_bytes(struct json_object *options, struct json_object *backend)
{
	for (size_t i = 0; i < object_array_length(backend, "options"); i++) {
		struct json_object *option = object_array_element(backend, "options", i);
		const char *name = object_string(option, "name", "");
		uint64_t bytes;
		char digits[24];

		if (strcmp(object_string(option, "kind", ""), "size") != 0 ||
		    !has_unit(object_string(options, name, ""), &bytes))
			continue;
		snprintf(digits, sizeof(digits), "%" PRIu64, bytes);
		object_set_string(options, name, digits);
	}
}

struct json_object *size_options_to_bytes(struct json_object *create, struct json_object *backend)
{
	struct json_object *copy = object_copy(create);

	if (options_of(copy))
		to_bytes(options_of(copy), backend);
	return copy;
}
