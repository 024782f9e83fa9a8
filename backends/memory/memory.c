// SPDX-License-Identifier: Apache-2.0
/*
 * The backend `memory`: a volume in RAM. It is also the lesson: a whole backend in one small file.
 *
 * The data lives in a memfd that the supervisor made and keeps a hold of, mapped here, for as long as this
 * process serves it: a supervisor that restarts gets it from here. When the worker has ended, the volume is
 * lost and its memory free. An answered write is in the memfd already: there is nothing to flush. Owns the
 * mapping, trusts the library for every range.
 */
#include "dmuser-worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct volume {
	char *data;
	int memfd;
};

static int memory_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	static struct volume volume;
	size_t size = dmuser_worker_size_bytes(worker);

	volume.memfd = dmuser_worker_resource(worker, 0);
	volume.data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, volume.memfd, 0);
	if (volume.data == MAP_FAILED)
		return dmuser_worker_refuse(worker, -errno, "mapping %zu bytes: %s", size,
					    strerror(errno));
	*ret_volume = &volume;
	return 0;
}

/* By the descriptor: a look through the mapping at what was never written would take memory for it. */
static int memory_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		       uint64_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(((struct volume *)volume)->memfd, (char *)buffer + done,
				  length - done, (off_t)(offset + done));

		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 ? -EIO : -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int memory_write(void *volume, struct dmuser_request *request, const void *buffer,
			size_t length, uint64_t offset)
{
	memcpy(((struct volume *)volume)->data + offset, buffer, length);
	return 0;
}

/* Gives whole pages back to the system and zeroes the rest. */
static int memory_discard(void *volume, struct dmuser_request *request, uint64_t length,
			  uint64_t offset)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (fallocate(((struct volume *)volume)->memfd, mode, (off_t)offset, (off_t)length) < 0)
		return -errno;
	return 0;
}

static int memory_write_zeroes(void *volume, struct dmuser_request *request, uint64_t length,
			       uint64_t offset)
{
	if (!(dmuser_request_flags(request) & DMUSER_REQUEST_NOUNMAP))
		return memory_discard(volume, request, length, offset);
	memset(((struct volume *)volume)->data + offset, 0, length);
	return 0;
}

static const struct dmuser_worker_ops ops = {
	.type = "memory",
	.summary = "A volume in RAM, which lasts as long as the volume does.",
	.n_threads = 2,
	.n_resources = 1,
	.resources = { { .kind = DMUSER_RESOURCE_MEMFD } },
	.prepare = memory_prepare,
	.read = memory_read,
	.write = memory_write,
	.discard = memory_discard,
	.write_zeroes = memory_write_zeroes,
};

int main(int argc, char **argv)
{
	return dmuser_worker_run(&ops, argc, argv);
}
