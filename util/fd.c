// SPDX-License-Identifier: Apache-2.0
/* Descriptors and the messages that carry them; see fd.h. */
#include "util/fd.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FD_MESSAGE_MAX)];
};

void fd_close_many(int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++) {
		closep(&fds[i]);
		fds[i] = -EBADF;
	}
}

int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags)
{
	union control control = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n_fds > FD_MESSAGE_MAX)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		sent = sendmsg(socket, &msg, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == size ? 0 : -EMSGSIZE;
}

/*
 * Takes every descriptor out of a received message. Those beyond max_fds are closed and counted, so
 * that the caller can refuse the message. (A peer may send several control messages.)
 */
static size_t take_fds(struct msghdr *msg, int *fds, size_t max_fds)
{
	size_t n_fds = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n_fds < max_fds)
				fds[n_fds] = fd;
			else
				close(fd);
			n_fds++;
		}
	}
	return n_fds;
}

ssize_t fd_recv(int socket, void *data, size_t capacity, int *fds, size_t max_fds, size_t *ret_n_fds,
		int flags)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = capacity };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	size_t n_fds;
	ssize_t received;

	do
		received = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;

	n_fds = take_fds(&msg, fds, max_fds);
	if (n_fds > max_fds || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))) {
		fd_close_many(fds, n_fds < max_fds ? n_fds : max_fds);
		return -EPROTO;
	}
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	return received;
}

int fd_recv_exact(int socket, void *data, size_t size, int *fds, size_t max_fds, size_t *ret_n_fds,
		  int flags)
{
	size_t n_fds = 0;
	ssize_t received = fd_recv(socket, data, size, fds, max_fds, &n_fds, flags);

	if (received < 0)
		return (int)received;
	if ((size_t)received != size) {
		fd_close_many(fds, n_fds);
		return received == 0 ? -ECONNRESET : -EPROTO;
	}
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	return 0;
}

static int close_span(unsigned int first, unsigned int last)
{
	return close_range(first, last, 0) < 0 ? -errno : 0;
}

int fd_close_all_but(const int *keep, size_t n_keep)
{
	unsigned int next = 0;

	for (size_t i = 0; i < n_keep; i++) {
		unsigned int kept = (unsigned int)keep[i];

		if (kept > next) {
			int r = close_span(next, kept - 1);

			if (r < 0)
				return r;
		}
		next = kept + 1;
	}
	return close_span(next, UINT_MAX);
}

int fd_identify(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, ret) < 0 ?
		       -errno : 0;
}

int fd_connect(const char *path, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}
