// SPDX-License-Identifier: Apache-2.0
/*
 * Somebody who uses a target's block device. Holds no channel. Comes in only while the place is
 * open, so that the controller knows when the last I/O must be over.
 */
#include "submitter.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "mapper.h"
#include "pattern.h"

void submitter_check(struct submitter *s, const char *buf, long len)
{
	long at = len > 0 ? pattern_find_foreign(buf, len, !s->direct) : -1;

	if (at < 0)
		return;
	const unsigned char *p = (const unsigned char *)buf + at;

	arena_wrong(
		"a %s read of %ld bytes from target %u yields what no holder gave, from byte %ld: "
		"%02x %02x %02x %02x %02x %02x %02x %02x",
		s->direct ? "direct" : "buffered", len, s->target, at, p[0], p[1], p[2], p[3], p[4],
		p[5], p[6], p[7]);
}

struct range {
	uint64_t offset, len;
};

/* Mostly small, mostly aligned, mostly inside. */
static struct range random_range(struct submitter *s, uint64_t max)
{
	struct range r;

	r.len = 512 + prng_small(&s->prng, max - 512 + 1);
	r.offset = prng_below(&s->prng, TARGET_BYTES - r.len + 1);
	if (!prng_one_in(&s->prng, s->direct ? 50 : 3)) {
		unsigned grain = prng_one_in(&s->prng, 3) ? 512 : 4096;

		r.offset &= ~(uint64_t)(grain - 1);
		r.len = (r.len + grain - 1) & ~(uint64_t)(grain - 1);
	}
	if (r.len > max)
		r.len = max;
	if (prng_one_in(&s->prng, 200))
		r.offset = TARGET_BYTES - 512;
	return r;
}

static int random_flags(struct submitter *s)
{
	static const int flags[] = { RWF_NOWAIT, RWF_HIPRI, RWF_DSYNC, RWF_SYNC };

	return prng_one_in(&s->prng, 4) ? flags[prng_below(&s->prng, 4)] : 0;
}

static void do_read(struct submitter *s, int fd)
{
	struct range r = random_range(s, prng_one_in(&s->prng, 50) ? SUBMITTER_BUF_BYTES : 16384);
	struct iovec iov = { .iov_base = s->buf, .iov_len = r.len };

	memset(s->buf, PATTERN_CANARY, r.len);
	submitter_check(s, s->buf, tally_count(TALLY_SUBMIT_READ, preadv2(fd, &iov, 1, r.offset,
									  random_flags(s))));
}

static void do_write(struct submitter *s, int fd)
{
	struct range r = random_range(s, prng_one_in(&s->prng, 50) ? SUBMITTER_BUF_BYTES : 16384);
	struct iovec iov = { .iov_base = s->buf, .iov_len = r.len };

	memset(s->buf, PATTERN_SUBMITTED, r.len);
	tally_count(TALLY_SUBMIT_WRITE, pwritev2(fd, &iov, 1, r.offset, random_flags(s)));
}

static void do_flush(struct submitter *s, int fd)
{
	tally_count(TALLY_SUBMIT_FLUSH, prng_one_in(&s->prng, 2) ? fsync(fd) : fdatasync(fd));
}

static void do_range(struct submitter *s, int fd)
{
	struct range r = random_range(s, TARGET_BYTES / 2);

	r.offset &= ~4095ULL;
	switch (prng_below(&s->prng, 5)) {
	case 0:
	case 1:
		tally_count(TALLY_SUBMIT_DISCARD, ioctl(fd, BLKDISCARD, &r));
		break;
	case 2:
		tally_count(TALLY_SUBMIT_ERASE, ioctl(fd, BLKSECDISCARD, &r));
		break;
	case 3:
		tally_count(TALLY_SUBMIT_ZEROES, ioctl(fd, BLKZEROOUT, &r));
		break;
	default:
		tally_count(TALLY_SUBMIT_ZEROES,
			    fallocate(fd, FALLOC_FL_KEEP_SIZE | (prng_one_in(&s->prng, 2) ?
								 FALLOC_FL_PUNCH_HOLE :
								 FALLOC_FL_ZERO_RANGE),
				      r.offset, r.len));
	}
}

static void do_drop_cache(struct submitter *s, int fd)
{
	tally_count(TALLY_SUBMIT_CACHE, prng_one_in(&s->prng, 2) ?
					ioctl(fd, BLKFLSBUF, 0) :
					-!!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void step(struct submitter *s, int fd)
{
	/* who waits for an end does nothing meanwhile: so most does not wait, where it need not */
	unsigned choice = s->direct ? prng_below(&s->prng, 100) : prng_below(&s->prng, 40);

	if (choice < 12)
		do_read(s, fd);
	else if (choice < 22)
		do_write(s, fd);
	else if (choice < 29)
		do_flush(s, fd);
	else if (choice < 37)
		do_range(s, fd);
	else if (choice < 40)
		do_drop_cache(s, fd);
	else
		burst_submit(s, fd);
}

static void visit(struct submitter *s)
{
	char path[32];
	int flags = O_CLOEXEC | O_RDWR;

	snprintf(path, sizeof(path), "/dev/dm-%u", MAPPER_MINOR_BASE + s->target);
	s->direct = !prng_one_in(&s->prng, 3);
	if (s->direct)
		flags |= O_DIRECT;
	if (prng_one_in(&s->prng, 4))
		flags |= O_NONBLOCK;
	int fd = tally_count(TALLY_SUBMIT_OPEN, open(path, flags));
	if (fd < 0) {
		arena_rest(5);
		return;
	}
	for (unsigned i = prng_small(&s->prng, 400); i && s->place->open && !arena->quit; i--)
		step(s, fd);
	burst_end(s);
	tally_count(TALLY_SUBMIT_CLOSE, close(fd));
}

static void *submitter_run(void *userdata)
{
	struct submitter *s = userdata;

	arena_name_thread("submit", s->target, s->index);
	while (!arena->stop && !arena->quit) {
		if (!s->place->open) {
			arena_rest_while(&s->place->open, false);
			continue;
		}
		s->place->inside++;
		/* the controller closes first, and then looks who is inside */
		if (s->place->open)
			visit(s);
		s->place->inside--;
	}
	return NULL;
}

void submitter_start(struct submitter *s, unsigned target, unsigned index)
{
	*s = (struct submitter){ .target = target, .index = index,
				 .place = &arena->places[target] };
	s->prng = prng_new(arena->seed, PRNG_SUBMITTER, target, index);
	s->buf = mmap(NULL, SUBMITTER_BUF_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->buf == MAP_FAILED || burst_init(&s->burst) < 0) {
		arena_wrong("a submitter cannot start");
		return;
	}
	pthread_create(&s->thread, NULL, submitter_run, s);
}

void submitter_join(struct submitter *s)
{
	pthread_join(s->thread, NULL);
	munmap(s->buf, SUBMITTER_BUF_BYTES);
	burst_exit(&s->burst);
}
