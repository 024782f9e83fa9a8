// SPDX-License-Identifier: Apache-2.0
/* UTF-8, strictly; see utf8.h. */
#include "dmuserd/parser/utf8.h"

#include <stdbool.h>

/* What a first byte says: its length, its own bits, and the least that needs that length. */
struct form {
	unsigned char mask, bits;
	size_t length;
	uint32_t least;
};

static const struct form forms[] = {
	{ 0x80, 0x00, 1, 0x0 },
	{ 0xe0, 0xc0, 2, 0x80 },
	{ 0xf0, 0xe0, 3, 0x800 },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

static bool is_scalar(uint32_t character)
{
	return character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
}

size_t utf8_sequence(const char *at, const char *end)
{
	for (size_t f = 0; at < end && f < sizeof(forms) / sizeof(forms[0]); f++) {
		const struct form *form = &forms[f];
		unsigned char first = (unsigned char)*at;
		uint32_t character = first & (unsigned char)~form->mask;

		if ((first & form->mask) != form->bits)
			continue;
		if ((size_t)(end - at) < form->length)
			return 0;
		for (size_t i = 1; i < form->length; i++) {
			unsigned char next = (unsigned char)at[i];

			if ((next & 0xc0) != 0x80)
				return 0;
			character = character << 6 | (next & 0x3f);
		}
		return character >= form->least && is_scalar(character) ? form->length : 0;
	}
	return 0;
}

size_t utf8_encode(uint32_t character, char ret_bytes[static UTF8_MAX])
{
	size_t f = 0;

	while (f < 3 && character >= forms[f + 1].least)
		f++;
	for (size_t i = forms[f].length - 1; i > 0; i--, character >>= 6)
		ret_bytes[i] = (char)(0x80 | (character & 0x3f));
	ret_bytes[0] = (char)(forms[f].bits | character);
	return forms[f].length;
}
