// SPDX-License-Identifier: Apache-2.0
/*
 * I/O is mapped while memory is short. A worker answers it, in a thread that no fault hits.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../kmod/server.h"
#include "../kmod/submit.h"
#include "case.h"
#include "prove.h"
#include "sweep.h"

/* More than one request's worth, so that device-mapper splits it. */
#define BYTES (256 * 1024)

static struct target t;
static struct server server;
static int device = -1;
static char buf[BYTES] __attribute__((aligned(4096)));

static void begin(void)
{
	prove_name(&t, "2 max_io_kb 128");
	prove_create(&t);
	server_start(&server, &t, 1, false, 0);
	device = open(t.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(device >= 0);
}

static void end(void)
{
	CHECK_EQ(close(device), 0);
	prove_remove(&t);
	server_join(&server);
}

static int do_io(bool writes, int flags)
{
	struct iovec iov = { buf, BYTES };
	ssize_t n =
		writes ? pwritev2(device, &iov, 1, 0, flags) : preadv2(device, &iov, 1, 0, flags);

	/* what was submitted before the fault is told as a short transfer */
	return n < 0 ? -errno : 0;
}

static int do_read(void)
{
	return do_io(false, 0);
}

static int do_read_nowait(void)
{
	return do_io(false, RWF_NOWAIT);
}

static int do_write(void)
{
	return do_io(true, 0);
}

static int do_write_fua(void)
{
	return do_io(true, RWF_DSYNC);
}

static int do_flush(void)
{
	return fsync(device) < 0 ? -errno : 0;
}

static int do_range(unsigned long request)
{
	static uint64_t range[2] = { 0, BYTES };

	return ioctl(device, request, range) < 0 ? -errno : 0;
}

static int do_discard(void)
{
	return do_range(BLKDISCARD);
}

static int do_secure_erase(void)
{
	return do_range(BLKSECDISCARD);
}

static int do_zeroes(void)
{
	return fallocate(device, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BYTES) < 0 ? -errno
											   : 0;
}

static void fill(void)
{
	for (size_t i = 0; i < BYTES; i++)
		buf[i] = submit_pattern(i);
}

/* All I/O goes on, and arrives: no request was lost, none is left. */
static void after_any(int r)
{
	fill();
	CHECK_EQ(pwrite(device, buf, BYTES, 0), BYTES);
	memset(buf, 0, BYTES);
	CHECK_EQ(pread(device, buf, BYTES, 0), BYTES);
	for (size_t i = 0; i < BYTES; i++)
		CHECK_EQ(buf[i], submit_pattern(i));
	struct target_status s = target_status(&t);
	CHECK_EQ(s.queued, 0);
	CHECK_EQ(s.outstanding, 0);
	CHECK_EQ(s.errors, 0);
}

static void mapping_reads_bears_every_fault(void)
{
	begin();
	sweep(&(struct operation){
		.name = "read of the device", .before = fill, .run = do_read, .after = after_any });
	sweep(&(struct operation){ .name = "read without waiting",
				   .before = fill,
				   .run = do_read_nowait,
				   .after = after_any,
				   .also = { EAGAIN } });
	end();
}

static void mapping_writes_bears_every_fault(void)
{
	begin();
	sweep(&(struct operation){ .name = "write to the device",
				   .before = fill,
				   .run = do_write,
				   .after = after_any });
	sweep(&(struct operation){ .name = "write with FUA",
				   .before = fill,
				   .run = do_write_fua,
				   .after = after_any });
	end();
}

static void mapping_flushes_bears_every_fault(void)
{
	begin();
	sweep(&(struct operation){ .name = "flush", .run = do_flush, .after = after_any });
	end();
}

static void mapping_ranges_bears_every_fault(void)
{
	begin();
	sweep(&(struct operation){ .name = "discard", .run = do_discard, .after = after_any });
	sweep(&(struct operation){
		.name = "secure erase", .run = do_secure_erase, .after = after_any });
	sweep(&(struct operation){ .name = "zeroes", .run = do_zeroes, .after = after_any });
	end();
}

const struct test_case map_cases[] = {
	CASE(mapping_reads_bears_every_fault),
	CASE(mapping_writes_bears_every_fault),
	CASE(mapping_flushes_bears_every_fault),
	CASE(mapping_ranges_bears_every_fault),
	{ 0 },
};
