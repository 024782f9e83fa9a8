// SPDX-License-Identifier: Apache-2.0
/* A backend's manifest; see manifest.h. */
#include "dmuserd/parser/manifest.h"
#include "dmuserd/parser/field.h"
#include "dmuserd/parser/refusal.h"
#include "dmuserd/parser/tree.h"
#include "util/cleanup.h"

#include <string.h>

#define THREADS_MAX 64
#define SECTOR_SIZE 512
/* With its NUL it must fit into struct worker_option. */
#define STRING_MAX (WORKER_OPTION_VALUE_SIZE - 1)

/* In the order of enum manifest_kind and enum manifest_resource. */
static const char *const kind_words[] = { "string", "integer", "boolean", "size", NULL };
static const char *const resource_words[] = { "memfd", "file", NULL };

/* What a number of a kind may be; of a string, its length. */
static const struct {
	int64_t min, max;
} kind_bounds[] = {
	[MANIFEST_STRING] = { 1, STRING_MAX },
	[MANIFEST_INTEGER] = { INT64_MIN, INT64_MAX },
	[MANIFEST_BOOLEAN] = { 0, 1 },
	[MANIFEST_SIZE] = { 0, INT64_MAX },
};

/* It has no name of its own in parser.h. */
typedef __typeof__(((struct parser_manifest *)NULL)->options[0]) manifest_option;

#define IN_MANIFEST(member) FIELD_AT(struct parser_manifest, member)
#define IN_OPTION(member) FIELD_AT(manifest_option, member)
#define AT(member) FIELD_AT(struct parser_message, manifest.member)

static int read_resources(struct reader *reader, const struct field *field, json_object *value,
			  void *place)
{
	static const struct field word = { .size = sizeof(uint32_t), .words = resource_words };
	struct parser_manifest *manifest = place;

	if (!json_object_is_type(value, json_type_array) ||
	    json_object_array_length(value) > MANIFEST_RESOURCES_MAX)
		return FIELD_REFUSED;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct path_mark mark = path_add_index(&reader->path, i);
		uint32_t *resource = &manifest->resources[i];

		if (field_word(reader, &word, json_object_array_get_idx(value, i), resource))
			return FIELD_REFUSED;
		/* Options name a resource by its kind, so there is one of a kind. */
		for (size_t j = 0; j < i; j++) {
			if (manifest->resources[j] == *resource)
				return FIELD_REFUSED;
		}
		path_back(&reader->path, mark);
	}
	manifest->n_resources = (uint32_t)json_object_array_length(value);
	return 0;
}

static const struct field option_fields[] = {
	{ "name", true, field_string, IN_OPTION(name), .valid = name_is_option },
	{ "summary", true, field_string, IN_OPTION(summary) },
	{ "kind", true, field_word, IN_OPTION(kind), .words = kind_words },
	{ "required", false, field_bool, IN_OPTION(required) },
	{ "min", false, field_integer, IN_OPTION(min), .min = INT64_MIN, .max = INT64_MAX },
	{ "max", false, field_integer, IN_OPTION(max), .min = INT64_MIN, .max = INT64_MAX },
	/* A kind of resource for now; resolve_opens() turns it into an index. */
	{ "opens", false, field_word, IN_OPTION(opens), .words = resource_words },
	{},
};

static int check_option(struct reader *reader, manifest_option *option)
{
	int64_t least = kind_bounds[option->kind].min, most = kind_bounds[option->kind].max;

	/* The widest number is how read_option() says "left out". */
	if (option->min == INT64_MIN)
		option->min = least;
	if (option->max == INT64_MAX)
		option->max = most;
	if (option->min < least || option->min > most)
		return field_refuse(reader, "min");
	if (option->max < option->min || option->max > most)
		return field_refuse(reader, "max");
	/* Only a file has a path, and a worker is never started without its resources. */
	if (option->opens && (option->kind != MANIFEST_STRING || !option->required ||
			      option->opens != MANIFEST_FILE))
		return field_refuse(reader, "opens");
	return 0;
}

static int read_option(struct reader *reader, json_object *value, struct parser_manifest *manifest)
{
	manifest_option *option = &manifest->options[manifest->n_options];

	if (!json_object_is_type(value, json_type_object))
		return FIELD_REFUSED;
	option->min = INT64_MIN;
	option->max = INT64_MAX;
	if (fields_read(reader, option_fields, value, option) || check_option(reader, option))
		return FIELD_REFUSED;
	for (size_t i = 0; i < manifest->n_options; i++) {
		if (strcmp(manifest->options[i].name, option->name) == 0)
			return field_refuse(reader, "name");
	}
	manifest->n_options++;
	return 0;
}

static int read_options(struct reader *reader, const struct field *field, json_object *value,
			void *place)
{
	struct parser_manifest *manifest = place;

	if (!json_object_is_type(value, json_type_array) ||
	    json_object_array_length(value) > WORKER_OPTIONS_MAX)
		return FIELD_REFUSED;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct path_mark mark = path_add_index(&reader->path, i);

		if (read_option(reader, json_object_array_get_idx(value, i), manifest))
			return FIELD_REFUSED;
		path_back(&reader->path, mark);
	}
	return 0;
}

static const struct field size_fields[] = {
	{ "min", false, field_integer, IN_MANIFEST(min_size_bytes), .min = SECTOR_SIZE,
	  .max = INT64_MAX },
	{ "max", false, field_integer, IN_MANIFEST(max_size_bytes), .min = SECTOR_SIZE,
	  .max = INT64_MAX },
	{},
};

static const struct field manifest_fields[] = {
	{ "type", true, field_string, AT(type), .valid = name_is_backend },
	{ "summary", true, field_string, AT(summary) },
	{ "profile", true, field_string, AT(profile), .valid = name_is_backend },
	{ "memory_max_bytes", true, field_integer, AT(memory_max_bytes), .min = 1,
	  .max = INT64_MAX },
	{ "size", false, field_object, FIELD_AT(struct parser_message, manifest),
	  .fields = size_fields },
	{ "volatile_cache", false, field_bool, AT(volatile_cache) },
	{ "threads", false, field_integer, AT(n_threads), .min = 1, .max = THREADS_MAX },
	{ "resources", false, read_resources, FIELD_AT(struct parser_message, manifest) },
	{ "options", false, read_options, FIELD_AT(struct parser_message, manifest) },
	{},
};

static void prepare(struct parser_manifest *manifest)
{
	manifest->min_size_bytes = SECTOR_SIZE;
	manifest->max_size_bytes = INT64_MAX;
	manifest->n_threads = 1;
	/* Losing data quietly is worse than a flush too many. */
	manifest->volatile_cache = 1;
}

/* The option that opens the resource at an index: its place + 1; 0 if there is not exactly one. */
static size_t find_opener(const struct parser_manifest *manifest, size_t resource)
{
	size_t found = 0;

	for (size_t i = 0; i < manifest->n_options; i++) {
		if (manifest->options[i].opens != manifest->resources[resource])
			continue;
		if (found)
			return 0;
		found = i + 1;
	}
	return found;
}

/* Every file has one option that names it, and no option opens what is not there. */
static int resolve_opens(struct reader *reader, struct parser_manifest *manifest)
{
	uint32_t opens[WORKER_OPTIONS_MAX] = {};

	for (size_t i = 0; i < manifest->n_resources; i++) {
		size_t opener;

		if (manifest->resources[i] != MANIFEST_FILE)
			continue;
		opener = find_opener(manifest, i);
		if (!opener)
			return field_refuse(reader, "resources");
		opens[opener - 1] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < manifest->n_options; i++) {
		if (manifest->options[i].opens && !opens[i])
			return field_refuse(reader, "resources");
		manifest->options[i].opens = opens[i];
	}
	return 0;
}

static int read_manifest(struct reader *reader, json_object *tree, struct parser_message *message)
{
	struct parser_manifest *manifest = &message->manifest;

	prepare(manifest);
	if (fields_read(reader, manifest_fields, tree, message))
		return FIELD_REFUSED;
	if (manifest->max_size_bytes < manifest->min_size_bytes)
		return field_refuse(reader, "size");
	return resolve_opens(reader, manifest);
}

int manifest_parse(struct text *text, const char *bytes, size_t size,
		   struct parser_message *ret_message)
{
	_cleanup_(json_putp) json_object *tree = NULL;
	struct reader reader = {};
	struct path place;
	int r = tree_parse(text, bytes, size, &tree, &place);

	if (r < 0)
		return r;
	memset(ret_message, 0, sizeof(*ret_message));
	ret_message->version = PARSER_MESSAGE_VERSION;
	ret_message->event = PARSER_MANIFEST;
	if (r)
		refusal_write_place(ret_message, true, &place);
	else if (read_manifest(&reader, tree, ret_message))
		refusal_write_place(ret_message, true, &reader.path);
	return 0;
}
