// SPDX-License-Identifier: Apache-2.0
/* A text as one word for a shell; see shell-word.h. */
#include "ctl/shell-word.h"

#include <stdio.h>
#include <string.h>

char *shell_word(const char *text, char *out, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+:@,=";
	size_t used = 0;

	if (text[0] && text[strspn(text, plain)] == 0) {
		snprintf(out, size, "%s", text);
		return out;
	}
	used += (size_t)snprintf(out, size, "'");
	for (; *text && used + 6 < size; text++)
		used += (size_t)snprintf(out + used, size - used, *text == '\'' ? "'\\''" : "%c",
					 *text);
	snprintf(out + used, size - used, "'");
	return out;
}
