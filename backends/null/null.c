// SPDX-License-Identifier: Apache-2.0
/*
 * The backend `null`: reads as zeroes, forgets what is written. What is left of a request's cost is
 * everybody else's: that is what it is for. The smallest backend, under the smallest profile: it makes
 * no system call of its own. Owns nothing.
 */
#include "dmuser-worker.h"

#include <string.h>

static int null_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	*ret_volume = NULL;
	return 0;
}

static int null_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		     uint64_t offset)
{
	/* Buffers are used again, and would show one reader what another one wrote. */
	memset(buffer, 0, length);
	return 0;
}

static int null_write(void *volume, struct dmuser_request *request, const void *buffer,
		      size_t length, uint64_t offset)
{
	return 0;
}

/* Discarding and zeroing: what is to become of nothing has become of it. */
static int null_forget(void *volume, struct dmuser_request *request, uint64_t length,
		       uint64_t offset)
{
	return 0;
}

static const struct dmuser_worker_ops ops = {
	.type = "null",
	.summary = "Reads as zeroes and forgets what is written, for measuring and tests.",
	.n_threads = 2,
	.prepare = null_prepare,
	.read = null_read,
	.write = null_write,
	.discard = null_forget,
	.write_zeroes = null_forget,
};

int main(int argc, char **argv)
{
	return dmuser_worker_run(&ops, argc, argv);
}
