/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container asks for: one volume, as an annotation says it.
 *
 *   io.dmuser.volume.NAME = size=1G,backend=file,path=/srv/a.img,fs=ext4,mount=/data
 *
 *   backend     required: memory, file, …
 *   mount       required: where in the container, an absolute path
 *   size        bytes, or with K, M, G or T; may be left out where the backing has a size already
 *   fs          ext4 (if left out), xfs or btrfs
 *   block_size  512 to 4096, a power of two
 *   read_only   true or false
 *   another key is an option of the backend, which its manifest must list
 *
 * Pure: text in, a struct out. Taken strictly, because a misread annotation is a lost file system:
 * each key once, no blanks around anything, no empty value; a value cannot hold a comma.
 */
#pragma once

#include "util/name.h"

#include <linux/limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_ANNOTATION_PREFIX "io.dmuser."
#define REQUEST_VOLUME_PREFIX     "io.dmuser.volume."
#define REQUEST_OPTIONS_MAX       8
/* As much as a backend takes: a path. */
#define REQUEST_VALUE_SIZE 4096

enum request_fs { REQUEST_FS_EXT4, REQUEST_FS_XFS, REQUEST_FS_BTRFS };

struct request_option {
	char key[NAME_OPTION_MAX + 1];
	char value[REQUEST_VALUE_SIZE];
};

struct request {
	char name[NAME_VOLUME_MAX + 1];
	char backend[NAME_BACKEND_MAX + 1];
	uint64_t size_bytes; /* 0: not given */
	uint32_t block_size; /* 0: not given */
	bool read_only;
	enum request_fs fs;
	char mount[PATH_MAX]; /* absolute, without ".", "..", "//" or a slash at its end */
	size_t n_options;
	struct request_option options[REQUEST_OPTIONS_MAX];
};

const char *request_fs_name(enum request_fs fs);

/*
 * Reads the annotation `key` (with its prefix) and its value. Returns 0, or -EINVAL with a sentence
 * in reason[].
 */
int request_parse(const char *key, const char *value, struct request *ret, char *reason,
		  size_t reason_size);
