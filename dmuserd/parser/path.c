// SPDX-License-Identifier: Apache-2.0
/* Where in a JSON text something is; see path.h. */
#include "dmuserd/parser/path.h"
#include "dmuserd/parser/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* False if there is no room for all of it: then nothing is added. */
static bool add_bytes(struct path *path, const char *bytes, size_t size)
{
	if (size >= sizeof(path->text) - path->len)
		return false;
	memcpy(path->text + path->len, bytes, size);
	path->len += size;
	path->text[path->len] = '\0';
	return true;
}

/* A control character would end up in somebody's terminal or log: it becomes a question mark. */
static void add_clean(struct path *path, const char *bytes, size_t size)
{
	const char *end = bytes + size;

	while (bytes < end) {
		size_t n = utf8_sequence(bytes, end);
		bool clean = n > 1 || (n == 1 && (unsigned char)*bytes >= 0x20 && *bytes != 0x7f);

		if (!add_bytes(path, clean ? bytes : "?", clean ? n : 1))
			return;
		bytes += n ? n : 1;
	}
}

static struct path_mark path_mark(const struct path *path)
{
	return (struct path_mark){ .len = path->len, .depth = path->depth };
}

struct path_mark path_add_key(struct path *path, const char *key, size_t size)
{
	struct path_mark mark = path_mark(path);

	path->depth++;
	if (path->len == 0 || add_bytes(path, ".", 1))
		add_clean(path, key, size);
	return mark;
}

struct path_mark path_add_index(struct path *path, size_t index)
{
	struct path_mark mark = path_mark(path);
	char text[24];
	int len = snprintf(text, sizeof(text), "[%zu]", index);

	path->depth++;
	add_bytes(path, text, (size_t)len);
	return mark;
}

void path_back(struct path *path, struct path_mark mark)
{
	path->len = mark.len;
	path->depth = mark.depth;
	path->text[mark.len] = '\0';
}

void path_clear(struct path *path)
{
	path_back(path, (struct path_mark){});
}

void path_copy_text(char ret_text[static PARSER_TEXT_SIZE], const char *from)
{
	struct path path = {};

	add_clean(&path, from, strlen(from));
	memcpy(ret_text, path.text, sizeof(path.text));
}
