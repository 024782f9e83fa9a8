/* SPDX-License-Identifier: Apache-2.0 */
/* A volume of a reply (type Volume of io.dmuser) as a person wants to see it. */
#pragma once

#include "ctl/object.h"
#include "ctl/target-status.h"

#include <stdio.h>

/* All that is known of it, a line a fact. */
void volume_view_print(struct json_object *volume, FILE *file);

/* "root", or the number of a uid without a name. out must hold 64 bytes. Returns out. */
char *volume_view_owner(struct json_object *volume, char *out);

/* "64M", or "" when it is not known. out must hold 24 bytes. Returns out. */
char *volume_view_size(struct json_object *volume, char *out);

/*
 * "container 412", "kept" or "leased": what keeps it from being released. out must hold 192 bytes.
 */
char *volume_view_held_by(struct json_object *volume, char *out);

/*
 * "/dev/mapper/dmuser-0-a": the name of its device that tells whose it is, as the kernel has it
 * below root
 * ("" but for tests); "" where that cannot be seen. Not escaped. Returns out.
 */
#define VOLUME_VIEW_LINK_SIZE 192
char *volume_view_link(struct json_object *volume, const char *root,
		       char out[static VOLUME_VIEW_LINK_SIZE]);

/*
 * What to do about one that is not well, escaped; "" if it is, or nothing has to be done. Returns
 * out.
 */
#define VOLUME_VIEW_NEXT_SIZE 640
char *volume_view_next(struct json_object *volume, char out[static VOLUME_VIEW_NEXT_SIZE]);

/*
 * " NAME --container ID --owner UID", as `show` and `release` take it, escaped. out must hold 512
 * bytes.
 */
char *volume_view_words(struct json_object *volume, char *out);

/* What the kernel counts of it, where that is amiss: nothing, or a line for each. */
void volume_view_print_status(struct json_object *volume, const struct target_status *status,
			      FILE *file);
/*
 * What I/O errors of a volume that is active mostly come from: half a sentence, escaped. Looks at
 * the file system that it lies in. Returns out.
 */
#define VOLUME_VIEW_CAUSE_SIZE 640
char *volume_view_error_cause(struct json_object *volume, char out[static VOLUME_VIEW_CAUSE_SIZE]);

bool volume_view_is_active(struct json_object *volume);
