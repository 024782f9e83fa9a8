/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel counts of a volume's device-mapper target, as `dmsetup status` shows it;
 * dm-user(4). Asked by ioctl, which root may; changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct target_status {
	uint64_t errors; /* requests that ended with EIO */
	uint64_t broken; /* channels */
	bool failing;    /* told to fail all I/O */
	bool deserted;   /* no channel came in time */
	uint64_t timed_out;
};

/* The numbers of a status line. -EBADMSG: they are none. Fields that are added later are let be. */
int target_status_parse(const char *text, struct target_status *ret_status);

/* Why all I/O fails, NULL if it need not. A literal. */
const char *target_status_fault(const struct target_status *status);

/* uuid: of the volume, without "DMUSER-". A negative errno: it cannot be seen. */
int target_status_read(const char *uuid, struct target_status *ret_status);
