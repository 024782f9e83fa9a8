// SPDX-License-Identifier: Apache-2.0
/*
 * A system call on a channel that has to wait, in a thread of its own.
 */
#include "blocked.h"

#include <linux/dm-user.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"
#include "thread.h"

static void *blocked_thread(void *userdata)
{
	struct blocked *b = userdata;

	b->tid = gettid();
	b->result = b->call(b);
	if (b->result < 0)
		b->result = -errno;
	b->over = true;
	return NULL;
}

static void blocked_start(struct blocked *b, long number)
{
	CHECK_EQ(pthread_create(&b->thread, NULL, blocked_thread, b), 0);
	thread_await_call(&b->tid, number);
}

static ssize_t call_read(struct blocked *b)
{
	return read(b->fd, b->buf, b->len);
}

void blocked_read(struct blocked *b, int fd, size_t len)
{
	CHECK(len <= sizeof(b->buf));
	*b = (struct blocked){ .fd = fd, .len = len, .call = call_read };
	blocked_start(b, SYS_read);
}

static ssize_t call_write(struct blocked *b)
{
	return write(b->fd, b->buf, b->len);
}

void blocked_write(struct blocked *b, int fd, const void *data, size_t len)
{
	CHECK(len <= sizeof(b->buf));
	*b = (struct blocked){ .fd = fd, .len = len, .call = call_write };
	memcpy(b->buf, data, len);
	blocked_start(b, SYS_write);
}

static ssize_t call_opt_in(struct blocked *b)
{
	struct dm_user_batch batch = { 0 };

	return ioctl(b->fd, DM_USER_IOC_BATCH, &batch);
}

void blocked_opt_in(struct blocked *b, int fd)
{
	*b = (struct blocked){ .fd = fd, .call = call_opt_in };
	blocked_start(b, SYS_ioctl);
}

static ssize_t call_epoll(struct blocked *b)
{
	struct epoll_event event;
	int n = epoll_wait(b->fd, &event, 1, -1);

	return n > 0 ? (ssize_t)event.events : n;
}

void blocked_epoll(struct blocked *b, int epoll)
{
	*b = (struct blocked){ .fd = epoll, .call = call_epoll };
	blocked_start(b, SYS_epoll_wait);
}

ssize_t blocked_end(struct blocked *b)
{
	CHECK_EQ(pthread_join(b->thread, NULL), 0);
	return b->result;
}
