/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system on a volume: found, or made where nothing of anybody's can be.
 *
 * Both wait for the volume's worker: to be called in a child.
 */
#pragma once

#include "ctl/oci-hook/device.h"
#include "ctl/oci-hook/request.h"

/*
 * Makes sure that the device holds the file system that is asked for. One that is there is left as
 * it is. It is formatted only if this Create made its backing and libblkid finds nothing on it;
 * anything else is refused.
 */
int filesystem_ensure(const struct device *device, const struct request *request,
		      struct trouble *t);
