/* SPDX-License-Identifier: Apache-2.0 */
/* A reply: one parsed message and the descriptors that came with its first byte. It owns both. */
#pragma once

#include "api/client/message.h"
#include "api/dmuser.h"

/* Takes over *message and fds[0..n_fds), also on failure. -ENOMEM. */
int reply_new_consume(struct message *message, int *fds, size_t n_fds,
		      struct dmuser_reply **ret_reply);
