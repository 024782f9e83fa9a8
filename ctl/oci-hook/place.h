/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts, put into the container.
 *
 * The container's image decides what lies at a path, so nothing is followed out of its root,
 * whatever links it holds; what is missing is made, and unmade if a later step fails. Call it in a
 * child that does nothing else afterwards: it ends up in the container's mount namespace.
 */
#pragma once

#include "ctl/oci-hook/trouble.h"

#include <stddef.h>

struct placement {
	const char *volume;
	const char *path; /* absolute in the container, of plain names */
	int mount;        /* detached; stays the caller's */
};

/*
 * Enters the mount namespace of pidfd's process, and puts all in place, in their order, or none.
 * What is in place already stays as it is.
 */
int place_all(int pidfd, const char *rootfs, const struct placement *placements,
	      size_t n_placements, struct trouble *t);

/* The same where this process is: for tests. */
int place_here(const char *rootfs, const struct placement *placements, size_t n_placements,
	       struct trouble *t);

/*
 * Opens the directory at path in root (O_PATH), making what is missing of it. Not the root itself,
 * nothing in /proc or /sys however it is reached, and not /dev. *ret_n_made directories are new,
 * the deepest last.
 */
int place_open_point(int root, const char *path, int *ret_point, size_t *ret_n_made,
		     struct trouble *t);
