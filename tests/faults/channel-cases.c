// SPDX-License-Identifier: Apache-2.0
/*
 * Channels come and go, are asked and are watched, while memory is short.
 */
#include <fcntl.h>
#include <linux/dm-user.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kmod/channel.h"
#include "../kmod/submit.h"
#include "case.h"
#include "prove.h"
#include "sweep.h"

static struct target t;
static int channel = -1, watcher = -1;

static void begin(const char *options)
{
	prove_name(&t, options);
	prove_create(&t);
}

/* --- Opening and closing */

static int do_open(void)
{
	channel = open(t.node, O_RDWR | O_CLOEXEC);
	return channel < 0 ? -errno : 0;
}

/* An open that failed has left no channel. */
static void after_open(int r)
{
	CHECK_EQ(target_status(&t).channels, r == 0);
	if (r == 0)
		CHECK_EQ(close(channel), 0);
	prove_serves(&t);
}

static void opening_a_channel_bears_every_fault(void)
{
	begin(NULL);
	CHECK(sweep(&(struct operation){ .name = "open", .run = do_open, .after = after_open }) >
	      0);
	prove_remove(&t);
	begin("2 max_outstanding 65536");
	CHECK(sweep(&(struct operation){ .name = "open, with a large index",
					 .run = do_open,
					 .after = after_open }) > 0);
	prove_remove(&t);
}

static struct submit submit;

/* A channel that has one request, read to its end. */
static void before_close(void)
{
	struct dm_user_message msg;

	channel = channel_open(&t, 0);
	submit_start(&submit, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(channel, &msg, NULL), 0);
}

static int do_close(void)
{
	return close(channel) < 0 ? -errno : 0;
}

static void after_close_of_error(int r)
{
	CHECK_EQ(r, 0);
	CHECK_EQ(submit_wait(&submit), -EIO);
	free(submit.buf);
	CHECK_EQ(target_status(&t).channels, 0);
	prove_serves(&t);
}

static void after_close_of_requeue(int r)
{
	static char payload[4096];
	struct dm_user_message msg;

	CHECK_EQ(r, 0);
	int fd = channel_open(&t, 0);

	CHECK_EQ(channel_next(fd, &msg, NULL), 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, sizeof(payload)), 0);
	CHECK_EQ(submit_wait(&submit), 0);
	free(submit.buf);
	CHECK_EQ(close(fd), 0);
}

/* Nobody is told if it fails: so it must not. */
static void closing_a_channel_bears_every_fault_unnoticed(void)
{
	begin(NULL);
	sweep(&(struct operation){ .name = "close",
				   .before = before_close,
				   .run = do_close,
				   .after = after_close_of_error });
	prove_remove(&t);
	begin("2 on_close requeue");
	sweep(&(struct operation){ .name = "close, with requeue",
				   .before = before_close,
				   .run = do_close,
				   .after = after_close_of_requeue });
	prove_remove(&t);
}

/* --- Asking */

static struct dm_user_info info;
static struct dm_user_batch batch;

static void before_ioctl(void)
{
	channel = channel_open(&t, 0);
}

static int do_info(void)
{
	return ioctl(channel, DM_USER_IOC_INFO, &info) < 0 ? -errno : 0;
}

static void after_info(int r)
{
	CHECK_EQ(do_info(), 0);
	CHECK_EQ(info.sectors, t.sectors);
	CHECK_EQ(close(channel), 0);
}

static int do_batch(void)
{
	return ioctl(channel, DM_USER_IOC_BATCH, &batch) < 0 ? -errno : 0;
}

/* It has opted in if, and only if, it was told so. */
static void after_batch(int r)
{
	CHECK_EQ(do_info(), 0);
	CHECK_EQ(!!(info.flags & DM_USER_INFO_BATCH), r == 0);
	CHECK_EQ(do_batch(), 0);
	CHECK_EQ(close(channel), 0);
}

static void every_ioctl_bears_every_fault(void)
{
	begin(NULL);
	CHECK(sweep(&(struct operation){ .name = "info",
					 .before = before_ioctl,
					 .run = do_info,
					 .after = after_info }) > 0);
	CHECK(sweep(&(struct operation){ .name = "batch",
					 .before = before_ioctl,
					 .run = do_batch,
					 .after = after_batch }) > 0);
	prove_remove(&t);
}

/* --- Watching */

static void before_watch(void)
{
	channel = channel_open(&t, 0);
	watcher = epoll_create1(EPOLL_CLOEXEC);
	CHECK(watcher >= 0);
}

static int do_watch(void)
{
	static struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(watcher, EPOLL_CTL_ADD, channel, &event) < 0 ? -errno : 0;
}

/* Who was not told of a failure is told of a request. */
static void after_watch(int r)
{
	static char payload[4096];
	struct dm_user_message msg;
	struct epoll_event event;

	if (r < 0)
		CHECK_EQ(do_watch(), 0);
	submit_start(&submit, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(epoll_wait(watcher, &event, 1, -1), 1);
	CHECK_EQ(channel_next(channel, &msg, NULL), 0);
	CHECK_EQ(channel_answer(channel, msg.seq, DM_USER_RESP_SUCCESS, payload, sizeof(payload)),
		 0);
	CHECK_EQ(submit_wait(&submit), 0);
	free(submit.buf);
	CHECK_EQ(close(watcher), 0);
	CHECK_EQ(close(channel), 0);
}

static void watching_a_channel_bears_every_fault(void)
{
	begin(NULL);
	CHECK(sweep(&(struct operation){ .name = "watch",
					 .before = before_watch,
					 .run = do_watch,
					 .after = after_watch }) > 0);
	prove_remove(&t);
}

const struct test_case channel_cases[] = {
	CASE(opening_a_channel_bears_every_fault),
	CASE(closing_a_channel_bears_every_fault_unnoticed),
	CASE(every_ioctl_bears_every_fault),
	CASE(watching_a_channel_bears_every_fault),
	{ 0 },
};
