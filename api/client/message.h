/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Varlink messages as text: a call written out, a reply read in.
 *
 * Pure functions: no descriptor is read or written here. A reply comes from dmuserd and is trusted to mean
 * well, so that json-c's own idea of JSON will do; its shape, its UTF-8 and its end are checked.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* Deeper nesting is no reply of ours. */
#define MESSAGE_MAX_DEPTH 32

/*
 * Writes a call with its final NUL into a new buffer, which becomes the caller's; *ret_size counts the NUL.
 * -EINVAL: method empty, or parameters that are no object. -E2BIG: larger than DMUSER_CALL_MAX_BYTES.
 */
int message_format_call(const char *method, struct json_object *parameters, unsigned int flags,
			char **ret_text, size_t *ret_size);

struct message {
	struct json_object *root;       /* owned */
	struct json_object *parameters; /* owned; an object, never NULL */
	const char *error;              /* within root; NULL: a good reply */
	bool continues;
};

/* Reads size bytes, without the NUL. -EPROTO: not a Varlink reply. */
int message_parse_reply(const char *text, size_t size, struct message *ret_message);

void message_clear(struct message *message);
