// SPDX-License-Identifier: Apache-2.0
/* Varlink messages as text; see message.h. */
#include "api/client/message.h"
#include "api/dmuser.h"
#include "util/cleanup.h"

#include <limits.h>
#include <string.h>

static void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

static void json_tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* Takes over value, also on failure. */
static int object_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int call_build(const char *method, struct json_object *parameters, unsigned int flags,
		      struct json_object **ret_call)
{
	_cleanup_(json_putp) struct json_object *call = json_object_new_object();
	int r;

	if (!call)
		return -ENOMEM;
	r = object_add(call, "method", json_object_new_string(method));
	if (r == 0 && parameters)
		r = object_add(call, "parameters", json_object_get(parameters));
	if (r == 0 && (flags & DMUSER_CALL_MORE))
		r = object_add(call, "more", json_object_new_boolean(true));
	if (r == 0 && (flags & DMUSER_CALL_ONEWAY))
		r = object_add(call, "oneway", json_object_new_boolean(true));
	if (r < 0)
		return r;
	*ret_call = take_ptr(&call);
	return 0;
}

int message_format_call(const char *method, struct json_object *parameters, unsigned int flags,
			char **ret_text, size_t *ret_size)
{
	_cleanup_(json_putp) struct json_object *call = NULL;
	const char *text;
	char *copy;
	size_t size;
	int r;

	if (!method || !method[0])
		return -EINVAL;
	if (parameters && !json_object_is_type(parameters, json_type_object))
		return -EINVAL;
	r = call_build(method, parameters, flags, &call);
	if (r < 0)
		return r;

	/* JSON writes a NUL inside a string as \u0000, so the only NUL is the one that ends the message. */
	text = json_object_to_json_string_length(
		call, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	if (!text)
		return -ENOMEM;
	size++;
	if (size > DMUSER_CALL_MAX_BYTES)
		return -E2BIG;
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, size);
	*ret_text = copy;
	*ret_size = size;
	return 0;
}

/* Strictly one JSON object and nothing after it. */
static int object_parse(const char *text, size_t size, struct json_object **ret_object)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(json_putp) struct json_object *object = NULL;

	if (size == 0 || size > INT_MAX)
		return -EPROTO;
	tokener = json_tokener_new_ex(MESSAGE_MAX_DEPTH);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != size ||
	    !json_object_is_type(object, json_type_object))
		return -EPROTO;
	*ret_object = take_ptr(&object);
	return 0;
}

/* A string without a NUL in it. */
static bool json_is_plain_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

int message_parse_reply(const char *text, size_t size, struct message *ret_message)
{
	_cleanup_(json_putp) struct json_object *root = NULL;
	_cleanup_(json_putp) struct json_object *parameters = NULL;
	struct json_object *value;
	struct message message = {};
	int r;

	r = object_parse(text, size, &root);
	if (r < 0)
		return r;
	if (json_object_object_get_ex(root, "error", &value)) {
		if (!json_is_plain_string(value))
			return -EPROTO;
		message.error = json_object_get_string(value);
	}
	if (json_object_object_get_ex(root, "continues", &value)) {
		if (!json_object_is_type(value, json_type_boolean))
			return -EPROTO;
		message.continues = json_object_get_boolean(value);
	}
	/* An error is the last word on a call. */
	if (message.error && message.continues)
		return -EPROTO;
	if (json_object_object_get_ex(root, "parameters", &value)) {
		if (!json_object_is_type(value, json_type_object))
			return -EPROTO;
		parameters = json_object_get(value);
	} else {
		parameters = json_object_new_object();
		if (!parameters)
			return -ENOMEM;
	}
	message.root = take_ptr(&root);
	message.parameters = take_ptr(&parameters);
	*ret_message = message;
	return 0;
}

void message_clear(struct message *message)
{
	json_object_put(message->parameters);
	json_object_put(message->root);
	*message = (struct message){};
}
