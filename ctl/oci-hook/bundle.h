/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's bundle: where its root is, and which volumes its annotations ask for.
 *
 * Reads BUNDLE/config.json, which the runtime has accepted before. All annotations are understood
 * before anything is done for one of them.
 */
#pragma once

#include "ctl/oci-hook/request.h"
#include "ctl/oci-hook/trouble.h"

#define BUNDLE_CONFIG_MAX_BYTES (4 * 1024 * 1024)
#define BUNDLE_VOLUMES_MAX      16

struct bundle {
	char rootfs[PATH_MAX]; /* absolute */
	size_t n_requests;
	/* Ordered by where they are mounted, so that /data comes before /data/more. */
	struct request *requests; /* owned */
};

/* directory: of the bundle. 0, or a negative errno with trouble. */
int bundle_parse(const char *directory, const char *config, size_t size, struct bundle *ret,
		 struct trouble *t);
int bundle_read(const char *directory, struct bundle *ret, struct trouble *t);
void bundle_clear(struct bundle *bundle);
