// SPDX-License-Identifier: Apache-2.0
/*
 * A hostile thread's memory. What it has to write is full of PATTERN_HELD, so that it can be told
 * from what is not a holder's.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena.h"
#include "pattern.h"

static int uffd = -1;
static pthread_t server;
static atomic_bool serving;
static char held_page[MEMORY_PAGE] __attribute__((aligned(MEMORY_PAGE)));

/* A page follows that is not there, or what runs over the end would be somebody else's. */
static char *map_pages(size_t len, int fd)
{
	char *p = mmap(NULL, len + MEMORY_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return p;
	p = mmap(p, len, PROT_READ | PROT_WRITE,
		 MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd, 0);
	if (p != MAP_FAILED && fd < 0)
		memset(p, PATTERN_HELD, len);
	/* children use none of it; and what a fork has shared costs a page fault a page to get back */
	if (p != MAP_FAILED)
		madvise(p, len, MADV_DONTFORK);
	return p;
}

static int memory_init_slow(struct memory *m)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	m->slow = map_pages(2 * MEMORY_PAGE, -1);
	if (m->slow == MAP_FAILED)
		return -errno;
	reg.range = (struct uffdio_range){ (uintptr_t)m->slow, 2 * MEMORY_PAGE };
	return ioctl(uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

int memory_init(struct memory *m)
{
	m->memfd = memfd_create("hostile", MFD_CLOEXEC);
	if (m->memfd < 0 || ftruncate(m->memfd, 2 * MEMORY_PAGE) < 0)
		return -errno;
	m->good = map_pages(MEMORY_GOOD_BYTES, -1);
	m->giant = map_pages(MEMORY_GOOD_BYTES, -1);
	m->half = map_pages(MEMORY_PAGE, -1);
	m->readonly = map_pages(2 * MEMORY_PAGE, -1);
	m->file = map_pages(2 * MEMORY_PAGE, m->memfd);
	if (m->good == MAP_FAILED || m->giant == MAP_FAILED || m->half == MAP_FAILED ||
	    m->readonly == MAP_FAILED || m->file == MAP_FAILED)
		return -errno;
	if (mprotect(m->readonly, 2 * MEMORY_PAGE, PROT_READ) < 0)
		return -errno;
	return memory_init_slow(m);
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* As much of it as there is before the page that is not there. */
static char *half_there(struct memory *m, struct prng *p, const void *data, size_t len)
{
	size_t there = prng_below(p, at_most(len, MEMORY_PAGE) + 1);
	char *place = m->half + MEMORY_PAGE - there;

	if (data)
		memcpy(place, data, there);
	return place;
}

/*
 * The file may be cut meanwhile, so it is never written through its mapping. It is cut first: what
 * was read into it must not be written to a channel.
 */
static char *in_file(struct memory *m, struct prng *p, const void *data, size_t len)
{
	ssize_t n = ftruncate(m->memfd, 0);

	if (n == 0 && prng_one_in(p, 2))
		n = pwrite(m->memfd, held_page, MEMORY_PAGE, 0);
	if (n > 0 && prng_one_in(p, 2))
		n = pwrite(m->memfd, held_page, MEMORY_PAGE, MEMORY_PAGE);
	if (n > 0 && data)
		n = pwrite(m->memfd, data, at_most(len, MEMORY_PAGE), 0);
	if (n < 0)
		arena_wrong("a memfd cannot be written");
	return m->file + prng_below(p, 2) * (MEMORY_PAGE - 20);
}

/* A header lies over the border, or the payload on the slow pages behind it. */
static char *in_slow(struct memory *m, struct prng *p)
{
	madvise(m->slow, 2 * MEMORY_PAGE, MADV_DONTNEED);
	return m->slow + (prng_one_in(p, 2) ? 0 : MEMORY_PAGE - prng_below(p, 100));
}

char *memory_bad(struct memory *m, struct prng *p, const void *data, size_t len)
{
	static const uintptr_t nowhere[] = { 0, 8, 0xffffffff81000000, 0xffff888000000000,
					     0xdead000000000000, 0x7ffffffff000, UINTPTR_MAX };

	switch (prng_below(p, 8)) {
	case 0:
	case 1:
	case 2:
		return half_there(m, p, data, len);
	case 3:
		return m->readonly + prng_below(p, MEMORY_PAGE);
	case 4:
		return in_file(m, p, data, len);
	case 5:
		return in_slow(m, p);
	case 6:
		return m->half + MEMORY_PAGE + prng_below(p, MEMORY_PAGE);
	default:
		return (char *)nowhere[prng_below(p, sizeof(nowhere) / sizeof(*nowhere))];
	}
}

void memory_cut_file(struct memory *m)
{
	if (ftruncate(m->memfd, 0) < 0)
		arena_wrong("a memfd cannot be cut");
}

/* --- The fault server */

static void serve_fault(struct prng *p)
{
	struct uffd_msg event;

	if (read(uffd, &event, sizeof(event)) != sizeof(event) ||
	    event.event != UFFD_EVENT_PAGEFAULT)
		return;
	arena_rest(prng_small(p, 16));
	struct uffdio_copy copy = {
		.dst = event.arg.pagefault.address & ~(uint64_t)(MEMORY_PAGE - 1),
		.src = (uintptr_t)held_page,
		.len = MEMORY_PAGE,
	};
	/* EEXIST: somebody else's fault brought it */
	if (ioctl(uffd, UFFDIO_COPY, &copy) < 0 && (errno == EEXIST || errno == EAGAIN)) {
		struct uffdio_range range = { copy.dst, MEMORY_PAGE };

		ioctl(uffd, UFFDIO_WAKE, &range);
	}
}

static void *serve_faults(void *userdata)
{
	struct prng p = *(struct prng *)userdata;

	arena_name_thread("faults", 0, 0);
	while (serving) {
		struct pollfd poll_uffd = { .fd = uffd, .events = POLLIN };

		if (poll(&poll_uffd, 1, 100) > 0)
			serve_fault(&p);
	}
	return NULL;
}

int memory_faults_start(struct prng p)
{
	static struct prng own;
	struct uffdio_api api = { .api = UFFD_API };

	own = p;
	memset(held_page, PATTERN_HELD, sizeof(held_page));
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0)
		return -errno;
	serving = true;
	return -pthread_create(&server, NULL, serve_faults, &own);
}

void memory_faults_stop(void)
{
	serving = false;
	pthread_join(server, NULL);
}
