/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request of more bytes than a buffer holds: it goes through in parts, one after the other.
 *
 * dm-user's own limit keeps requests below that; a module that splits less makes no difference here
 * but in speed.
 */
#pragma once

#include "api/worker/request.h"

/*
 * Takes a WRITE's payload, which the caller (with channel.read_lock) has not begun to read, and writes it
 * part by part. All of it is taken even if a part fails, or the stream would be lost.
 * Returns the result to answer; *ret_channel_error is 0, or what channel_read() said.
 */
int large_write(struct dmuser_request *request, int *ret_channel_error);

/*
 * Reads and answers part by part. Ends the process if a part fails after the answer has begun: what has
 * gone out says "success", and cannot be taken back.
 */
void large_read(struct dmuser_request *request);
