// SPDX-License-Identifier: Apache-2.0
/* What names may look like; see name.h. ASCII only: the C locale must not matter. */
#include "util/name.h"

#include <stddef.h>
#include <string.h>

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool name_matches(const char *name, const char *first, const char *rest, size_t max)
{
	size_t len;

	if (!name[0] || !strchr(first, name[0]))
		return false;
	len = strnlen(name, max + 1);
	return len <= max && strspn(name, rest) == len;
}

bool name_is_volume(const char *name)
{
	return name_matches(name, DIGITS LOWER UPPER, DIGITS LOWER UPPER "._-", NAME_VOLUME_MAX);
}

bool name_is_container(const char *name)
{
	return name_matches(name, DIGITS LOWER UPPER, DIGITS LOWER UPPER "._-", NAME_CONTAINER_MAX);
}

bool name_is_backend(const char *name)
{
	return name_matches(name, LOWER, DIGITS LOWER "-", NAME_BACKEND_MAX);
}

bool name_is_option(const char *name)
{
	return name_matches(name, LOWER, DIGITS LOWER "_", NAME_OPTION_MAX);
}

bool name_is_uuid(const char *name)
{
	if (strnlen(name, NAME_UUID_LEN + 1) != NAME_UUID_LEN)
		return false;
	for (size_t i = 0; i < NAME_UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? name[i] != '-' : !strchr(DIGITS "abcdef", name[i]))
			return false;
	}
	return true;
}
