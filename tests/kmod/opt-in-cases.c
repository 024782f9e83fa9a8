// SPDX-License-Identifier: Apache-2.0
/*
 * Opting in to whole messages while the channel's stream is held: by a write whose page is not there.
 */
#include <linux/dm-user.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "stuck.h"
#include "submit.h"
#include "thread.h"

/* A call that waits for the stream, in a thread of its own. */
struct waiter {
	int fd;
	const struct dm_user_message *answer; /* and its payload, to be written; or NULL: opts in */
	size_t len;
	atomic_int tid;
	long result; /* or -errno */
	pthread_t thread;
};

static void *waiter_thread(void *userdata)
{
	struct dm_user_batch batch = { 0 };
	struct waiter *w = userdata;

	w->tid = gettid();
	w->result = w->answer ? write(w->fd, w->answer, w->len) :
				ioctl(w->fd, DM_USER_IOC_BATCH, &batch);
	if (w->result < 0)
		w->result = -errno;
	return NULL;
}

static void waiter_start(struct waiter *w)
{
	CHECK_EQ(pthread_create(&w->thread, NULL, waiter_thread, w), 0);
	thread_await_call(&w->tid, w->answer ? SYS_write : SYS_ioctl);
}

static long waiter_end(struct waiter *w)
{
	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	return w->result;
}

static void hear(int signal)
{
}

static void opting_in_that_waits_for_a_copy_can_be_interrupted(void)
{
	struct target t;
	struct submit s;
	struct stuck stuck;
	struct dm_user_info info;
	/* without SA_RESTART */
	struct sigaction action = { .sa_handler = hear };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, NULL);
	struct waiter w = { .fd = fd };
	stuck_start(&stuck, fd, false);
	waiter_start(&w);
	CHECK_EQ(pthread_kill(w.thread, SIGUSR1), 0);
	CHECK_EQ(waiter_end(&w), -EINTR);
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
	struct dm_user_info info;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, NULL);
	submit_start(&other, &t, SUBMIT_READ, 512, 512);
	CHECK_EQ(channel_next(fd, msg, NULL), 0);
	msg->type = DM_USER_RESP_SUCCESS;
	memset(answer + 40, 0x77, 512);
	struct waiter opting = { .fd = fd };
	struct waiter writing = { .fd = fd, .answer = msg, .len = sizeof(answer) };
	stuck_start(&stuck, fd, false);
	waiter_start(&opting);
	waiter_start(&writing);
	CHECK_EQ(stuck_end(&stuck), 40 + 512);
	CHECK_EQ(waiter_end(&opting), 0);
	CHECK_EQ(waiter_end(&writing), sizeof(answer));
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
