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
#include <unistd.h>

#include "case.h"

static void *transfer(void *userdata)
{
	struct stuck *s = userdata;

	s->result = s->reading ? read(s->fd, s->page, STUCK_BYTES) :
				 write(s->fd, s->page, STUCK_BYTES);
	if (s->result < 0)
		s->result = -errno;
	return NULL;
}

void stuck_start(struct stuck *s, int fd, bool reading)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffd_msg event;

	*s = (struct stuck){ .fd = fd, .reading = reading };
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

ssize_t stuck_end(struct stuck *s)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)s->page, STUCK_BYTES } };

	CHECK_EQ(ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero), 0);
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	close(s->uffd);
	CHECK_EQ(munmap(s->page, STUCK_BYTES), 0);
	return s->result;
}
