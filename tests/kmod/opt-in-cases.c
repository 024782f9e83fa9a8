// SPDX-License-Identifier: Apache-2.0
/*
 * Opting in to whole messages while the channel's stream is held: by a write whose page is not there.
 */
#include <linux/dm-user.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "stuck.h"
#include "submit.h"

static void hear(int signal)
{
}

static void opting_in_that_waits_for_a_copy_can_be_interrupted(void)
{
	struct target t;
	struct submit s;
	struct stuck stuck;
	struct blocked opting;
	struct dm_user_info info;
	/* without SA_RESTART */
	struct sigaction action = { .sa_handler = hear };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, NULL);
	stuck_start(&stuck, fd, false);
	blocked_opt_in(&opting, fd);
	CHECK_EQ(pthread_kill(opting.thread, SIGUSR1), 0);
	CHECK_EQ(blocked_end(&opting), -EINTR);
	/* a page of zeroes is a good answer to the first request, and more */
	CHECK_EQ(stuck_end(&stuck), 40 + 512);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK(!(info.flags & DM_USER_INFO_BATCH));
	fixture_end(&t, fd);
}

/* Who began to wait on a stream of bytes finds a channel of whole messages: its answer is one. */
static void a_write_that_waited_while_its_channel_opted_in_is_taken(void)
{
	static char answer[40 + 512];
	struct dm_user_message *msg = (void *)answer;
	struct target t;
	struct submit s, other;
	struct stuck stuck;
	struct blocked opting, writing;
	struct dm_user_info info;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, NULL);
	submit_start(&other, &t, SUBMIT_READ, 512, 512);
	CHECK_EQ(channel_next(fd, msg, NULL), 0);
	msg->type = DM_USER_RESP_SUCCESS;
	memset(answer + 40, 0x77, 512);
	stuck_start(&stuck, fd, false);
	blocked_opt_in(&opting, fd);
	blocked_write(&writing, fd, answer, sizeof(answer));
	CHECK_EQ(stuck_end(&stuck), 40 + 512);
	CHECK_EQ(blocked_end(&opting), 0);
	CHECK_EQ(blocked_end(&writing), sizeof(answer));
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(submit_wait(&other), 0);
	CHECK_EQ(memcmp(other.buf, answer + 40, 512), 0);
	CHECK_EQ(ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK(info.flags & DM_USER_INFO_BATCH);
	fixture_end(&t, fd);
}

const struct test_case opt_in_cases[] = {
	CASE(opting_in_that_waits_for_a_copy_can_be_interrupted),
	CASE(a_write_that_waited_while_its_channel_opted_in_is_taken),
	{ 0 },
};
