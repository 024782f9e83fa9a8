/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most cases begin and end with.
 */
#pragma once

#include <linux/dm-user.h>
#include <stdint.h>

#include "submit.h"
#include "target.h"

/*
 * A target of 2048 sectors whose one channel has read one I/O, of `len` bytes at 0, and not answered it.
 * `options` and `ret_msg` may be NULL. Returns the channel.
 */
int fixture_begin(struct target *ret_t, const char *options, enum submit_operation operation,
		  uint64_t len, struct submit *ret_s, struct dm_user_message *ret_msg);
/* Closes the last channel and removes the target. */
void fixture_end(const struct target *t, int fd);
