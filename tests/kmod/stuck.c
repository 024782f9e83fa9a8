// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that is not there: userfaultfd, and a fault that is left alone.
 */
#include "stuck.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

static void *transfer(void *userdata)
{
	struct stuck *s = userdata;

	struct iovec iov[] = { { (void *)s->before, s->before_len }, { s->page, STUCK_BYTES } };

	s->result = s->reading ? read(s->fd, s->page, STUCK_BYTES) : writev(s->fd, iov, 2);
	if (s->result < 0)
		s->result = -errno;
	return NULL;
}

static void stuck_begin(struct stuck *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffd_msg event;

	s->page = mmap(NULL, STUCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(s->page != MAP_FAILED && s->uffd >= 0);
	CHECK_EQ(ioctl(s->uffd, UFFDIO_API, &api), 0);
	struct uffdio_register reg = { .range = { (uintptr_t)s->page, STUCK_BYTES },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	CHECK_EQ(ioctl(s->uffd, UFFDIO_REGISTER, &reg), 0);
	CHECK_EQ(pthread_create(&s->thread, NULL, transfer, s), 0);
	CHECK_EQ(read(s->uffd, &event, sizeof(event)), sizeof(event));
}

void stuck_start(struct stuck *s, int fd, bool reading)
{
	*s = (struct stuck){ .fd = fd, .reading = reading };
	stuck_begin(s);
}

void stuck_start_behind(struct stuck *s, int fd, const void *before, size_t before_len)
{
	*s = (struct stuck){ .fd = fd, .before = before, .before_len = before_len };
	stuck_begin(s);
}

ssize_t stuck_end(struct stuck *s)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)s->page, STUCK_BYTES } };

	CHECK_EQ(ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero), 0);
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	close(s->uffd);
	CHECK_EQ(munmap(s->page, STUCK_BYTES), 0);
	return s->result;
}
