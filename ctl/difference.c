// SPDX-License-Identifier: Apache-2.0
/* In what a volume differs from the one that was asked for; see difference.h. */
#include "ctl/difference.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

/* "4K" and "4096" are the same, if the one that was asked for is a size. */
static bool is_same_value(const char *asked, const char *has)
{
	uint64_t a, b;

	if (!asked || !has)
		return asked == has;
	return strcmp(asked, has) == 0 ||
	       (quantity_parse_size(asked, &a) == 0 && quantity_parse_size(has, &b) == 0 && a == b);
}

/* The first key of a whose value in b is another, or none. */
static const char *find_difference(struct json_object *a, struct json_object *b)
{
	if (!a)
		return NULL;
	json_object_object_foreach(a, key, value) {
		(void)value;
		if (!is_same_value(object_string(a, key, NULL), object_string(b, key, NULL)))
			return key;
	}
	return NULL;
}

const char *difference_option(struct json_object *request, struct json_object *existing)
{
	struct json_object *asked = object_member(request, "options", json_type_object);
	struct json_object *has = object_member(existing, "options", json_type_object);
	const char *key;

	if (!request || !existing)
		return NULL;
	key = find_difference(asked, has);
	return key ? key : find_difference(has, asked);
}

static void tell(const char *has, const char *asked, char out[static DIFFERENCE_SIZE])
{
	snprintf(out, DIFFERENCE_SIZE, "it has %s, and %s was asked for", has, asked);
}

static void tell_bytes(struct json_object *request, struct json_object *existing, const char *field,
		       const char *unasked, char out[static DIFFERENCE_SIZE])
{
	int64_t asked = object_int(request, field, 0);
	char texts[2][24];

	quantity_format_size((uint64_t)object_int(existing, field, 0), texts[0]);
	tell(texts[0], asked > 0 ? quantity_format_size((uint64_t)asked, texts[1]) : unasked, out);
}

/*
 * What is bound ends with its container, kept or not. What has been asked for is the other one of
 * the two that are not.
 */
static void tell_end(struct json_object *existing, char out[static DIFFERENCE_SIZE])
{
	const char *container = object_string(existing, "container", NULL);

	if (container)
		snprintf(out, DIFFERENCE_SIZE, "it ends with container %s", container);
	else if (object_bool(existing, "keep"))
		snprintf(out, DIFFERENCE_SIZE,
			 "it stays until it is released, and a lease was asked for");
	else
		snprintf(out, DIFFERENCE_SIZE, "it is on lease, and none was asked for");
}

const char *difference_tell(struct json_object *request, struct json_object *existing,
			    const char *field, char out[static DIFFERENCE_SIZE])
{
	const char *option;

	if (!request || !existing)
		return NULL;
	if (strcmp(field, "size_bytes") == 0) {
		tell_bytes(request, existing, field, "none", out);
	} else if (strcmp(field, "block_size") == 0) {
		tell_bytes(request, existing, field, "512", out);
	} else if (strcmp(field, "backend") == 0) {
		tell(object_string(existing, field, "?"), object_string(request, field, "?"), out);
	} else if (strcmp(field, "read_only") == 0) {
		snprintf(out, DIFFERENCE_SIZE, "%s", object_bool(existing, field) ?
			 "it is read-only" : "it can be written to");
	} else if (strcmp(field, "keep") == 0) {
		tell_end(existing, out);
	} else {
		option = difference_option(request, existing);
		if (!option)
			return NULL;
		tell(object_string(object_member(existing, "options", json_type_object), option,
				   "none"),
		     object_string(object_member(request, "options", json_type_object), option,
				   "none"),
		     out);
	}
	return out;
}
