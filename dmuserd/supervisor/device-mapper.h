/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper operations, each in a short-lived child with a deadline.
 *
 * libdevmapper is not thread-safe and its calls block: a suspend waits for I/O, a removal retries, a cookie
 * waits for udev. So the supervisor never calls it; a forked child does, keeps no descriptor of the
 * supervisor's, writes one fixed-size result into a pipe and exits. The only file that includes
 * libdevmapper.h. Failing, looking at and removing go by the uuid, and only one with our prefix: a name may
 * be another's by then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include <sys/types.h>

enum dm_operation {
	DM_OP_VERSION,  /* ret: driver version, version of target `user`; loads the module if it must */
	DM_OP_CREATE,   /* device with its inactive table, not resumed; ret: devno */
	DM_OP_RESUME,   /* ret: devno; waits for udev if it runs */
	DM_OP_MESSAGE,  /* text: the target message, sector 0 */
	DM_OP_REMOVE,   /* removes; -EBUSY when open */
	DM_OP_REMOVE_DEFERRED, /* ret: open_count, 0: removed, 1: will be, at its last close */
	DM_OP_STATUS,   /* ret: open_count, status line */
	DM_OP_LIST,     /* ret: every device whose uuid begins with DMUSER- */
	DM_OP_LIST_DEAF, /* ret: those of them whose worker did not answer in time, or badly */
};

struct dm_request {
	enum dm_operation operation;
	char name[128]; /* device name */
	char uuid[128]; /* DMUSER-<uuid> */
	uint64_t size_sectors;
	bool read_only;
	char params[512]; /* table parameters after `user`, or the message */
};

struct dm_device {
	char name[128];
	char uuid[128];
	dev_t devno;
};

/* As many as volumes_max can be set to. */
#define DM_LIST_MAX 65536
struct dm_result {
	int error; /* 0 or a negative errno; -ETIMEDOUT: the child did not end in time */
	char message[256]; /* for a person; libdevmapper's own words */
	dev_t devno;
	int32_t open_count;
	uint32_t driver_version[3], target_version[3];
	char status[512];
	uint32_t n_devices; /* LIST, LIST_DEAF: devices[] */
	const struct dm_device *devices;
};

typedef void (*dm_done_fn)(void *userdata, const struct dm_result *result);
struct dm_call;

/* Starts one operation; `done` is called once from the loop, unless cancelled. */
int dm_start(sd_event *event, const struct dm_request *request, uint64_t timeout_ms, dm_done_fn done,
	     void *userdata, struct dm_call **ret_call);
/* No callback any more; the child is killed and reaped. NULL is fine. */
void dm_cancel(struct dm_call *call);
