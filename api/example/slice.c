// SPDX-License-Identifier: Apache-2.0
/*
 * A backend that is not part of dmuser: `slice` serves a part of an image or a device, from byte `start`
 * on, such as one partition of a disk. It is here to be copied. slice.json is its manifest,
 * profile/slice.json says which system calls it makes, Makefile builds and installs the three.
 *
 * Operations are called on several threads at once, and may not allocate. See dmuser-backend(7).
 */
#include <dmuser-worker.h>

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct slice {
	int fd; /* the supervisor opened it: this process can open nothing */
	uint64_t start;
};

static int slice_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	static struct slice slice;
	uint64_t size = dmuser_worker_size_bytes(worker);
	struct stat st;
	int64_t start;
	int r = dmuser_worker_option_integer(worker, "start", 0, &start);

	if (r < 0)
		return r;
	if (start % 512 != 0)
		return dmuser_worker_refuse(worker, -EINVAL, "start: must be a multiple of 512");
	slice.fd = dmuser_worker_resource(worker, 0);
	slice.start = (uint64_t)start;
	if (fstat(slice.fd, &st) < 0)
		return -errno;
	/* A device says nothing of its size here; beyond its end it fails by itself. */
	if (S_ISREG(st.st_mode) && (start > st.st_size || size > (uint64_t)(st.st_size - start)))
		return dmuser_worker_refuse(worker, -ENOSPC,
					    "start: path has %" PRId64 " bytes, too few for %" PRIu64
					    " from %" PRId64 " on", (int64_t)st.st_size, size, start);
	*ret_volume = &slice;
	return 0;
}

static int slice_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		      uint64_t offset)
{
	const struct slice *slice = volume;

	for (size_t done = 0; done < length;) {
		ssize_t n = pread(slice->fd, (char *)buffer + done, length - done,
				  (off_t)(slice->start + offset + done));

		/* Zeroes where the image was cut short would be made-up data. */
		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 ? -EIO : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int slice_write(void *volume, struct dmuser_request *request, const void *buffer,
		       size_t length, uint64_t offset)
{
	/* FUA asks for these bytes alone to be durable when this returns. */
	int flags = dmuser_request_flags(request) & DMUSER_REQUEST_FUA ? RWF_DSYNC : 0;
	const struct slice *slice = volume;

	for (size_t done = 0; done < length;) {
		const struct iovec part = { (char *)buffer + done, length - done };
		ssize_t n = pwritev2(slice->fd, &part, 1, (off_t)(slice->start + offset + done), flags);

		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 ? -EIO : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int slice_flush(void *volume, struct dmuser_request *request)
{
	return fdatasync(((struct slice *)volume)->fd) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct dmuser_worker_ops ops = {
		.type = "slice", .summary = "A part of an image or a device",
		.options = "  path=PATH            the image or device\n"
			   "  start=BYTES          where the volume begins in it (default: 0)\n",
		.n_threads = 4, /* as in the manifest, like the resources */
		.n_resources = 1, .resources = { { .kind = DMUSER_RESOURCE_FILE, .option = "path" } },
		.prepare = slice_prepare, .read = slice_read, .write = slice_write, .flush = slice_flush,
	};

	return dmuser_worker_run(&ops, argc, argv);
}
