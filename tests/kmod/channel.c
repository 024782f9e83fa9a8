// SPDX-License-Identifier: Apache-2.0
/*
 * The worker's end of a channel, written from the ABI header alone. Unless it opts in to whole
 * messages, it does what a client of the original does, and nothing that it could not.
 */
#include "channel.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

int channel_open(const struct target *t, int flags)
{
	int fd = open(t->node, O_RDWR | O_CLOEXEC | flags);

	CHECK(fd >= 0);
	return fd;
}

int channel_read_all(int fd, void *buf, size_t len, size_t chunk)
{
	for (size_t done = 0; done < len;) {
		size_t want = chunk && chunk < len - done ? chunk : len - done;
		ssize_t n = read(fd, (char *)buf + done, want);

		if (n < 0)
			return -errno;
		CHECK(n > 0 && (size_t)n <= want);
		done += n;
	}
	return 0;
}

int channel_write_all(int fd, const void *buf, size_t len, size_t chunk)
{
	for (size_t done = 0; done < len;) {
		size_t want = chunk && chunk < len - done ? chunk : len - done;
		ssize_t n = write(fd, (const char *)buf + done, want);

		if (n < 0)
			return -errno;
		CHECK(n > 0 && (size_t)n <= want);
		done += n;
	}
	return 0;
}

int channel_next(int fd, struct dm_user_message *ret_msg, void *payload)
{
	int r = channel_read_all(fd, ret_msg, sizeof(*ret_msg), 0);

	if (r < 0 || ret_msg->type != DM_USER_REQ_MAP_WRITE)
		return r;
	CHECK(ret_msg->len <= PAYLOAD_MAX);
	return channel_read_all(fd, payload, ret_msg->len, 0);
}

pid_t channel_read_in_child(int fd, int error)
{
	static char payload[PAYLOAD_MAX];
	struct dm_user_message msg;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(channel_next(fd, &msg, payload) != error);
	return pid;
}

int channel_answer(int fd, uint64_t seq, uint64_t type, const void *payload, size_t len)
{
	struct dm_user_message *msg = calloc(1, sizeof(*msg) + len);

	CHECK(msg);
	msg->seq = seq;
	msg->type = type;
	if (len)
		memcpy(msg->buf, payload, len);

	int r = channel_write_all(fd, msg, sizeof(*msg) + len, 0);
	free(msg);
	return r;
}

int channel_open_batch(const struct target *t, int flags)
{
	struct dm_user_batch batch = { 0 };
	int fd = channel_open(t, flags);

	CHECK_EQ(ioctl(fd, DM_USER_IOC_BATCH, &batch), 0);
	return fd;
}

ssize_t channel_answer_whole(int fd, uint64_t seq, uint64_t type, const void *payload, size_t len)
{
	struct dm_user_message msg = { .seq = seq, .type = type, .len = len };
	struct iovec iov[] = { { &msg, sizeof(msg) }, { (void *)payload, len } };
	ssize_t n = writev(fd, iov, len ? 2 : 1);

	return n < 0 ? -errno : n;
}

int channel_epoll(int fd, uint32_t more_events)
{
	struct epoll_event event = { .events = EPOLLIN | more_events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
	return ep;
}

short channel_events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}
