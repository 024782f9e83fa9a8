/* SPDX-License-Identifier: Apache-2.0 */
/* An error as dmuserctl explains it. */
#pragma once

#include "ctl/explain.h"

#include <stdbool.h>

/* A Create's request, as JSON. */
#define FILE_BACKED(members) "{\"name\":\"a\",\"backend\":\"file\"" members "}"

/* request NULL: nothing is known of what was asked. All but is_root are JSON or an error's name. */
struct explanation explained_to(bool is_root, const char *request, const char *error,
				const char *parameters);
