// SPDX-License-Identifier: Apache-2.0
/*
 * Several direct reads and writes at a time, by the kernel's own asynchronous I/O: so that a queue
 * is longer than one, a channel holds more than one request, and a submitter need not wait for a
 * holder who is in no hurry.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "pattern.h"
#include "submitter.h"

#define PART_BYTES 8192
/* So long a submitter with no part left waits for one, before it looks whether it is to go on. */
#define WAIT_MS 50

int burst_init(struct burst *b)
{
	b->buf = mmap(NULL, BURST_MAX * PART_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->buf == MAP_FAILED || syscall(SYS_io_setup, BURST_MAX, &b->aio) < 0)
		return -errno;
	return 0;
}

void burst_exit(struct burst *b)
{
	syscall(SYS_io_destroy, b->aio);
	munmap(b->buf, BURST_MAX * PART_BYTES);
}

static void prepare(struct submitter *s, int fd, unsigned i)
{
	bool reads = prng_one_in(&s->prng, 2);
	char *part = s->burst.buf + i * PART_BYTES;
	unsigned len = prng_one_in(&s->prng, 8) ? PART_BYTES : 4096;

	memset(part, reads ? PATTERN_CANARY : PATTERN_SUBMITTED, len);
	s->burst.flying[i] = (struct iocb){
		.aio_data = i,
		.aio_lio_opcode = reads ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)part,
		.aio_nbytes = len,
		.aio_offset = prng_below(&s->prng, (TARGET_BYTES - PART_BYTES) / 4096) * 4096,
		.aio_rw_flags = prng_one_in(&s->prng, 8) ? RWF_NOWAIT : 0,
	};
}

/* An aio event's result, in tally_count()'s terms. */
static long count_result(long result)
{
	if (result >= 0)
		return tally_count(TALLY_SUBMIT_SEVERAL, result);
	errno = -result;
	return tally_count(TALLY_SUBMIT_SEVERAL, -1);
}

/* Takes back what has ended; waits for one that does if `wait_ms` is not 0. */
static void reap(struct submitter *s, unsigned wait_ms)
{
	struct burst *b = &s->burst;
	struct io_event events[BURST_MAX];
	struct timespec most = { .tv_nsec = wait_ms * 1000000L };
	long got = syscall(SYS_io_getevents, b->aio, wait_ms ? 1 : 0, BURST_MAX, events, &most);

	for (long i = 0; i < got; i++) {
		struct iocb *cb = &b->flying[events[i].data];

		b->flies[events[i].data] = false;
		b->nr_flying--;
		if (count_result(events[i].res) > 0 && cb->aio_lio_opcode == IOCB_CMD_PREAD)
			submitter_check(s, (char *)(uintptr_t)cb->aio_buf, events[i].res);
	}
}

void burst_submit(struct submitter *s, int fd)
{
	unsigned n = 1 + prng_below(&s->prng, BURST_MAX), nr = 0;
	struct burst *b = &s->burst;
	struct iocb *list[BURST_MAX];
	long submitted;

	reap(s, b->nr_flying == BURST_MAX ? WAIT_MS : 0);
	for (unsigned i = 0; i < BURST_MAX && nr < n; i++) {
		if (b->flies[i])
			continue;
		prepare(s, fd, i);
		list[nr++] = &b->flying[i];
	}
	if (!nr)
		return;
	submitted = syscall(SYS_io_submit, b->aio, nr, list);
	if (submitted < 0)
		tally_count(TALLY_SUBMIT_SEVERAL, -1);
	for (long i = 0; i < submitted; i++) {
		b->flies[list[i]->aio_data] = true;
		b->nr_flying++;
	}
}

void burst_end(struct submitter *s)
{
	while (s->burst.nr_flying && !arena->quit)
		reap(s, WAIT_MS);
}
