// SPDX-License-Identifier: Apache-2.0
/*
 * What most cases begin and end with.
 */
#include "fixture.h"

#include <unistd.h>

#include "case.h"
#include "channel.h"

int fixture_begin(struct target *ret_t, const char *options, enum submit_operation operation,
		  uint64_t len, struct submit *ret_s, struct dm_user_message *ret_msg)
{
	static char payload[PAYLOAD_MAX];
	struct dm_user_message msg;

	target_create_with(ret_t, 2048, options);
	int fd = channel_open(ret_t, 0);
	submit_start(ret_s, ret_t, operation, 0, len);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	if (ret_msg)
		*ret_msg = msg;
	return fd;
}

void fixture_end(const struct target *t, int fd)
{
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(target_remove(t), 0);
}
