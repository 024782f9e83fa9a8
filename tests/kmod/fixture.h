/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most cases begin and end with.
 */
#pragma once

#include <linux/dm-user.h>
#include <stdint.h>
#include <sys/types.h>

#include "submit.h"
#include "target.h"

/*
 * A target of 2048 sectors whose one channel has read one I/O, of `len` bytes at 0, and not answered it.
 * `options` and `ret_msg` may be NULL. Returns the channel.
 */
int fixture_begin(struct target *ret_t, const char *options, enum submit_operation operation,
		  uint64_t len, struct submit *ret_s, struct dm_user_message *ret_msg);
/*
 * The same, with two WRITEs of 512 bytes: seq 0 has been read, and what the second, at 512, asks for
 * is still queued.
 */
int fixture_begin_and_queue(struct target *ret_t, struct submit *ret_delivered,
			    struct submit *ret_queued);
/* Closes the last channel and removes the target. */
void fixture_end(const struct target *t, int fd);
/* Waits for a child; it must end with this status, as wait(2) tells it. */
void await_exit(pid_t pid, int status);
