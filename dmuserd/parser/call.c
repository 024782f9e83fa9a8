// SPDX-License-Identifier: Apache-2.0
/* One Varlink call; see call.h. */
#include "dmuserd/parser/call.h"
#include "dmuserd/parser/method.h"
#include "dmuserd/parser/refusal.h"
#include "dmuserd/parser/tree.h"
#include "util/cleanup.h"

#include <string.h>

/* Strings and objects belong to the tree. */
struct envelope {
	const char *method;
	json_object *parameters;
	uint8_t more, oneway, upgrade;
};

static int read_method_name(struct reader *reader, const struct field *field, json_object *value,
			    void *place)
{
	const char **method = place;

	if (!json_object_is_type(value, json_type_string))
		return FIELD_REFUSED;
	*method = json_object_get_string(value);
	/* Without a dot it names no interface. */
	return strrchr(*method, '.') ? 0 : FIELD_REFUSED;
}

static int read_parameters(struct reader *reader, const struct field *field, json_object *value,
			   void *place)
{
	json_object **parameters = place;

	if (!json_object_is_type(value, json_type_object))
		return FIELD_REFUSED;
	*parameters = value;
	return 0;
}

static const struct field envelope_fields[] = {
	{ "method", true, read_method_name, FIELD_AT(struct envelope, method) },
	{ "parameters", false, read_parameters, FIELD_AT(struct envelope, parameters) },
	{ "more", false, field_bool, FIELD_AT(struct envelope, more) },
	{ "oneway", false, field_bool, FIELD_AT(struct envelope, oneway) },
	{ "upgrade", false, field_bool, FIELD_AT(struct envelope, upgrade) },
	{},
};

/* 0 with the envelope and the message's flags; or FIELD_REFUSED with the refusal written. */
static int read_envelope(json_object *tree, struct envelope *envelope,
			 struct parser_message *message)
{
	struct reader reader = {};
	int r = fields_read(&reader, envelope_fields, tree, envelope);

	/* Several answers and none at all: no telling which is meant. */
	if (r == 0 && envelope->more && envelope->oneway)
		r = field_refuse(&reader, "oneway");
	if (r) {
		refusal_write_place(message, true, &reader.path);
		return r;
	}
	message->flags = (envelope->more ? PARSER_CALL_MORE : 0) |
			 (envelope->oneway ? PARSER_CALL_ONEWAY : 0);
	return 0;
}

/* A place in the text as the method knows it: "parameters.name" is its "name". */
static void enter_parameters(struct path *place)
{
	static const char prefix[] = "parameters.";
	size_t size = sizeof(prefix) - 1;

	if (place->depth < 2 || strncmp(place->text, prefix, size) != 0)
		return;
	memmove(place->text, place->text + size, place->len - size + 1);
	place->len -= size;
	place->depth--;
}

/* The text has been refused. tree: what json-c made of it, or NULL. */
static void refuse_text(json_object *tree, struct path *place, struct parser_message *message)
{
	struct envelope envelope = {};
	bool outside = place->depth < 2;

	if (tree && read_envelope(tree, &envelope, message))
		return;
	enter_parameters(place);
	refusal_write_place(message, !tree || outside, place);
}

/* Behind a good envelope: the method and its parameters. */
static void read_call(const struct envelope *envelope, size_t n_fds, struct parser_message *message)
{
	struct reader reader = { .n_fds = n_fds };
	const char *dot = strrchr(envelope->method, '.');
	size_t interface_size = (size_t)(dot - envelope->method);
	const struct method *method = NULL;
	char interface[PARSER_TEXT_SIZE] = "";
	int r = method_find(envelope->method, interface_size, dot + 1, &method);

	if (r == METHOD_NO_METHOD) {
		refusal_write(message, PARSER_REFUSED_METHOD_NOT_FOUND, false, envelope->method);
		return;
	}
	if (r == METHOD_NO_INTERFACE) {
		size_t cut = interface_size < sizeof(interface) ? interface_size :
								  sizeof(interface) - 1;

		memcpy(interface, envelope->method, cut);
		refusal_write(message, PARSER_REFUSED_INTERFACE_NOT_FOUND, false, interface);
		return;
	}
	if (method->needs_more && !envelope->more) {
		refusal_write(message, PARSER_REFUSED_EXPECTED_MORE, false, NULL);
		return;
	}
	if (method_read(method, &reader, envelope->parameters, message)) {
		refusal_write_place(message, false, &reader.path);
		return;
	}
	message->event = PARSER_REQUEST;
	message->method = method->number;
	message->n_fds = (uint32_t)n_fds;
}

int call_parse(struct text *text, const char *bytes, size_t size, size_t n_fds,
	       struct parser_message *ret_message)
{
	_cleanup_(json_putp) json_object *tree = NULL;
	struct envelope envelope = {};
	struct path place;
	int r = tree_parse(text, bytes, size, &tree, &place);

	if (r < 0)
		return r;
	memset(ret_message, 0, sizeof(*ret_message));
	ret_message->version = PARSER_MESSAGE_VERSION;
	if (r) {
		refuse_text(tree, &place, ret_message);
		return 0;
	}
	if (read_envelope(tree, &envelope, ret_message))
		return 0;
	if (envelope.upgrade) {
		refusal_write(ret_message, PARSER_REFUSED_INVALID_PARAMETER, false, "upgrade");
		return 0;
	}
	read_call(&envelope, n_fds, ret_message);
	return 0;
}
