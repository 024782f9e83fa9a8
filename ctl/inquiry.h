/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is looked up after an error, so that it can be explained: what dmuserd knows of the volume,
 * or of others of that name, which backends it has, and what this machine shows of the backing.
 * What cannot be had is left out: the error itself is what is told.
 *
 * The backing's path is looked at with the caller's rights, and for as long as its file system
 * takes to answer: not for a caller who acts for someone else, or has to be done in time, as the
 * OCI hook does.
 */
#pragma once

#include "api/dmuser.h"
#include "ctl/backing.h"

#include <stdbool.h>
#include <stdint.h>

struct inquiry {
	struct json_object *volume; /* the one that is meant, or in the way; NULL: not known */
	struct json_object *others; /* those of that name that other owners have; NULL: not known */
	struct json_object *backends; /* the names of those there are; NULL: not known */
	struct json_object *options;  /* the names of those that the backend has; NULL: not known */
	enum backing_kind backing;
	struct backing_user user;
};

/* is_root: sees others' volumes. request: what was asked for; NULL: not known. */
void inquire(struct dmuser_connection *connection, bool is_root, const char *error,
	     struct json_object *parameters, struct json_object *request,
	     struct inquiry *ret_inquiry);
void inquiry_done(struct inquiry *inquiry);

/* That volume, the caller's to put; NULL: not to be had. container may be NULL, owner negative. */
struct json_object *inquire_volume(struct dmuser_connection *connection, const char *name,
				   const char *container, int64_t owner);
