// SPDX-License-Identifier: Apache-2.0
/* The kernel's side of a channel; see kernel-side.h. */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/kernel-side.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void kernel_side_pair(int fds[2])
{
	const struct timeval patience = { .tv_sec = TEST_PATIENCE_S };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
			 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
			 0);
}

void kernel_side_header(uint64_t type, uint64_t sector, uint64_t len,
			struct dm_user_message *ret_header)
{
	static uint64_t seq = 1000;

	*ret_header = (struct dm_user_message){
		.seq = seq, .type = type, .sector = sector, .len = len
	};
	seq++;
}

void kernel_side_send(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t sent = send(fd, next, size, MSG_NOSIGNAL);

		assert_true(sent > 0);
		next += sent;
		size -= (size_t)sent;
	}
}

void kernel_side_receive(int fd, void *data, size_t size)
{
	char *next = data;

	while (size > 0) {
		ssize_t got = recv(fd, next, size, 0);

		assert_true(got > 0);
		next += got;
		size -= (size_t)got;
	}
}

uint64_t kernel_side_request(int fd, uint64_t type, uint64_t flags, uint64_t sector, uint64_t len,
			     const void *payload)
{
	struct dm_user_message header;

	kernel_side_header(type, sector, len, &header);
	header.flags = flags;
	kernel_side_send(fd, &header, sizeof(header));
	if (payload)
		kernel_side_send(fd, payload, len);
	return header.seq;
}

void kernel_side_expect(int fd, uint64_t seq, uint64_t response)
{
	struct dm_user_message header;

	kernel_side_receive(fd, &header, sizeof(header));
	assert_int_equal(header.seq, seq);
	assert_int_equal(header.type, response);
}

void kernel_side_expect_alive(int fd)
{
	uint64_t seq = kernel_side_request(fd, DM_USER_REQ_MAP_FLUSH, 0, 0, 0, NULL);

	kernel_side_expect(fd, seq, DM_USER_RESP_SUCCESS);
}
