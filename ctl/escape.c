// SPDX-License-Identifier: Apache-2.0
/* Text of other people for a terminal; see escape.h. */
#include "ctl/escape.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Decodes one character of well-formed UTF-8. Returns its length in bytes, or 0 if there is none.
 */
static size_t utf8_decode(const char *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t length;
	uint32_t code;

	if (s[0] < 0x80) {
		*ret_code = s[0];
		return 1;
	}
	length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

/* Whether a character acts on the terminal or on the text around it instead of being shown. */
static bool is_active(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xe0000 && code <= 0xe007f);
}

char *escape_text(const char *text, char *out, size_t out_size)
{
	size_t used = 0;

	for (size_t length; *text; text += length) {
		char piece[16];
		uint32_t code;

		length = utf8_decode(text, &code);
		if (length == 0) {
			snprintf(piece, sizeof(piece), "\\x%02x", (unsigned char)*text);
			length = 1;
		} else if (code == '\\') {
			strcpy(piece, "\\\\");
		} else if (is_active(code)) {
			snprintf(piece, sizeof(piece), code < 0x80 ? "\\x%02x" : "\\u%04x", code);
		} else {
			memcpy(piece, text, length);
			piece[length] = 0;
		}
		if (used + strlen(piece) >= out_size)
			break;
		strcpy(out + used, piece);
		used += strlen(piece);
	}
	out[used] = 0;
	return out;
}

/* In JSON's output, such characters can only be inside strings: escaping them keeps its meaning. */
static void json_char(FILE *file, const char *text, size_t length, uint32_t code)
{
	if (length == 0)
		fputs("\\ufffd", file);
	else if (code == '\n' || !is_active(code))
		fwrite(text, 1, length, file);
	else if (code < 0x10000)
		fprintf(file, "\\u%04x", code);
	else
		fprintf(file, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
			0xdc00 + ((code - 0x10000) & 0x3ff));
}

void escape_json(FILE *file, struct json_object *object, int pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED :
			      JSON_C_TO_STRING_PLAIN);
	const char *text = json_object_to_json_string_ext(object, flags);

	while (*text) {
		uint32_t code = 0;
		size_t length = utf8_decode(text, &code);

		json_char(file, text, length, code);
		text += length ? length : 1;
	}
	fputc('\n', file);
}
