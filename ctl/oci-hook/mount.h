/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume's file system, mounted but nowhere attached.
 *
 * The kernel reads what the worker answers here: it waits for the worker, so it belongs into a
 * child. Always nosuid and nodev, and ext4 never acts on an errors= of the superblock, which could
 * be panic.
 */
#pragma once

#include "ctl/oci-hook/device.h"
#include "ctl/oci-hook/request.h"

/*
 * Whether this process may mount a block device at all, which only root may, outside of any user
 * namespace of a rootless runtime. Asked before anything is made. 0, or -EPERM with trouble.
 */
int mount_is_possible(struct trouble *t);

/*
 * userns: the container's user namespace, whose ids the mount is to show; negative: this process's
 * own. *ret_mount is the caller's; closing it ends the mount unless it has been moved somewhere.
 */
int mount_detached(const struct device *device, const struct request *request, int userns,
		   int *ret_mount, struct trouble *t);
