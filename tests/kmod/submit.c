// SPDX-License-Identifier: Apache-2.0
/*
 * An I/O that somebody submits to the target's block device. O_DIRECT, so that one call is one
 * request (or as many as its size says), and nothing is cached.
 */
#include "submit.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

char submit_pattern(uint64_t i)
{
	return (char)(i * 7 + i / 512 * 13 + i / 4096 * 31 + 1);
}

static int submit_transfer(struct submit *s, int fd)
{
	struct iovec iov = { .iov_base = s->buf, .iov_len = s->len };
	ssize_t n;

	if (s->operation == SUBMIT_READ)
		n = preadv2(fd, &iov, 1, s->offset, 0);
	else
		n = pwritev2(fd, &iov, 1, s->offset,
			     s->operation == SUBMIT_WRITE_FUA ? RWF_DSYNC : 0);
	if (n < 0)
		return -errno;
	CHECK_EQ(n, s->len);
	return 0;
}

static int submit_range(struct submit *s, int fd)
{
	uint64_t range[2] = { s->offset, s->len };
	int r;

	switch (s->operation) {
	case SUBMIT_DISCARD:
		r = ioctl(fd, BLKDISCARD, range);
		break;
	case SUBMIT_ZEROES:
		r = ioctl(fd, BLKZEROOUT, range);
		break;
	case SUBMIT_SECURE_ERASE:
		r = ioctl(fd, BLKSECDISCARD, range);
		break;
	case SUBMIT_PUNCH_HOLE:
		/* zeroes without the fallback of writing them */
		r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, s->offset, s->len);
		break;
	default:
		r = fsync(fd);
	}
	return r < 0 ? -errno : 0;
}

void submit_let_go_of_channels(void)
{
	CHECK_EQ(close_range(3, ~0U, CLOSE_RANGE_UNSHARE), 0);
}

static void *submit_thread(void *userdata)
{
	struct submit *s = userdata;

	submit_let_go_of_channels();
	int fd = open(s->device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(fd >= 0);
	if (s->operation <= SUBMIT_WRITE_FUA)
		s->result = submit_transfer(s, fd);
	else
		s->result = submit_range(s, fd);
	close(fd);
	s->done = true;
	return NULL;
}

void submit_start(struct submit *s, const struct target *t, enum submit_operation operation,
		  uint64_t offset, uint64_t len)
{
	*s = (struct submit){ .operation = operation, .offset = offset, .len = len,
			      .device = t->device };
	if (operation <= SUBMIT_WRITE_FUA) {
		s->buf = aligned_alloc(4096, (len + 4095) / 4096 * 4096);
		CHECK(s->buf);
		for (uint64_t i = 0; i < len; i++)
			s->buf[i] = operation == SUBMIT_READ ? 0x55 : submit_pattern(offset + i);
	}
	CHECK_EQ(pthread_create(&s->thread, NULL, submit_thread, s), 0);
}

int submit_wait(struct submit *s)
{
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	return s->result;
}
