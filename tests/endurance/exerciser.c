// SPDX-License-Identifier: Apache-2.0
/*
 * exerciser FILE SEED SECONDS: one file, whatever a program may do to it, and a copy in memory that
 * tells what must be in it. Reads and writes through the page cache, past it and by mapping; makes
 * it shorter and longer; digs holes, moves what lies behind them, and closes it in between.
 *
 * Every read is compared with the copy; so is the whole file, from the disk, at each closing and at
 * the end. Exits with 1 and says at which operation and byte they differ, and with 2 for what is no
 * fault of the file system's. The same seed gives the same operations. Owns FILE.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/hostile/prng.h"

#define FILE_MAX  (1024 * 1024)
#define PIECE_MAX (96 * 1024)
#define BLOCK     4096 /* of every file system that is tried: what can be taken out or put in */

struct exerciser {
	const char *path;
	int fd, direct_fd;
	struct prng prng;
	uint64_t n;  /* operations so far */
	size_t size; /* the file's */
	char *copy;  /* FILE_MAX bytes: the file's, and zeroes */
	char *buf;   /* PIECE_MAX bytes, aligned */
};

__attribute__((format(printf, 2, 3)))
static _Noreturn void fail(const struct exerciser *x, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: operation %" PRIu64 ", ", x->path, x->n);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t draw(struct exerciser *x, uint64_t below)
{
	return prng_below(&x->prng, below);
}

static void fill(struct exerciser *x, char *bytes, size_t len)
{
	uint64_t word = prng_next(&x->prng);

	/* A page's bytes tell which operation wrote them. */
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(word >> i % 8 * 8) + (char)(i / 8);
}

static void must_equal(const struct exerciser *x, const char *how, const char *bytes, size_t offset,
		       size_t len)
{
	const char *expected = x->copy + offset;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != expected[i])
			fail(x, "%s: byte %zu is %02x, not %02x", how, offset + i,
			     (unsigned char)bytes[i], (unsigned char)expected[i]);
	}
}

/* --- Reading */

static void open_both(struct exerciser *x, int flags)
{
	x->fd = open(x->path, O_RDWR | O_CLOEXEC | flags, 0600);
	x->direct_fd = open(x->path, O_RDWR | O_CLOEXEC | O_DIRECT);
	if (x->fd < 0 || x->direct_fd < 0)
		err(2, "%s", x->path);
}

static void read_at(struct exerciser *x, int fd, const char *how, size_t offset, size_t len)
{
	ssize_t got = pread(fd, x->buf, len, (off_t)offset);
	size_t expected = offset >= x->size ? 0 : len < x->size - offset ? len : x->size - offset;

	if (got < 0)
		fail(x, "%s: %s", how, strerror(errno));
	if ((size_t)got != expected)
		fail(x, "%s: %zd bytes at %zu, not %zu", how, got, offset, expected);
	must_equal(x, how, x->buf, offset, expected);
}

static void do_read(struct exerciser *x)
{
	read_at(x, x->fd, "read", draw(x, x->size + 1), 1 + draw(x, PIECE_MAX));
}

static void do_read_direct(struct exerciser *x)
{
	read_at(x, x->direct_fd, "direct read", draw(x, FILE_MAX / BLOCK) * BLOCK,
		(1 + draw(x, PIECE_MAX / BLOCK)) * BLOCK);
}

/* All of it from the disk, and what is behind its end. */
static void compare(struct exerciser *x)
{
	struct stat st;

	if (fsync(x->fd) < 0)
		fail(x, "fsync: %s", strerror(errno));
	/* Else what is read is what the page cache still holds. */
	errno = posix_fadvise(x->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (errno != 0 || fstat(x->fd, &st) < 0)
		err(2, "%s", x->path);
	if ((size_t)st.st_size != x->size)
		fail(x, "%zu bytes, not %zu", (size_t)st.st_size, x->size);
	for (size_t at = 0; at < FILE_MAX; at += PIECE_MAX)
		read_at(x, x->fd, "read back", at, PIECE_MAX);
}

static void do_reopen(struct exerciser *x)
{
	compare(x);
	if (close(x->fd) < 0 || close(x->direct_fd) < 0)
		fail(x, "close: %s", strerror(errno));
	open_both(x, 0);
}

static void do_fsync(struct exerciser *x)
{
	if ((draw(x, 2) ? fsync(x->fd) : fdatasync(x->fd)) < 0)
		fail(x, "fsync: %s", strerror(errno));
}

/* --- Writing */

static void grow_to(struct exerciser *x, size_t end)
{
	if (x->size < end)
		x->size = end;
}

static void write_at(struct exerciser *x, int fd, const char *how, size_t offset, size_t len)
{
	ssize_t put;

	if (offset + len > FILE_MAX)
		len = FILE_MAX - offset;
	fill(x, x->buf, len);
	put = pwrite(fd, x->buf, len, (off_t)offset);
	if (put < 0)
		fail(x, "%s: %s", how, strerror(errno));
	if (put != (ssize_t)len)
		fail(x, "%s: %zd bytes at %zu, not %zu", how, put, offset, len);
	memcpy(x->copy + offset, x->buf, len);
	grow_to(x, offset + len);
}

static void do_write(struct exerciser *x)
{
	write_at(x, x->fd, "write", draw(x, FILE_MAX), 1 + draw(x, PIECE_MAX));
}

static void do_write_direct(struct exerciser *x)
{
	write_at(x, x->direct_fd, "direct write", draw(x, FILE_MAX / BLOCK) * BLOCK,
		 (1 + draw(x, PIECE_MAX / BLOCK)) * BLOCK);
}

/* Reads by the mapping, or writes. What lies behind the end of a file has no page. */
static void do_map(struct exerciser *x)
{
	size_t offset, len;
	char *map;

	if (x->size == 0)
		return;
	offset = draw(x, x->size);
	len = 1 + draw(x, PIECE_MAX);
	len = len < x->size - offset ? len : x->size - offset;
	map = mmap(NULL, x->size, PROT_READ | PROT_WRITE, MAP_SHARED, x->fd, 0);
	if (map == MAP_FAILED)
		err(2, "mmap");
	must_equal(x, "mapping", map + offset, offset, len);
	if (draw(x, 2)) {
		fill(x, map + offset, len);
		memcpy(x->copy + offset, map + offset, len);
		if (draw(x, 2) && msync(map, x->size, MS_SYNC) < 0)
			fail(x, "msync: %s", strerror(errno));
	}
	munmap(map, x->size);
}

static void do_truncate(struct exerciser *x)
{
	size_t size = draw(x, FILE_MAX + 1);

	if (ftruncate(x->fd, (off_t)size) < 0)
		fail(x, "ftruncate: %s", strerror(errno));
	if (size < x->size)
		memset(x->copy + size, 0, x->size - size);
	x->size = size;
}

/* False: this file system does not know it. */
static bool allocate(struct exerciser *x, const char *how, int mode, size_t offset, size_t len)
{
	if (fallocate(x->fd, mode, (off_t)offset, (off_t)len) == 0)
		return true;
	if (errno != EOPNOTSUPP)
		fail(x, "%s of %zu at %zu: %s", how, len, offset, strerror(errno));
	return false;
}

static void do_zero(struct exerciser *x)
{
	size_t offset = draw(x, FILE_MAX), len = 1 + draw(x, PIECE_MAX);
	bool punch = draw(x, 2);
	int mode = punch ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;

	if (offset + len > FILE_MAX)
		len = FILE_MAX - offset;
	if (!allocate(x, punch ? "punch hole" : "zero range", mode, offset, len))
		return;
	memset(x->copy + offset, 0, len);
	if (!punch)
		grow_to(x, offset + len);
}

static void do_preallocate(struct exerciser *x)
{
	size_t offset = draw(x, FILE_MAX), len = 1 + draw(x, FILE_MAX - offset);
	bool keep = draw(x, 2);

	if (allocate(x, "fallocate", keep ? FALLOC_FL_KEEP_SIZE : 0, offset, len) && !keep)
		grow_to(x, offset + len);
}

static void do_collapse(struct exerciser *x)
{
	size_t blocks = x->size / BLOCK, offset, len;

	if (blocks < 3)
		return;
	offset = draw(x, blocks - 2) * BLOCK;
	len = (1 + draw(x, (blocks * BLOCK - offset) / BLOCK - 1)) * BLOCK;
	if (offset + len >= x->size)
		return;
	if (!allocate(x, "collapse range", FALLOC_FL_COLLAPSE_RANGE, offset, len))
		return;
	memmove(x->copy + offset, x->copy + offset + len, x->size - offset - len);
	memset(x->copy + x->size - len, 0, len);
	x->size -= len;
}

static void do_insert(struct exerciser *x)
{
	size_t room = (FILE_MAX - x->size) / BLOCK, offset, len;

	if (x->size < BLOCK || room == 0)
		return;
	offset = draw(x, x->size / BLOCK) * BLOCK;
	len = (1 + draw(x, room)) * BLOCK;
	if (offset >= x->size)
		return;
	if (!allocate(x, "insert range", FALLOC_FL_INSERT_RANGE, offset, len))
		return;
	memmove(x->copy + offset + len, x->copy + offset, x->size - offset);
	memset(x->copy + offset, 0, len);
	x->size += len;
}

/* --- All of them */

static void step(struct exerciser *x)
{
	static void (*const operations[])(struct exerciser *x) = {
		do_read, do_read, do_read, do_read_direct, do_read_direct, do_fsync, do_reopen,
		do_write, do_write, do_write, do_write_direct, do_map, do_map, do_truncate,
		do_zero, do_zero, do_preallocate, do_collapse, do_insert,
	};

	x->n++;
	operations[draw(x, sizeof(operations) / sizeof(*operations))](x);
}

static uint64_t number(const char *text, const char *what)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || value == 0)
		errx(2, "%s: '%s' is no number above 0", what, text);
	return value;
}

int main(int argc, char **argv)
{
	struct exerciser x = { 0 };
	time_t end;

	if (argc != 4)
		errx(2, "usage: exerciser FILE SEED SECONDS");
	x.path = argv[1];
	x.prng = prng_new(number(argv[2], "SEED"), PRNG_SUBMITTER, 0, 0);
	end = time(NULL) + (time_t)number(argv[3], "SECONDS");
	x.copy = calloc(1, FILE_MAX);
	x.buf = aligned_alloc(BLOCK, PIECE_MAX);
	if (!x.copy || !x.buf)
		err(2, NULL);
	open_both(&x, O_CREAT | O_TRUNC);
	while (time(NULL) < end)
		step(&x);
	compare(&x);
	printf("%s: %" PRIu64 " operations\n", x.path, x.n);
	free(x.copy);
	free(x.buf);
	return 0;
}
