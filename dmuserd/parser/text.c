// SPDX-License-Identifier: Apache-2.0
/*
 * Is this text one JSON object, and nothing but? See text.h.
 *
 * One function for each production of the grammar. Each returns 0, or TEXT_BROKEN at once with
 * `path` left where the text broke; what is only refused is noted, and the reading goes on, because
 * the caller still has to know whether an answer is wanted.
 */
#include "dmuserd/parser/text.h"
#include "dmuserd/parser/utf8.h"

#include <string.h>

#define REPLACEMENT 0xfffd

static int check_value(struct text *t, unsigned int depth);

static void refuse(struct text *t)
{
	if (t->refused)
		return;
	t->refused = true;
	t->refused_at = t->path;
}

static void skip_space(struct text *t)
{
	while (t->at < t->end && memchr(" \t\r\n", *t->at, 4))
		t->at++;
}

static bool take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool take_space_and(struct text *t, char c)
{
	skip_space(t);
	return take(t, c);
}

static size_t take_digits(struct text *t)
{
	const char *first = t->at;

	while (t->at < t->end && *t->at >= '0' && *t->at <= '9')
		t->at++;
	return (size_t)(t->at - first);
}

/* Collects a key's characters. One that is too long is cut; its size tells the caller. */
static void key_add(struct text_key *key, const char *bytes, size_t size)
{
	if (!key)
		return;
	if (size > sizeof(key->bytes) - key->size)
		size = sizeof(key->bytes) - key->size;
	memcpy(key->bytes + key->size, bytes, size);
	key->size += size;
}

static int take_hex4(struct text *t, uint32_t *ret_value)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digit;

		if (t->at == t->end)
			return TEXT_BROKEN;
		digit = memchr(digits, *t->at >= 'A' && *t->at <= 'F' ? *t->at | 0x20 : *t->at, 16);
		if (!digit)
			return TEXT_BROKEN;
		value = value << 4 | (uint32_t)(digit - digits);
		t->at++;
	}
	*ret_value = value;
	return 0;
}

/* After a high surrogate: its other half; or 0 if something else follows, which is left there. */
static uint32_t take_low_surrogate(struct text *t)
{
	const char *back = t->at;
	uint32_t low;

	if (take(t, '\\') && take(t, 'u') && take_hex4(t, &low) == 0 && low >= 0xdc00 &&
	    low <= 0xdfff)
		return low;
	t->at = back;
	return 0;
}

static int check_unicode_escape(struct text *t, struct text_key *key)
{
	uint32_t character;
	char bytes[UTF8_MAX];
	int r = 0;

	if (take_hex4(t, &character))
		return TEXT_BROKEN;
	if (character >= 0xd800 && character <= 0xdbff) {
		uint32_t low = take_low_surrogate(t);

		if (low)
			character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
	}
	if (character == 0 || (character >= 0xd800 && character <= 0xdfff)) {
		r = TEXT_REFUSED;
		character = REPLACEMENT;
	}
	key_add(key, bytes, utf8_encode(character, bytes));
	return r;
}

static int check_escape(struct text *t, struct text_key *key)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (take(t, 'u'))
		return check_unicode_escape(t, key);
	name = t->at < t->end ? memchr(names, *t->at, sizeof(names) - 1) : NULL;
	if (!name)
		return TEXT_BROKEN;
	key_add(key, &meanings[name - names], 1);
	t->at++;
	return 0;
}

/*
 * From behind the opening quote to behind the closing one; key: where to put what it says, or NULL.
 * Also returns TEXT_REFUSED, having read on to the end: the caller knows what to call the place.
 */
static int check_string(struct text *t, struct text_key *key)
{
	int verdict = 0;

	while (!take(t, '"')) {
		size_t size;

		if (take(t, '\\')) {
			int r = check_escape(t, key);

			if (r == TEXT_BROKEN)
				return r;
			verdict = r ? r : verdict;
			continue;
		}
		size = utf8_sequence(t->at, t->end);
		if (size == 0 || (unsigned char)*t->at < 0x20)
			return TEXT_BROKEN;
		key_add(key, t->at, size);
		t->at += size;
	}
	return verdict;
}

/* An integer must fit: json-c would quietly take the nearest that does. digits: with their sign. */
static bool fits_int64(const char *digits, const char *end)
{
	bool negative = *digits == '-';
	int64_t value = 0;

	for (digits += negative; digits < end; digits++) {
		/* Summed up below zero, where there is room for one more. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *digits - '0', &value))
			return false;
	}
	return negative || value != INT64_MIN;
}

static int check_number(struct text *t)
{
	const char *first = t->at;
	bool integer = true;

	take(t, '-');
	if (!take(t, '0') && take_digits(t) == 0)
		return TEXT_BROKEN;
	if (take(t, '.')) {
		integer = false;
		if (take_digits(t) == 0)
			return TEXT_BROKEN;
	}
	if (take(t, 'e') || take(t, 'E')) {
		integer = false;
		if (!take(t, '+'))
			take(t, '-');
		if (take_digits(t) == 0)
			return TEXT_BROKEN;
	}
	if (integer && !fits_int64(first, t->at))
		refuse(t);
	return 0;
}

static int check_word(struct text *t, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(t->end - t->at) < size || memcmp(t->at, word, size) != 0)
		return TEXT_BROKEN;
	t->at += size;
	return 0;
}

static bool is_repeated(const struct text *t, size_t first_key, const struct text_key *key)
{
	for (size_t i = first_key; i < t->n_keys; i++) {
		if (t->keys[i].size == key->size &&
		    memcmp(t->keys[i].bytes, key->bytes, key->size) == 0)
			return true;
	}
	return false;
}

/* What stands behind a value is still its own fault: `12junk`. */
static bool is_followed_by(struct text *t, char close)
{
	skip_space(t);
	return t->at < t->end && (*t->at == ',' || *t->at == close);
}

/* One `"key": value` of the object whose keys begin at first_key. */
static int check_member(struct text *t, unsigned int depth, size_t first_key)
{
	struct text_key *key = &t->keys[t->n_keys];
	struct path_mark mark;
	int r;

	if (t->n_keys == TEXT_VALUES_MAX || !take_space_and(t, '"'))
		return TEXT_BROKEN;
	key->size = 0;
	r = check_string(t, key);
	mark = path_add_key(&t->path, key->bytes, key->size);
	if (r == TEXT_BROKEN)
		return r;
	if (r || key->size == TEXT_KEY_MAX || is_repeated(t, first_key, key))
		refuse(t);
	t->n_keys++;
	if (!take_space_and(t, ':') || check_value(t, depth) || !is_followed_by(t, '}'))
		return TEXT_BROKEN;
	path_back(&t->path, mark);
	return 0;
}

static int check_object(struct text *t, unsigned int depth)
{
	size_t first_key = t->n_keys;

	if (take_space_and(t, '}'))
		return 0;
	do {
		if (check_member(t, depth, first_key))
			return TEXT_BROKEN;
	} while (take(t, ','));
	t->n_keys = first_key;
	return take(t, '}') ? 0 : TEXT_BROKEN;
}

static int check_array(struct text *t, unsigned int depth)
{
	size_t index = 0;

	if (take_space_and(t, ']'))
		return 0;
	do {
		struct path_mark mark = path_add_index(&t->path, index++);

		if (check_value(t, depth) || !is_followed_by(t, ']'))
			return TEXT_BROKEN;
		path_back(&t->path, mark);
	} while (take(t, ','));
	return take(t, ']') ? 0 : TEXT_BROKEN;
}

static int check_string_value(struct text *t)
{
	int r = check_string(t, NULL);

	if (r == TEXT_REFUSED)
		refuse(t);
	return r == TEXT_BROKEN ? r : 0;
}

/* depth: how many objects and arrays this value is in. */
static int check_value(struct text *t, unsigned int depth)
{
	bool room = depth < TEXT_DEPTH_MAX;

	skip_space(t);
	if (t->at == t->end || ++t->n_values > TEXT_VALUES_MAX)
		return TEXT_BROKEN;
	switch (*t->at) {
	case '{':
		t->at++;
		return room ? check_object(t, depth + 1) : TEXT_BROKEN;
	case '[':
		t->at++;
		return room ? check_array(t, depth + 1) : TEXT_BROKEN;
	case '"':
		t->at++;
		return check_string_value(t);
	case 't':
		return check_word(t, "true");
	case 'f':
		return check_word(t, "false");
	case 'n':
		return check_word(t, "null");
	default:
		return check_number(t);
	}
}

int text_check(struct text *text, const char *bytes, size_t size, struct path *ret_where)
{
	text->at = bytes;
	text->end = bytes + size;
	text->n_values = 0;
	text->n_keys = 0;
	text->refused = false;
	path_clear(&text->path);

	skip_space(text);
	if (text->at == text->end || *text->at != '{' || check_value(text, 0)) {
		*ret_where = text->path;
		return TEXT_BROKEN;
	}
	skip_space(text);
	if (text->at != text->end) {
		*ret_where = text->path;
		return TEXT_BROKEN;
	}
	if (text->refused) {
		*ret_where = text->refused_at;
		return TEXT_REFUSED;
	}
	return 0;
}
