/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume is to lie in, as far as this process can see it: for advice that fits a file or a
 * device, and for telling who has a device. Only looks (stat, statvfs, /sys, /proc), below root
 * where that is a parameter.
 */
#pragma once

#include "ctl/object.h"

#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum backing_kind {
	BACKING_UNKNOWN, /* not there, or not for the caller to see */
	BACKING_FILE,
	BACKING_BLOCK_DEVICE,
	BACKING_CHARACTER_DEVICE,
	BACKING_DIRECTORY,
	BACKING_OTHER,
};

enum backing_kind backing_kind_of_mode(mode_t mode);

/*
 * Who has that block device or a part of it: "mounted at /mnt", "part of /dev/dm-3 (vg-home)",
 * "used as swap space"; and what ends that, such as "umount /mnt", not escaped. Empty, both: nobody
 * that can be seen. root: "" but for tests.
 */
#define BACKING_USER_SIZE (PATH_MAX + 128)
struct backing_user {
	char who[BACKING_USER_SIZE];
	char advice[BACKING_USER_SIZE];
};
void backing_find_user(dev_t device, const char *root, struct backing_user *ret_user);

/*
 * A file with holes, on a file system that could not fill them: how much that would take, and what
 * there is. False: there is room, or this cannot be known.
 */
struct backing_shortage {
	uint64_t needed_bytes, free_bytes;
};
bool backing_is_short(const char *path, struct backing_shortage *ret_shortage);
/* The same of a file and its file system that were looked at. */
bool backing_is_short_on(const struct statvfs *fs, const struct stat *st,
			 struct backing_shortage *ret_shortage);

/* Whether a file system has next to nothing left for anybody but root. */
bool backing_is_nearly_full(const struct statvfs *fs);

/* The first of the options of a volume (KEY to text) that is a path; NULL: there is none. */
const char *backing_path(struct json_object *options);
