// SPDX-License-Identifier: Apache-2.0
/*
 * Operations: what the block layer's submitters cause the worker to be asked.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

/* The last request that one of these made. */
static struct dm_user_message msg;

/* Submits an I/O, returns the one request it made, after answering it with success. */
static const struct dm_user_message *request_of(enum submit_operation operation, uint64_t offset,
						uint64_t len)
{
	struct target t;
	struct submit s;

	target_create(&t, 16384);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, operation, offset, len);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload,
				msg.type == DM_USER_REQ_MAP_READ ? msg.len : 0), 0);
	if (operation == SUBMIT_WRITE_FUA) {
		/* the block device's own fsync follows a synchronous write */
		struct dm_user_message flush;

		CHECK_EQ(channel_next(fd, &flush, payload), 0);
		CHECK_EQ(flush.type, DM_USER_REQ_MAP_FLUSH);
		CHECK_EQ(channel_answer(fd, flush.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
	return &msg;
}

static void fsync_reaches_the_worker_as_a_flush_of_nothing(void)
{
	request_of(SUBMIT_FLUSH, 0, 0);

	CHECK_EQ(msg.type, DM_USER_REQ_MAP_FLUSH);
	CHECK_EQ(msg.len, 0);
	CHECK_EQ(msg.sector, 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_PREFLUSH);
}

static void fua_reaches_the_worker(void)
{
	request_of(SUBMIT_WRITE_FUA, 4096, 8192);

	CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_FUA);
	CHECK(!(request_of(SUBMIT_WRITE, 4096, 8192)->flags & DM_USER_REQ_MAP_FLAG_FUA));
}

static void a_write_is_marked_as_synchronous(void)
{
	CHECK(request_of(SUBMIT_WRITE, 0, 4096)->flags & DM_USER_REQ_MAP_FLAG_SYNC);
}

static void a_range(enum submit_operation operation, uint64_t type)
{
	request_of(operation, 1 << 20, 6 << 20);

	/* in one piece, whatever the limit of READ and WRITE is */
	CHECK_EQ(msg.type, type);
	CHECK_EQ(msg.sector, 2048);
	CHECK_EQ(msg.len, 6 << 20);
}

static void discard_reaches_the_worker(void)
{
	a_range(SUBMIT_DISCARD, DM_USER_REQ_MAP_DISCARD);
}

static void secure_erase_reaches_the_worker(void)
{
	a_range(SUBMIT_SECURE_ERASE, DM_USER_REQ_MAP_SECURE_ERASE);
}

static void write_zeroes_reach_the_worker(void)
{
	a_range(SUBMIT_ZEROES, DM_USER_REQ_MAP_WRITE_ZEROES);
	CHECK(request_of(SUBMIT_ZEROES, 0, 4096)->flags & DM_USER_REQ_MAP_FLAG_NOUNMAP);
	CHECK(!(request_of(SUBMIT_PUNCH_HOLE, 0, 4096)->flags & DM_USER_REQ_MAP_FLAG_NOUNMAP));
}

static void a_failed_flush_fails_fsync_once(void)
{
	struct target t;
	struct submit s;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	static const uint64_t types[] = { DM_USER_RESP_ERROR, DM_USER_RESP_SUCCESS };
	for (int i = 0; i < 2; i++) {
		submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(channel_answer(fd, msg.seq, types[i], NULL, 0), 0);
		CHECK_EQ(submit_wait(&s), i == 0 ? -EIO : 0);
	}
	fixture_end(&t, fd);
}

struct polled {
	const struct target *target;
	int flag, result;
};

static void *transfer_with_flag(void *userdata)
{
	struct polled *p = userdata;
	void *buf = aligned_alloc(4096, 4096);
	struct iovec iov = { buf, 4096 };

	submit_let_go_of_channels();
	int fd = open(p->target->device, O_RDWR | O_DIRECT | O_CLOEXEC);

	CHECK(buf && fd >= 0);
	p->result = preadv2(fd, &iov, 1, 0, p->flag) == 4096 ? 0 : -errno;
	close(fd);
	free(buf);
	return NULL;
}

static const struct dm_user_message *request_with_flag(int flag)
{
	struct target t;
	struct polled p = { .target = &t, .flag = flag };
	pthread_t thread;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(pthread_create(&thread, NULL, transfer_with_flag, &p), 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, msg.len), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p.result, 0);
	fixture_end(&t, fd);
	return &msg;
}

static void io_that_must_not_wait_is_taken(void)
{
	CHECK(request_with_flag(RWF_NOWAIT)->flags & DM_USER_REQ_MAP_FLAG_NOWAIT);
}

static void polled_io_completes(void)
{
	request_with_flag(RWF_HIPRI);
}

static void memory_that_begins_inside_a_page_carries_the_right_bytes(void)
{
	struct target t;
	struct submit s;
	enum { LEN = 1 << 20 };

	target_create(&t, 8192);
	int fd = channel_open(&t, 0);
	/* a buffer that begins at an odd sector of a page, so that every segment is cut */
	for (uint64_t offset = 512; offset < 4096; offset += 1024) {
		submit_start(&s, &t, SUBMIT_READ, 0, LEN + 4096);
		for (uint64_t seen = 0; seen < LEN + 4096; seen += msg.len) {
			CHECK_EQ(channel_next(fd, &msg, payload), 0);
			for (uint64_t i = 0; i < msg.len; i++)
				payload[i] = submit_pattern(msg.sector * 512 + i);
			CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload,
						msg.len), 0);
		}
		CHECK_EQ(submit_wait(&s), 0);
		for (uint64_t i = 0; i < LEN + 4096; i++)
			CHECK_EQ(s.buf[i], submit_pattern(i));
		/* the same buffer, shifted, goes out as a write */
		int device = open(t.device, O_RDWR | O_DIRECT | O_CLOEXEC);
		char *shifted = s.buf + offset;
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0)
			_exit(pwrite(device, shifted, 65536, 0) != 65536);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.len, 65536);
		for (uint64_t i = 0; i < 65536; i++)
			CHECK_EQ(payload[i], submit_pattern(offset + i));
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
			await_exit(child, 0);
		close(device);
		free(s.buf);
	}
	fixture_end(&t, fd);
}

const struct test_case operation_cases[] = {
	CASE(fsync_reaches_the_worker_as_a_flush_of_nothing),
	CASE(fua_reaches_the_worker),
	CASE(a_write_is_marked_as_synchronous),
	CASE(discard_reaches_the_worker),
	CASE(secure_erase_reaches_the_worker),
	CASE(write_zeroes_reach_the_worker),
	CASE(a_failed_flush_fails_fsync_once),
	CASE(io_that_must_not_wait_is_taken),
	CASE(polled_io_completes),
	CASE(memory_that_begins_inside_a_page_carries_the_right_bytes),
	{ 0 },
};
