// SPDX-License-Identifier: Apache-2.0
/* Sizes, times and numbers as people write them; see quantity.h. */
#include "ctl/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS (24u * 60 * 60 * 1000)

static const char suffixes[] = "KMGT";

/* Reads digits; *ret_end is what follows them. */
static int parse_digits(const char *text, uint64_t max, uint64_t *ret_number, const char **ret_end)
{
	uint64_t number = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (digit > max || number > (max - digit) / 10)
			return -ERANGE;
		number = number * 10 + digit;
	}
	if (p == text)
		return -EINVAL;
	*ret_number = number;
	*ret_end = p;
	return 0;
}

int quantity_parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	const char *end;
	uint64_t number;
	int r = parse_digits(text, max, &number, &end);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

int quantity_parse_size(const char *text, uint64_t *ret_bytes)
{
	unsigned int shift = 0;
	const char *end;
	uint64_t number;
	int r = parse_digits(text, INT64_MAX, &number, &end);

	if (r < 0)
		return r;
	if (*end) {
		const char *suffix = strchr(suffixes, *end);

		if (!suffix || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (number > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = number << shift;
	return 0;
}

int quantity_parse_time(const char *text, int *ret_ms)
{
	const char *end;
	uint64_t number;
	int r;

	if (strcmp(text, "infinity") == 0) {
		*ret_ms = -1;
		return 0;
	}
	r = parse_digits(text, DAY_MS, &number, &end);
	if (r < 0)
		return r;
	if (strcmp(end, "") == 0 || strcmp(end, "s") == 0)
		number *= 1000;
	else if (strcmp(end, "ms") != 0)
		return -EINVAL;
	if (number > DAY_MS)
		return -ERANGE;
	*ret_ms = (int)number;
	return 0;
}

char *quantity_format_size(uint64_t bytes, char *out)
{
	size_t steps = 0;

	while (bytes > 0 && bytes % 1024 == 0 && steps < strlen(suffixes)) {
		bytes /= 1024;
		steps++;
	}
	sprintf(out, "%" PRIu64 "%.*s", bytes, steps > 0, suffixes + (steps > 0 ? steps - 1 : 0));
	return out;
}

char *quantity_format_rounded(uint64_t bytes, char *out)
{
	size_t steps = 0;
	uint64_t unit = 1;

	while (steps < strlen(suffixes) && bytes / unit >= 1024) {
		unit *= 1024;
		steps++;
	}
	if (steps == 0)
		return quantity_format_size(bytes, out);
	sprintf(out, "%" PRIu64 ".%" PRIu64 "%c", bytes / unit, bytes % unit * 10 / unit,
		suffixes[steps - 1]);
	return out;
}
