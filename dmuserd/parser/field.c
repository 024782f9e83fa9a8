// SPDX-License-Identifier: Apache-2.0
/*
 * What a JSON object may hold, as a table; see field.h.
 *
 * As in text.c the path is left where it is at a refusal, and so names the place.
 */
#include "dmuserd/parser/field.h"

#include <json-c/linkhash.h>
#include <string.h>

static void store(const struct field *field, void *place, int64_t value)
{
	uint8_t u8 = (uint8_t)value;
	uint32_t u32 = (uint32_t)value;

	/* A flag is of 1 byte or 4, a number of 4 or 8. */
	if (field->size == sizeof(u8))
		memcpy(place, &u8, sizeof(u8));
	else if (field->size == sizeof(u32))
		memcpy(place, &u32, sizeof(u32));
	else
		memcpy(place, &value, sizeof(value));
}

int field_integer(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return FIELD_REFUSED;
	number = json_object_get_int64(value);
	if (number < field->min || number > field->max)
		return FIELD_REFUSED;
	store(field, place, number);
	return 0;
}

int field_bool(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	if (!json_object_is_type(value, json_type_boolean))
		return FIELD_REFUSED;
	store(field, place, json_object_get_boolean(value) ? 1 : 0);
	return 0;
}

static bool is_printable(const char *string)
{
	for (const char *c = string; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return true;
}

int field_string(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	const char *string;
	size_t size;

	if (!json_object_is_type(value, json_type_string))
		return FIELD_REFUSED;
	string = json_object_get_string(value);
	size = (size_t)json_object_get_string_len(value);
	if (size == 0 || size >= field->size || strlen(string) != size || !is_printable(string))
		return FIELD_REFUSED;
	if (field->valid && !field->valid(string))
		return FIELD_REFUSED;
	memcpy(place, string, size + 1);
	return 0;
}

int field_word(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	if (!json_object_is_type(value, json_type_string))
		return FIELD_REFUSED;
	for (int64_t i = 0; field->words[i]; i++) {
		if (strcmp(field->words[i], json_object_get_string(value)) == 0) {
			store(field, place, i + 1);
			return 0;
		}
	}
	return FIELD_REFUSED;
}

int field_fd(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	int64_t index;

	if (!json_object_is_type(value, json_type_int))
		return FIELD_REFUSED;
	index = json_object_get_int64(value);
	if (index < 0 || (uint64_t)index >= reader->n_fds)
		return FIELD_REFUSED;
	reader->used_fds |= 1u << index;
	store(field, place, index);
	return 0;
}

int field_object(struct reader *reader, const struct field *field, json_object *value, void *place)
{
	if (!json_object_is_type(value, json_type_object))
		return FIELD_REFUSED;
	return fields_read(reader, field->fields, value, place);
}

static const struct field *field_find(const struct field *fields, const char *name)
{
	while (fields->name && strcmp(fields->name, name) != 0)
		fields++;
	return fields->name ? fields : NULL;
}

static int read_given(struct reader *reader, const struct field *fields, json_object *object,
		      void *base)
{
	json_object_object_foreach(object, name, value)
	{
		struct path_mark mark = path_add_key(&reader->path, name, strlen(name));
		const struct field *field = field_find(fields, name);

		if (!field)
			return FIELD_REFUSED;
		if (value) { /* json-c's null is NULL */
			int r = field->read(reader, field, value, (char *)base + field->offset);

			if (r)
				return r;
		}
		path_back(&reader->path, mark);
	}
	return 0;
}

int fields_read(struct reader *reader, const struct field *fields, json_object *object, void *base)
{
	int r = object ? read_given(reader, fields, object, base) : 0;

	if (r)
		return r;
	for (const struct field *field = fields; field->name; field++) {
		if (field->required && !json_object_object_get(object, field->name))
			return field_refuse(reader, field->name);
	}
	return 0;
}

int field_refuse(struct reader *reader, const char *name)
{
	path_add_key(&reader->path, name, strlen(name));
	return FIELD_REFUSED;
}
