// SPDX-License-Identifier: Apache-2.0
/*
 * What a method takes; see description.h.
 *
 * Of the language, what an argument list needs: "method NAME(NAME: TYPE, …)" and "type NAME
 * (NAME: TYPE, …)" at the beginning of a line, comments, and types that may hold parentheses of
 * their own.
 */
#include "ctl/description.h"
#include "util/cleanup.h"

#include <stdbool.h>
#include <string.h>

#define TYPE_SIZE 128

/* A "(NAME: TYPE, …)", as a piece of the description: what is between the parentheses. */
struct arguments {
	const char *begin, *end;
};

/* Behind blanks, line ends and comments. */
static const char *skip(const char *p, const char *end)
{
	while (p < end) {
		if (*p == '#')
			while (p < end && *p != '\n')
				p++;
		else if (!strchr(" \t\r\n", *p))
			break;
		else
			p++;
	}
	return p;
}

/* From behind a '(' to its ')'. NULL: there is none. */
static const char *find_end(const char *p)
{
	for (unsigned int depth = 1; *p; p++) {
		if (*p == '#')
			p += strcspn(p, "\n");
		if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p;
		if (!*p)
			break;
	}
	return NULL;
}

static int find_arguments(const char *description, const char *word, const char *name,
			  struct arguments *ret)
{
	size_t word_length = strlen(word), name_length = strlen(name);

	for (const char *p = description; p && *p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, word, word_length) != 0 || p[word_length] != ' ' ||
		    strncmp(p + word_length + 1, name, name_length) != 0)
			continue;
		ret->begin = p + word_length + 1 + name_length;
		ret->begin += strspn(ret->begin, " ");
		if (*ret->begin++ != '(')
			continue;
		ret->end = find_end(ret->begin);
		return ret->end ? 0 : -ENOENT;
	}
	return -ENOENT;
}

/* Takes "NAME: TYPE" and the comma. False: there are no more. */
static bool next_argument(struct arguments *a, char name[static TYPE_SIZE],
			  char type[static TYPE_SIZE])
{
	const char *p = skip(a->begin, a->end), *colon = memchr(p, ':', (size_t)(a->end - p)), *end;
	int depth = 0;

	if (!colon)
		return false;
	snprintf(name, TYPE_SIZE, "%.*s", (int)(colon - p), p);
	p = skip(colon + 1, a->end);
	for (end = p; end < a->end && (depth > 0 || *end != ','); end++)
		depth += (*end == '(') - (*end == ')');
	snprintf(type, TYPE_SIZE, "%.*s", (int)(end - p), p);
	type[strcspn(type, "\n")] = 0;
	a->begin = end < a->end ? end + 1 : end;
	return true;
}

static int find_argument(struct arguments a, const char *wanted, size_t length,
			 char type[static TYPE_SIZE])
{
	char name[TYPE_SIZE];

	while (next_argument(&a, name, type))
		if (strlen(name) == length && strncmp(name, wanted, length) == 0)
			return 0;
	return -ENOENT;
}

/* "name (string), owner (?int)" */
static void list_arguments(struct arguments a, char out[static DESCRIPTION_TEXT_SIZE])
{
	char name[TYPE_SIZE], type[TYPE_SIZE];
	size_t used = 0;

	out[0] = 0;
	while (used < DESCRIPTION_TEXT_SIZE && next_argument(&a, name, type))
		used += (size_t)snprintf(out + used, DESCRIPTION_TEXT_SIZE - used, "%s%s (%s)",
					 used ? ", " : "", name, type);
}

/* A type of the interface's own is an object or, as ours are, a word of a list. */
static bool is_of_type(struct json_object *value, const char *type)
{
	static const struct {
		const char *begin;
		enum json_type type;
	} types[] = {
		{ "int", json_type_int },	{ "bool", json_type_boolean },
		{ "string", json_type_string }, { "[string]", json_type_object },
		{ "[]", json_type_array },	{ "(", json_type_string },
	};

	type += *type == '?';
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strncmp(type, types[i].begin, strlen(types[i].begin)) == 0)
			return json_object_is_type(value, types[i].type);
	return json_object_is_type(value, json_type_object);
}

/* Of an argument that the list has. */
static enum description_fault judge(struct json_object *given, const char *type)
{
	if (!given)
		return FAULT_MISSING;
	return is_of_type(given, type) ? FAULT_VALUE : FAULT_TYPE;
}

int description_find_fault(const char *description, const char *method,
			   struct json_object *parameters, const char *path,
			   enum description_fault *ret_fault,
			   char ret_text[static DESCRIPTION_TEXT_SIZE])
{
	size_t length = strcspn(path, ".[");
	char type[TYPE_SIZE], name[TYPE_SIZE];
	struct json_object *given;
	struct arguments a;

	if (find_arguments(description, "method", method, &a) < 0)
		return -ENOENT;
	for (;;) {
		if (length == 0 || length >= sizeof(name))
			return -ENOENT;
		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		if (find_argument(a, path, length, type) < 0) {
			list_arguments(a, ret_text);
			*ret_fault = FAULT_UNKNOWN_PARAMETER;
			return 0;
		}
		given = NULL;
		if (json_object_is_type(parameters, json_type_object))
			json_object_object_get_ex(parameters, name, &given);
		snprintf(ret_text, DESCRIPTION_TEXT_SIZE, "%s", type + (type[0] == '?'));
		*ret_fault = judge(given, type);
		/* Of a member of a type: there it goes on. */
		if (*ret_fault != FAULT_VALUE || path[length] != '.' ||
		    find_arguments(description, "type", type + (type[0] == '?'), &a) < 0)
			return 0;
		parameters = given;
		path += length + 1;
		length = strcspn(path, ".[");
	}
}
