// SPDX-License-Identifier: Apache-2.0
/*
 * The backend `file`: a volume in a regular file or on a block device.
 *
 * The supervisor opened it; what this process has is the descriptor. Answered writes are in the page
 * cache, or with `direct` in the disk's; both outlive the worker, and become durable with a flush or FUA.
 * Owns nothing, trusts the library for every range, never makes the file larger or smaller.
 */
#include "dmuser-worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Each may wait for a disk. */
#define N_THREADS 4

/* Of direct I/O with more pages than these four the kernel makes a list, which takes memory. */
#define SMALL_BYTES (4 * 4096)

struct volume {
	int fd;
	bool direct;
	atomic_uint n_large; /* threads whose direct I/O is more than small */
};

/*
 * Through the page cache a write takes memory, page by page, and where the volume is swap that is what there is
 * none of until the write is done: a deadlock. So neither that cache nor any of our own memory may be missing.
 */
static int go_direct(struct dmuser_worker *worker, const struct volume *volume)
{
	static _Alignas(4096) char block[4096];

	dmuser_worker_reserve_memory(worker);
	if (fcntl(volume->fd, F_SETFL, O_DIRECT) < 0)
		return dmuser_worker_refuse(worker, -errno, "direct: the file system cannot do that");
	/* The alignment that is needed is the disk's, the file system's or both's: ask by trying. */
	if (pread(volume->fd, block, dmuser_worker_block_size(worker), 0) < 0)
		return dmuser_worker_refuse(worker, -errno,
					    "direct: blocks of %u bytes cannot be read: %s",
					    dmuser_worker_block_size(worker), strerror(errno));
	return 0;
}

static int file_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	static struct volume volume;
	uint64_t size = dmuser_worker_size_bytes(worker);
	bool direct = false;
	struct stat st;
	int r;

	volume.fd = dmuser_worker_resource(worker, 0);
	if (fstat(volume.fd, &st) < 0)
		return -errno;
	/* A file may be cut short at any time, a device not: its size was checked with the setup. */
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < size)
		return dmuser_worker_refuse(worker, -ENOSPC,
					    "path: holds %" PRIu64 " bytes, the volume %" PRIu64,
					    (uint64_t)st.st_size, size);
	r = dmuser_worker_option_boolean(worker, "direct", false, &direct);
	volume.direct = direct;
	if (r == 0 && direct)
		r = go_direct(worker, &volume);
	if (r < 0)
		return r;
	*ret_volume = &volume;
	return 0;
}

/*
 * How many bytes of a request may go at a time. Where memory is short, threads with large I/O wait for
 * it, and what they wait for may be this volume's own next write, of swap or of dirty pages: so one
 * thread keeps to small pieces, and goes on.
 */
static size_t begin_pieces(struct volume *volume, size_t length)
{
	if (!volume->direct || length <= SMALL_BYTES)
		return length;
	if (atomic_fetch_add(&volume->n_large, 1) < N_THREADS - 1)
		return length;
	atomic_fetch_sub(&volume->n_large, 1);
	return SMALL_BYTES;
}

static void end_pieces(struct volume *volume, size_t piece)
{
	if (volume->direct && piece > SMALL_BYTES)
		atomic_fetch_sub(&volume->n_large, 1);
}

static int read_range(const struct volume *volume, char *next, size_t length, uint64_t offset,
		      size_t piece)
{
	while (length > 0) {
		ssize_t got = pread(volume->fd, next, length < piece ? length : piece, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		/* Somebody has cut the file short: zeroes would be made-up data. */
		if (got == 0)
			return -EIO;
		next += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}

static int file_read(void *data, struct dmuser_request *request, void *buffer, size_t length,
		     uint64_t offset)
{
	struct volume *volume = data;
	size_t piece = begin_pieces(volume, length);
	int r = read_range(volume, buffer, length, offset, piece);

	end_pieces(volume, piece);
	return r;
}

/* flags: RWF_DSYNC makes just this range durable, where fdatasync() would wait for all of the file. */
static int write_range(const struct volume *volume, const char *buffer, size_t length,
		       uint64_t offset, size_t piece, int flags)
{
	while (length > 0) {
		const struct iovec iov = {
			.iov_base = (void *)buffer,
			.iov_len = length < piece ? length : piece,
		};
		ssize_t put = pwritev2(volume->fd, &iov, 1, (off_t)offset, flags);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -EIO;
		buffer += put;
		offset += (uint64_t)put;
		length -= (size_t)put;
	}
	return 0;
}

static int file_write(void *data, struct dmuser_request *request, const void *buffer,
		      size_t length, uint64_t offset)
{
	bool fua = dmuser_request_flags(request) & DMUSER_REQUEST_FUA;
	struct volume *volume = data;
	size_t piece = begin_pieces(volume, length);
	int r = write_range(volume, buffer, length, offset, piece, fua ? RWF_DSYNC : 0);

	end_pieces(volume, piece);
	return r;
}

static int file_flush(void *volume, struct dmuser_request *request)
{
	return fdatasync(((struct volume *)volume)->fd) < 0 ? -errno : 0;
}

/*
 * 0, or a negative errno; -EOPNOTSUPP if the file system or device cannot do that to this range, which
 * a block device with larger sectors than the volume's says as EINVAL.
 */
static int allocate(const struct volume *volume, int mode, uint64_t length, uint64_t offset)
{
	int r;

	do
		r = fallocate(volume->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int file_discard(void *volume, struct dmuser_request *request, uint64_t length,
			uint64_t offset)
{
	return allocate(volume, FALLOC_FL_PUNCH_HOLE, length, offset);
}

/* The slow way, which works everywhere. */
static int write_zero_bytes(const struct volume *volume, uint64_t length, uint64_t offset)
{
	static const _Alignas(4096) char zeroes[SMALL_BYTES];

	while (length > 0) {
		size_t part = length < sizeof(zeroes) ? (size_t)length : sizeof(zeroes);
		int r = write_range(volume, zeroes, part, offset, part, 0);

		if (r < 0)
			return r;
		offset += part;
		length -= part;
	}
	return 0;
}

/* Releases space if that is allowed, else keeps it, else writes: whatever the backing can do. */
static int zero_range(const struct volume *volume, unsigned int flags, uint64_t length,
		      uint64_t offset)
{
	int r = -EOPNOTSUPP;

	if (!(flags & DMUSER_REQUEST_NOUNMAP))
		r = allocate(volume, FALLOC_FL_PUNCH_HOLE, length, offset);
	if (r == -EOPNOTSUPP)
		r = allocate(volume, FALLOC_FL_ZERO_RANGE, length, offset);
	if (r == -EOPNOTSUPP)
		r = write_zero_bytes(volume, length, offset);
	return r;
}

static int file_write_zeroes(void *volume, struct dmuser_request *request, uint64_t length,
			     uint64_t offset)
{
	unsigned int flags = dmuser_request_flags(request);
	int r = zero_range(volume, flags, length, offset);

	if (r == 0 && (flags & DMUSER_REQUEST_FUA))
		r = file_flush(volume, request);
	return r;
}

static const struct dmuser_worker_ops ops = {
	.type = "file",
	.summary = "A volume in a regular file or on a block device.",
	.options = "  path=PATH            the image or device, of at least --size bytes\n"
		   "  direct=true|false    past the page cache (default: false)\n",
	.n_threads = N_THREADS,
	.n_resources = 1,
	.resources = { { .kind = DMUSER_RESOURCE_FILE, .option = "path" } },
	.prepare = file_prepare,
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.discard = file_discard,
	.write_zeroes = file_write_zeroes,
};

int main(int argc, char **argv)
{
	return dmuser_worker_run(&ops, argc, argv);
}
