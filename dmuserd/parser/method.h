/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The methods that can be called, and what each one's parameters may hold.
 *
 * The interface definition is api/io.dmuser.varlink; this is the same list as tables, with the
 * ranges that its comments state.
 */
#pragma once

#include "dmuserd/parser/field.h"

struct method {
	const char *name; /* without the interface */
	enum parser_method number;
	const struct field *fields; /* places in a struct parser_message */
	/* Sets what the message says for fields that are left out; NULL: zeroes will do. */
	void (*prepare)(struct parser_message *message);
	/* What no field can tell alone: 0, or FIELD_REFUSED with the reader's path. Or NULL. */
	int (*check)(struct reader *reader, const struct parser_message *message);
	bool needs_more;
};

enum method_found { METHOD_NO_INTERFACE = 1, METHOD_NO_METHOD };

/* interface: not NUL-terminated. 0, or an enum method_found that says what there is none of. */
int method_find(const char *interface, size_t interface_size, const char *name,
		const struct method **ret_method);

/* The parameters of one call, NULL if there were none. 0, or FIELD_REFUSED with the place. */
int method_read(const struct method *method, struct reader *reader, json_object *parameters,
		struct parser_message *message);
