// SPDX-License-Identifier: Apache-2.0
/* The methods that can be called; see method.h. */
#include "dmuserd/parser/method.h"
#include "util/cleanup.h"

#include <json-c/linkhash.h>
#include <string.h>

/* Long enough for any device to drain; a caller that wants more asks again. */
#define TIMEOUT_MAX_MS 600000
#define BLOCK_SIZE_MIN 512
#define BLOCK_SIZE_MAX 4096
/* (uid_t)-1 means "nobody" to the kernel. */
#define UID_LARGEST (UINT32_MAX - 1)

#define AT(member) FIELD_AT(struct parser_message, member)
#define IN_CONTAINER(member) FIELD_AT(struct parser_container, member)

/* Whether there is such an interface is the supervisor's to say; this is how one may look. */
static bool is_interface(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	return strspn(name, allowed) == strlen(name);
}

static bool is_power_of_two(uint64_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static int read_option(struct reader *reader, const char *name, json_object *value,
		       struct worker_option *option)
{
	static const struct field text = { FIELD_AT(struct worker_option, value) };

	if (!name_is_option(name) || field_string(reader, &text, value, option->value))
		return FIELD_REFUSED;
	memcpy(option->name, name, strlen(name) + 1);
	return 0;
}

/* An object of the client's own keys. A null is an option that is not given, as everywhere. */
static int read_options(struct reader *reader, const struct field *field, json_object *value,
			void *place)
{
	struct parser_create *create = place;

	if (!json_object_is_type(value, json_type_object))
		return FIELD_REFUSED;
	json_object_object_foreach(value, name, option)
	{
		struct path_mark mark;

		if (!option)
			continue;
		if (create->n_options == WORKER_OPTIONS_MAX)
			return FIELD_REFUSED;
		mark = path_add_key(&reader->path, name, strlen(name));
		if (read_option(reader, name, option, &create->options[create->n_options]))
			return FIELD_REFUSED;
		path_back(&reader->path, mark);
		create->n_options++;
	}
	return 0;
}

static const struct field nothing_fields[] = { {} };

static const struct field description_fields[] = {
	{ "interface", true, field_string, AT(text), .valid = is_interface },
	{},
};

static const struct field container_fields[] = {
	{ "id", true, field_string, IN_CONTAINER(id), .valid = name_is_container },
	{ "pidfd", true, field_fd, IN_CONTAINER(pidfd) },
	{},
};

static const struct field create_fields[] = {
	{ "name", true, field_string, AT(create.name), .valid = name_is_volume },
	{ "backend", true, field_string, AT(create.backend), .valid = name_is_backend },
	{ "size_bytes", false, field_integer, AT(create.size_bytes), .min = 1, .max = INT64_MAX },
	{ "options", false, read_options, AT(create) },
	{ "block_size", false, field_integer, AT(create.block_size), .min = BLOCK_SIZE_MIN,
	  .max = BLOCK_SIZE_MAX },
	{ "read_only", false, field_bool, AT(create.read_only) },
	{ "keep", false, field_bool, AT(create.keep) },
	{ "container", false, field_object, AT(create.container), .fields = container_fields },
	{},
};

static const struct field bind_fields[] = {
	{ "name", true, field_string, AT(volume.name), .valid = name_is_volume },
	{ "owner", false, field_integer, AT(volume.owner), .max = UID_LARGEST },
	{ "container", true, field_object, AT(volume.container), .fields = container_fields },
	{},
};

static const struct field release_fields[] = {
	{ "name", false, field_string, AT(volume.name), .valid = name_is_volume },
	{ "owner", false, field_integer, AT(volume.owner), .max = UID_LARGEST },
	{ "container", false, field_string, AT(volume.container.id), .valid = name_is_container },
	{ "timeout_ms", false, field_integer, AT(volume.timeout_ms), .max = TIMEOUT_MAX_MS },
	{ "reason", false, field_string, AT(volume.reason) },
	{ "unless_open", false, field_bool, AT(volume.unless_open) },
	{},
};

static const struct field describe_fields[] = {
	{ "name", true, field_string, AT(volume.name), .valid = name_is_volume },
	{ "owner", false, field_integer, AT(volume.owner), .max = UID_LARGEST },
	{ "container", false, field_string, AT(volume.container.id), .valid = name_is_container },
	{},
};

static void prepare_create(struct parser_message *message)
{
	message->create.size_bytes = PARSER_UNSET;
}

static void prepare_volume(struct parser_message *message)
{
	message->volume.owner = PARSER_UNSET;
	message->volume.timeout_ms = PARSER_UNSET;
}

static int check_create(struct reader *reader, const struct parser_message *message)
{
	const struct parser_create *create = &message->create;
	uint32_t block_size = create->block_size ? create->block_size : BLOCK_SIZE_MIN;

	if (!is_power_of_two(block_size))
		return field_refuse(reader, "block_size");
	if (create->size_bytes != PARSER_UNSET && create->size_bytes % block_size != 0)
		return field_refuse(reader, "size_bytes");
	return 0;
}

/* One volume by name, or all of a container. */
static int check_release(struct reader *reader, const struct parser_message *message)
{
	if (!message->volume.name[0] && !message->volume.container.id[0])
		return field_refuse(reader, "name");
	return 0;
}

static const struct method service_methods[] = {
	{ .name = "GetInfo", .number = PARSER_METHOD_GET_INFO, .fields = nothing_fields },
	{ .name = "GetInterfaceDescription", .number = PARSER_METHOD_GET_INTERFACE_DESCRIPTION,
	  .fields = description_fields },
	{},
};

static const struct method dmuser_methods[] = {
	{ .name = "Ping", .number = PARSER_METHOD_PING, .fields = nothing_fields },
	{ .name = "Create", .number = PARSER_METHOD_CREATE, .fields = create_fields,
	  .prepare = prepare_create, .check = check_create },
	{ .name = "Bind", .number = PARSER_METHOD_BIND, .fields = bind_fields,
	  .prepare = prepare_volume },
	{ .name = "Release", .number = PARSER_METHOD_RELEASE, .fields = release_fields,
	  .prepare = prepare_volume, .check = check_release },
	{ .name = "Describe", .number = PARSER_METHOD_DESCRIBE, .fields = describe_fields,
	  .prepare = prepare_volume },
	{ .name = "List", .number = PARSER_METHOD_LIST, .fields = nothing_fields },
	{ .name = "ListBackends", .number = PARSER_METHOD_LIST_BACKENDS, .fields = nothing_fields },
	{ .name = "Subscribe", .number = PARSER_METHOD_SUBSCRIBE, .fields = nothing_fields,
	  .needs_more = true },
	{},
};

static const struct {
	const char *name;
	const struct method *methods;
} interfaces[] = {
	{ "org.varlink.service", service_methods },
	{ "io.dmuser", dmuser_methods },
};

int method_find(const char *interface, size_t interface_size, const char *name,
		const struct method **ret_method)
{
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
		if (strlen(interfaces[i].name) != interface_size ||
		    memcmp(interfaces[i].name, interface, interface_size) != 0)
			continue;
		for (const struct method *m = interfaces[i].methods; m->name; m++) {
			if (strcmp(m->name, name) == 0) {
				*ret_method = m;
				return 0;
			}
		}
		return METHOD_NO_METHOD;
	}
	return METHOD_NO_INTERFACE;
}

int method_read(const struct method *method, struct reader *reader, json_object *parameters,
		struct parser_message *message)
{
	int r;

	if (method->prepare)
		method->prepare(message);
	r = fields_read(reader, method->fields, parameters, message);
	if (r == 0 && method->check)
		r = method->check(reader, message);
	/* A descriptor that nothing names would be the supervisor's to lose. */
	if (r == 0 && reader->used_fds != (1u << reader->n_fds) - 1)
		r = field_refuse(reader, "fds");
	return r;
}
