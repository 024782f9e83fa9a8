// SPDX-License-Identifier: Apache-2.0
/* What the kernel counts of a volume's target; see target-status.h. */
#include "ctl/target-status.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

int target_status_parse(const char *text, struct target_status *ret_status)
{
	uint64_t errors, failing, broken, deserted, timed_out;

	/*
	 * QUEUED OUTSTANDING CHANNELS GENERATION ERRORS FAILING BROKEN DESERTED LOST REPEATED
	 * TIMED_OUT
	 */
	if (sscanf(text,
		   "%*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %*u %*u %" SCNu64,
		   &errors, &failing, &broken, &deserted, &timed_out) != 5)
		return -EBADMSG;
	*ret_status = (struct target_status){
		.errors = errors,
		.broken = broken,
		.failing = failing,
		.deserted = deserted,
		.timed_out = timed_out,
	};
	return 0;
}

const char *target_status_fault(const struct target_status *status)
{
	if (status->broken > 0)
		return "the worker's channel is broken";
	if (status->deserted)
		return "no worker serves it";
	return status->failing ? "its target was told to fail" : NULL;
}

/* One target, and its line. */
struct question {
	struct dm_ioctl head;
	char answer[1024];
};

int target_status_read(const char *uuid, struct target_status *ret_status)
{
	struct question q = {
		.head = {
			.version = { 4, 0, 0 },
			.data_size = sizeof(q),
			.data_start = sizeof(q.head),
			.flags = DM_NOFLUSH_FLAG,
		},
	};
	_cleanup_(closep) int fd = open("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC);
	struct dm_target_spec spec;
	const char *target = (const char *)&q + sizeof(q.head);

	if (fd < 0)
		return -errno;
	snprintf(q.head.uuid, sizeof(q.head.uuid), "DMUSER-%s", uuid);
	if (ioctl(fd, DM_TABLE_STATUS, &q) < 0)
		return -errno;
	if (q.head.target_count != 1 || q.head.data_start != sizeof(q.head) ||
	    (q.head.flags & DM_BUFFER_FULL_FLAG))
		return -EBADMSG;
	memcpy(&spec, target, sizeof(spec));
	if (strcmp(spec.target_type, "user") != 0)
		return -EBADMSG;
	q.answer[sizeof(q.answer) - 1] = 0;
	return target_status_parse(target + sizeof(spec), ret_status);
}
