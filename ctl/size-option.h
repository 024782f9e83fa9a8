/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend's options of kind "size": people write 64M, the interface takes bytes. Pure.
 *
 * create: the parameters of a call of Create. backends: those of ListBackends' reply.
 */
#pragma once

#include "ctl/object.h"

/*
 * Whether a value could be a size with K, M, G or T, so that what its option takes must be known.
 */
bool size_options_need_kinds(struct json_object *create);
/* NULL: it is not installed. */
struct json_object *size_options_find_backend(struct json_object *backends, const char *type);
/*
 * A copy in which those are in bytes that the backend says are sizes. Others stay: "64M" may be a
 * word to them. backend NULL: nothing is known of it, and all stay. The caller's to put.
 */
struct json_object *size_options_to_bytes(struct json_object *create, struct json_object *backend);
