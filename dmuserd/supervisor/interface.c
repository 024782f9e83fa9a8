// SPDX-License-Identifier: Apache-2.0
/* The interfaces that are served; see interface.h. The .inc files hold the texts of api/ as C strings. */
#include "dmuserd/supervisor/interface.h"
#include "util/cleanup.h"

#include <string.h>

static const struct interface interfaces[] = {
	{ "org.varlink.service",
#include "dmuserd/supervisor/org.varlink.service.inc"
	},
	{ "io.dmuser",
#include "dmuserd/supervisor/io.dmuser.inc"
	},
};

const struct interface *interface_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
		if (strcmp(interfaces[i].name, name) == 0)
			return &interfaces[i];
	}
	return NULL;
}

const struct interface *interface_next(const struct interface *previous)
{
	const struct interface *next = previous ? previous + 1 : interfaces;

	return next < interfaces + ARRAY_SIZE(interfaces) ? next : NULL;
}
