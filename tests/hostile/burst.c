// SPDX-License-Identifier: Apache-2.0
/*
 * Several direct reads and writes at a time, by the kernel's own asynchronous I/O: so that a queue
 * is longer than one, and a channel holds more than one request.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena.h"
#include "pattern.h"
#include "submitter.h"

#define BURST_MAX 16
#define PART_BYTES 8192

static void prepare(struct submitter *s, int fd, struct iocb *cb, unsigned i)
{
	bool reads = prng_one_in(&s->prng, 2);
	char *part = s->buf + i * PART_BYTES;
	unsigned len = prng_one_in(&s->prng, 2) ? 4096 : PART_BYTES;

	memset(part, reads ? PATTERN_CANARY : PATTERN_SUBMITTED, len);
	*cb = (struct iocb){
		.aio_data = i,
		.aio_lio_opcode = reads ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)part,
		.aio_nbytes = len,
		.aio_offset = prng_below(&s->prng, (TARGET_BYTES - PART_BYTES) / 4096) * 4096,
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

void burst_submit(struct submitter *s, int fd)
{
	unsigned n = 2 + prng_below(&s->prng, BURST_MAX - 1);
	struct iocb cbs[BURST_MAX], *list[BURST_MAX];
	struct io_event events[BURST_MAX];
	long submitted;

	for (unsigned i = 0; i < n; i++) {
		prepare(s, fd, &cbs[i], i);
		list[i] = &cbs[i];
	}
	submitted = syscall(SYS_io_submit, s->aio, n, list);
	if (submitted < 0)
		tally_count(TALLY_SUBMIT_SEVERAL, -1);
	while (submitted > 0) {
		long got = syscall(SYS_io_getevents, s->aio, 1, submitted, events, NULL);

		for (long i = 0; i < got; i++) {
			struct iocb *cb = &cbs[events[i].data];

			if (count_result(events[i].res) > 0 && cb->aio_lio_opcode == IOCB_CMD_PREAD)
				submitter_check(s, (char *)(uintptr_t)cb->aio_buf, events[i].res);
		}
		submitted -= got > 0 ? got : 0;
	}
}
