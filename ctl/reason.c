// SPDX-License-Identifier: Apache-2.0
/* What the reason of an error says; see reason.h. */
#include "ctl/reason.h"

#include <stddef.h>
#include <string.h>

/* What follows the prefix that text begins with; NULL: it does not. */
static const char *behind(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* "backend NAME is …" */
static bool is_of_backend(const char *reason, const char *rest)
{
	const char *name = behind(reason, "backend ");

	return name && behind(name + strcspn(name, " "), rest);
}

bool reason_is_no_spawner(const char *reason)
{
	const char *why = behind(reason, "spawn: ");

	if (!why)
		why = behind(reason, "no process that reads requests could be started: ");
	return why && behind(why, "there is no spawner: ");
}

bool reason_is_incomplete(const char *reason)
{
	return is_of_backend(reason, " is not complete: ");
}

bool reason_is_no_option(const char *reason)
{
	return is_of_backend(reason, " has no such option");
}

/*
 * "seal: prepare: Invalid argument: start: must be a multiple of 512": dmuserd's step comes first.
 */
const char *reason_refusal(const char *reason)
{
	const char *step = strstr(reason, ": ");
	const char *error = step ? behind(step + 2, "prepare: ") : NULL;
	const char *words = error ? strstr(error, ": ") : NULL;

	return words ? words + 2 : NULL;
}
