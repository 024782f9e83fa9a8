// SPDX-License-Identifier: Apache-2.0
/*
 * What can be done to a channel besides reading and writing it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "holder.h"

static void do_poll(struct holder *h, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = prng_next(&h->prng) },
			       { .fd = fd, .events = POLLIN | POLLOUT } };

	tally_count(TALLY_POLL, poll(p, 1 + prng_below(&h->prng, 2), 0));
}

static void do_epoll(struct holder *h, int fd)
{
	static const uint32_t flags[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE,
					  EPOLLEXCLUSIVE | EPOLLET };
	struct epoll_event event = { .events = EPOLLIN | flags[prng_below(&h->prng, 5)] }, found[4];
	int operation = 1 + prng_below(&h->prng, 3);

	if (prng_one_in(&h->prng, 2))
		tally_count(TALLY_EPOLL, epoll_wait(h->epoll, found, 4, 0));
	else
		tally_count(TALLY_EPOLL, epoll_ctl(h->epoll, operation, fd, &event));
}

/* The module's own, and what every file knows. */
static const unsigned long requests[] = {
	DM_USER_IOC_INFO, DM_USER_IOC_BATCH, DM_USER_IOC_INFO, DM_USER_IOC_BATCH,
	FIONREAD, FIONBIO, FIOASYNC, FIOQSIZE, FIOCLEX, TCGETS, TIOCSTI,
};

static unsigned long random_request(struct holder *h)
{
	static const unsigned types[] = {
		DM_USER_IOC_TYPE, DM_USER_IOC_TYPE, DM_USER_IOC_TYPE, 0xfd, 0x12, 'T', 'U', 0,
	};
	unsigned type = types[prng_below(&h->prng, sizeof(types) / sizeof(*types))];

	if (prng_one_in(&h->prng, 3))
		return requests[prng_below(&h->prng, sizeof(requests) / sizeof(*requests))];
	return _IOC(prng_below(&h->prng, 4), type, prng_small(&h->prng, 256),
		    prng_small(&h->prng, 16384));
}

/* As a caller of another version would have it, or nearly: mostly zeroes, and a size in front. */
static void fill_argument(struct holder *h, unsigned char *argument, size_t len)
{
	memset(argument, 0, len);
	for (unsigned i = prng_below(&h->prng, 4); i; i--)
		argument[prng_small(&h->prng, len)] = prng_small(&h->prng, 256);
	if (prng_one_in(&h->prng, 4))
		memset(argument, 0xff, len);
}

static void do_ioctl(struct holder *h, int fd)
{
	unsigned long request = random_request(h);
	unsigned char *argument = (void *)h->memory.good;

	/* whoever was woken by a signal that O_ASYNC brings would die of it */
	if (request == FIOASYNC)
		return;
	fill_argument(h, argument, 256);
	if (prng_one_in(&h->prng, 4))
		argument = (void *)memory_bad(&h->memory, &h->prng, argument, 64);
	tally_count(TALLY_IOCTL, ioctl(fd, request, argument));
}

static void do_mmap(struct holder *h, int fd)
{
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE,
					   PROT_READ | PROT_EXEC };
	void *p = mmap(NULL, MEMORY_PAGE << prng_below(&h->prng, 10),
		       protections[prng_below(&h->prng, 5)],
		       prng_one_in(&h->prng, 2) ? MAP_SHARED : MAP_PRIVATE, fd,
		       prng_small(&h->prng, 1 << 20) * MEMORY_PAGE);

	if (tally_count(TALLY_MMAP, p == MAP_FAILED ? -1 : 0) == 0)
		arena_wrong("a channel can be mapped");
}

static void do_seek(struct holder *h, int fd)
{
	off_t offset = prng_next(&h->prng);
	char buf[64] = { 0 };
	long r;

	switch (prng_below(&h->prng, 3)) {
	case 0:
		r = lseek(fd, offset, prng_below(&h->prng, 6));
		break;
	case 1:
		r = pread(fd, buf, sizeof(buf), offset);
		break;
	default:
		r = pwrite(fd, buf, sizeof(buf), offset);
	}
	if (tally_count(TALLY_SEEK, r) >= 0)
		arena_wrong("a channel has places");
}

static void do_splice(struct holder *h, int fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	if (prng_one_in(&h->prng, 2)) {
		tally_count(TALLY_SPLICE, splice(fd, NULL, ends[1], NULL, 4096, SPLICE_F_NONBLOCK));
	} else if (write(ends[1], h->memory.readonly, 40) == 40) {
		tally_count(TALLY_SPLICE, splice(ends[0], NULL, fd, NULL, 40, SPLICE_F_NONBLOCK));
	}
	close(ends[0]);
	close(ends[1]);
}

static void do_fcntl(struct holder *h, int fd)
{
	struct stat st;

	switch (prng_below(&h->prng, 9)) {
	case 0:
	case 1:
		tally_count(TALLY_FCNTL, fcntl(fd, F_SETFL, prng_one_in(&h->prng, 4) ? O_APPEND :
										       O_NONBLOCK));
		break;
	case 2:
		tally_count(TALLY_FCNTL, fcntl(fd, F_SETFL, O_DIRECT | O_NOATIME));
		break;
	case 3:
		tally_count(TALLY_FCNTL, fcntl(fd, F_GETFL));
		break;
	case 4:
		tally_count(TALLY_FCNTL, flock(fd, LOCK_NB | (1 << prng_below(&h->prng, 2))));
		break;
	case 5:
		tally_count(TALLY_FCNTL, fcntl(fd, F_SETLEASE, F_RDLCK));
		break;
	case 6:
		tally_count(TALLY_FCNTL, ftruncate(fd, 4096));
		break;
	case 7:
		tally_count(TALLY_FCNTL, fsync(fd));
		break;
	default:
		tally_count(TALLY_FCNTL, fstat(fd, &st));
	}
}

void misuse(struct holder *h, int fd)
{
	static void (*const ways[])(struct holder * h, int fd) = {
		do_poll,  do_poll, do_epoll, do_epoll,	do_ioctl, do_ioctl,
		do_ioctl, do_mmap, do_seek,  do_splice, do_fcntl, do_fcntl,
	};

	ways[prng_below(&h->prng, sizeof(ways) / sizeof(*ways))](h, fd);
}
