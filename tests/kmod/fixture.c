// SPDX-License-Identifier: Apache-2.0
/*
 * What most cases begin and end with.
 */
#include "fixture.h"

#include <sys/wait.h>
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

int fixture_begin_and_queue(struct target *ret_t, struct submit *ret_delivered,
			    struct submit *ret_queued)
{
	int fd = fixture_begin(ret_t, NULL, SUBMIT_WRITE, 512, ret_delivered, NULL);

	submit_start(ret_queued, ret_t, SUBMIT_WRITE, 512, 512);
	target_await_queued(ret_t, 1);
	return fd;
}

void fixture_end(const struct target *t, int fd)
{
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(target_remove(t), 0);
}

void await_exit(pid_t pid, int expected)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, expected);
}
