/* SPDX-License-Identifier: Apache-2.0 */
/* A volume of a reply (type Volume of io.dmuser) as a person wants to see it. */
#pragma once

#include "ctl/object.h"

#include <stdio.h>

/* All that is known of it, a line a fact. */
void volume_view_print(struct json_object *volume, FILE *file);

/* "root", or the number of a uid without a name. out must hold 64 bytes. Returns out. */
char *volume_view_owner(struct json_object *volume, char *out);

/* "64M", or "" when it is not known. out must hold 24 bytes. Returns out. */
char *volume_view_size(struct json_object *volume, char *out);

/* "container 412", "kept" or "leased": what keeps it from being released. out must hold 192 bytes. */
char *volume_view_held_by(struct json_object *volume, char *out);
