/* SPDX-License-Identifier: Apache-2.0 */
/* In what a volume that there is differs from the one that was asked for. Pure. */
#pragma once

#include "ctl/object.h"

#define DIFFERENCE_SIZE 9000

/*
 * request: of Create, in which a size may be written with K, M, G or T. existing: a Volume of a
 * reply. Either may be NULL: nothing is known then. The key of the first option that differs; NULL:
 * none does. It lives as the two do.
 */
const char *difference_option(struct json_object *request, struct json_object *existing);

/*
 * "it has 1M, and 2M was asked for". field: as SpecificationMismatch names it. NULL: it cannot be
 * told.
 */
const char *difference_tell(struct json_object *request, struct json_object *existing,
			    const char *field, char out[static DIFFERENCE_SIZE]);
