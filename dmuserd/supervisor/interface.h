/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces that are served, with the text of their definitions, which is part of the program.
 */
#pragma once

#include <stddef.h>

struct interface {
	const char *name;
	const char *description;
};

/* NULL if it is not served. */
const struct interface *interface_find(const char *name);
/* Iterates: NULL starts and ends. */
const struct interface *interface_next(const struct interface *previous);
