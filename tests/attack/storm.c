// SPDX-License-Identifier: Apache-2.0
/*
 * attack-storm COUNT SEED DEVICE: a container that asks for everything in every way.
 *
 * COUNT requests of random kinds, sizes, offsets and flags, from several processes at once, each in
 * a part of the device that is its own and whose bytes it knows. A device may refuse what it cannot
 * do, but must not fail, and what it reads must be what was written. Owns all of the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 4
#define IO_MAX	  (128 * 1024)
#define ALIGNMENT 4096
/* For a range whose ends are rounded. */
#define BUFFER_SIZE (IO_MAX + 2 * ALIGNMENT)

static uint64_t state;

static struct {
	int direct, buffered;
	uint64_t begin, size; /* this process's part of the device, in bytes */
	char *known;	      /* what it holds */
	char *buffer;	      /* BUFFER_SIZE, aligned */
} part;

/* xorshift */
static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return (next_random() >> 11) % limit;
}

_Noreturn static void fail(const char *what, uint64_t offset, size_t size)
{
	fprintf(stderr, "%s of %zu bytes at %" PRIu64 ": %s\n", what, size, offset, strerror(errno));
	exit(1);
}

/* What a device says of a request that it does not take; it is whole after that. */
static void check_refusal(const char *what, uint64_t offset, size_t size)
{
	if (errno != EINVAL && errno != EOPNOTSUPP && errno != EAGAIN && errno != ENOSPC)
		fail(what, offset, size);
}

/* Small ones mostly; now and then one that no block size divides. */
static void choose_range(uint64_t *ret_offset, size_t *ret_size)
{
	size_t size = (size_t)1 << (9 + below(9));
	uint64_t offset = below(part.size / 512) * 512;

	if (below(4) == 0)
		size = 512 * (1 + below(IO_MAX / 512));
	if (below(16) == 0) {
		size -= below(511);
		offset += below(512);
	}
	if (offset + size > part.size)
		offset = (part.size - size) / 512 * 512;
	*ret_offset = offset;
	*ret_size = size;
}

static int choose_flags(void)
{
	static const int flags[] = { 0, 0, 0, RWF_DSYNC, RWF_SYNC, RWF_HIPRI, RWF_NOWAIT,
				     RWF_HIPRI | RWF_DSYNC, RWF_NOWAIT | RWF_DSYNC };

	return flags[below(sizeof(flags) / sizeof(flags[0]))];
}

static int choose_file(void)
{
	return below(2) == 0 ? part.direct : part.buffered;
}

/*
 * What was not promised: whatever the device has now is written once more. Without that the kernel's
 * cache, which it clears before it asks for a discard, could differ from a device that refuses.
 */
static void settle(uint64_t offset, size_t size)
{
	uint64_t begin = offset / ALIGNMENT * ALIGNMENT;
	size_t length = (size_t)((offset + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - begin);
	off_t at = (off_t)(part.begin + begin);

	if (pread(part.direct, part.buffer, length, at) != (ssize_t)length ||
	    pwrite(part.direct, part.buffer, length, at) != (ssize_t)length)
		fail("settling", begin, length);
	memcpy(part.known + begin, part.buffer, length);
}

static void try_read(uint64_t offset, size_t size)
{
	struct iovec iov = { part.buffer, size };
	ssize_t n = preadv2(choose_file(), &iov, 1, (off_t)(part.begin + offset), choose_flags());

	if (n < 0) {
		check_refusal("reading", offset, size);
	} else if (memcmp(part.buffer, part.known + offset, (size_t)n) != 0) {
		errno = EILSEQ;
		fail("reading", offset, size);
	}
}

static void try_write(uint64_t offset, size_t size)
{
	struct iovec iov = { part.buffer, size };
	ssize_t n;

	for (size_t i = 0; i < size; i += 64)
		part.buffer[i] = (char)next_random();
	n = pwritev2(choose_file(), &iov, 1, (off_t)(part.begin + offset), choose_flags());
	if (n == (ssize_t)size) {
		memcpy(part.known + offset, part.buffer, size);
		return;
	}
	if (n < 0)
		check_refusal("writing", offset, size);
	settle(offset, size);
}

/* Its contents do not matter any more, and are whatever they are. */
static void try_discard(uint64_t offset, size_t size)
{
	const uint64_t range[2] = { part.begin + offset, size };
	const unsigned long request = below(4) == 0 ? BLKSECDISCARD : BLKDISCARD;

	if (ioctl(part.direct, request, range) < 0)
		check_refusal("discarding", offset, size);
	settle(offset, size);
}

static void try_zeroes(uint64_t offset, size_t size)
{
	const uint64_t range[2] = { part.begin + offset, size };
	const int mode = below(2) == 0 ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	int r;

	if (below(2) == 0)
		r = ioctl(part.direct, BLKZEROOUT, range);
	else
		r = fallocate(part.direct, mode | FALLOC_FL_KEEP_SIZE, (off_t)range[0],
			      (off_t)range[1]);
	if (r == 0) {
		memset(part.known + offset, 0, size);
		return;
	}
	check_refusal("zeroing", offset, size);
	settle(offset, size);
}

/* Some that no device has: past its end, of no size, of no known kind. */
static void try_nonsense(uint64_t offset, size_t size)
{
	const uint64_t far = UINT64_MAX - 511 - below(IO_MAX) * 512;
	const uint64_t range[2] = { far, size };

	if (pwrite(part.direct, part.buffer, size, (off_t)(far >> (1 + below(30)))) > 0)
		fail("writing what is not there", far, size);
	if (ioctl(part.direct, below(2) ? BLKDISCARD : BLKZEROOUT, range) == 0)
		fail("discarding what is not there", far, size);
	if (pread(part.direct, part.buffer, 0, (off_t)offset) > 0)
		fail("reading nothing", offset, 0);
	fallocate(part.direct, (int)next_random() & ~FALLOC_FL_NO_HIDE_STALE, 0, 0);
}

static void request(void)
{
	uint64_t offset;
	size_t size;

	choose_range(&offset, &size);
	switch (below(16)) {
	case 0:
		try_discard(offset, size);
		break;
	case 1:
	case 2:
		try_zeroes(offset, size);
		break;
	case 3:
		if (fsync(choose_file()) < 0)
			fail("flushing", 0, 0);
		break;
	case 4:
		posix_fadvise(part.buffered, (off_t)(part.begin + offset), (off_t)size,
			      below(2) ? POSIX_FADV_WILLNEED : POSIX_FADV_DONTNEED);
		break;
	case 5:
		try_nonsense(offset, size);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		try_read(offset, size);
		break;
	default:
		try_write(offset, size);
	}
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | flags);

	if (fd < 0)
		fail(path, 0, 0);
	return fd;
}

_Noreturn static void rage(const char *device, unsigned int which, uint64_t count, uint64_t seed)
{
	off_t size;

	part.direct = open_device(device, O_DIRECT);
	part.buffered = open_device(device, 0);
	size = lseek(part.buffered, 0, SEEK_END);
	part.size = (uint64_t)size / PROCESSES / ALIGNMENT * ALIGNMENT;
	part.begin = which * part.size;
	part.known = malloc(part.size);
	part.buffer = aligned_alloc(ALIGNMENT, BUFFER_SIZE);
	if (size < PROCESSES * IO_MAX || !part.known || !part.buffer)
		fail(device, 0, 0);
	state = (seed << 8 | which) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	memset(part.buffer, 0, BUFFER_SIZE);
	for (uint64_t at = 0; at < part.size; at += ALIGNMENT)
		settle(at, ALIGNMENT);
	for (uint64_t i = 0; i < count; i++)
		request();
	exit(0);
}

int main(int argc, char **argv)
{
	bool failed = false;
	int status;

	if (argc != 4) {
		fprintf(stderr, "Usage: attack-storm COUNT SEED DEVICE\n");
		return 2;
	}
	for (unsigned int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork", 0, 0);
		if (pid == 0)
			rage(argv[3], i, strtoull(argv[1], NULL, 10) / PROCESSES,
			     strtoull(argv[2], NULL, 10));
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
