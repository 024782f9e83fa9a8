/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a block device open, as far as /proc and /sys tell: for people, never for decisions.
 *
 * Looking costs one pass over every process, so it is done in a child, and only when a release has
 * not got through.
 */
#pragma once

#include "dmuserd/supervisor/volume.h"

#include <systemd/sd-event.h>
#include <sys/types.h>

/* A volume that lies on the device, whose worker therefore has it open; 0: it has none. */
struct holders_volume {
	char text[NAME_VOLUME_MAX + NAME_CONTAINER_MAX + 40]; /* "volume b of uid 0, container c" */
	pid_t worker;
};

struct holders_request {
	dev_t devno;
	size_t n_volumes;
	struct holders_volume volumes[RELEASE_HOLDERS_MAX];
};

struct holders_call;
/* holders: empty when there was no time to look at all; never NULL. */
typedef void (*holders_done_fn)(void *userdata, const struct holders *holders);
int holders_start(sd_event *event, const struct holders_request *request, uint64_t timeout_ms,
		  holders_done_fn done, void *userdata, struct holders_call **ret_call);
void holders_cancel(struct holders_call *call);
