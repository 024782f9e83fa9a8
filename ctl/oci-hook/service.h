/* SPDX-License-Identifier: Apache-2.0 */
/* What the hook asks of dmuserd. It owns nothing but its connection; a deadline is for the call. */
#pragma once

#include "api/dmuser.h"
#include "ctl/oci-hook/device.h"
#include "ctl/oci-hook/request.h"
#include "ctl/oci-hook/trouble.h"

#include <stdint.h>

int service_connect(const char *address, struct dmuser_connection **ret, struct trouble *t);

/* Makes the volume, bound to the container from its first moment. pidfd stays the caller's. */
int service_create(struct dmuser_connection *c, const struct request *request,
		   const char *container, int pidfd, int timeout_ms, struct device *ret_device,
		   struct trouble *t);

/*
 * Releases all volumes of a container, on a connection of its own. That there are none is fine.
 * reason: why they are of no use, which dmuserd tells whoever asks for them later; NULL: nothing
 * was wrong with them.
 */
int service_release(const char *address, const char *container, const char *reason, int timeout_ms,
		    struct trouble *t);

/*
 * Has dmuserd tell whoever asks for the container's volume why it was not even asked for. No error
 * is told: that would hide the one that this is about.
 */
void service_report(const char *address, const char *container, const char *volume,
		    const char *reason, int timeout_ms);

static inline void dmuser_connection_freep(struct dmuser_connection **c)
{
	dmuser_connection_free(*c);
}
