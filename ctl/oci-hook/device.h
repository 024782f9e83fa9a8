/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume as dmuserd answered: its device, opened, and looked at so that it is the right one.
 *
 * A device number can be used again after a volume has gone; what is held open cannot change any
 * more.
 */
#pragma once

#include "ctl/oci-hook/trouble.h"
#include "util/name.h"

#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct device {
	char path[32]; /* /dev/dm-N */
	char uuid[NAME_UUID_LEN + 1];
	uint64_t size_bytes;
	bool blank;
	int fd; /* owned; -EBADF before device_open() */
};

/* Reads a Volume of the interface. -EPROTO with trouble. */
int device_from_reply(struct json_object *volume, struct device *ret, struct trouble *t);

/* Opens it, and refuses it if it is not the volume's. */
int device_open(struct device *device, struct trouble *t);
