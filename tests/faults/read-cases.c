// SPDX-License-Identifier: Apache-2.0
/*
 * Requests are read while copies fail. A copy that fails is made again, once the page is there: the
 * worker notices nothing, and no byte is lost, missed or repeated.
 */
#include <unistd.h>

#include "../kmod/channel.h"
#include "../kmod/submit.h"
#include "case.h"
#include "prove.h"
#include "sweep.h"

/* Several pages, and so several copies. */
#define BYTES	(5 * 4096)
#define MESSAGE (sizeof(struct dm_user_message) + BYTES)

static struct target t;
static int channel = -1;
static struct submit submits[2];
static char buf[2 * MESSAGE];
static size_t have;

static void check_message(const char *message, uint64_t *ret_seq)
{
	struct dm_user_message msg;

	memcpy(&msg, message, sizeof(msg));
	CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
	CHECK_EQ(msg.len, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		CHECK_EQ(message[sizeof(msg) + i], submit_pattern(msg.sector * 512 + i));
	*ret_seq = msg.seq;
}

static void begin(unsigned n, bool batch)
{
	channel = batch ? channel_open_batch(&t, 0) : channel_open(&t, 0);
	for (unsigned i = 0; i < n; i++)
		submit_start(&submits[i], &t, SUBMIT_WRITE, i * BYTES, BYTES);
	target_await_queued(&t, n);
	memset(buf, 0, sizeof(buf));
	have = 0;
}

/* Reads up to the end of message `n`, however far earlier reads came. */
static int read_up_to(unsigned n)
{
	while (have < n * MESSAGE) {
		ssize_t r = read(channel, buf + have, n * MESSAGE - have);

		if (r < 0)
			return -errno;
		have += r;
	}
	return 0;
}

static void end(unsigned n)
{
	uint64_t seq;

	CHECK_EQ(read_up_to(n), 0);
	for (unsigned i = 0; i < n; i++) {
		check_message(buf + i * MESSAGE, &seq);
		CHECK_EQ(channel_answer(channel, seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(submit_wait(&submits[i]), 0);
		free(submits[i].buf);
	}
	CHECK_EQ(close(channel), 0);
}

static void before_stream(void)
{
	begin(1, false);
}

static int do_stream(void)
{
	return read_up_to(1);
}

static void after_stream(int r)
{
	CHECK_EQ(r, 0);
	end(1);
}

static void before_batch(void)
{
	begin(2, true);
}

static int do_batch(void)
{
	return read_up_to(2);
}

static void after_batch(int r)
{
	CHECK_EQ(r, 0);
	end(2);
}

static void reading_a_request_bears_every_fault_unnoticed(void)
{
	prove_name(&t, NULL);
	prove_create(&t);
	CHECK(sweep(&(struct operation){ .name = "read",
					 .before = before_stream,
					 .run = do_stream,
					 .after = after_stream }) >= 1 + 5);
	prove_remove(&t);
}

static void reading_whole_messages_bears_every_fault_unnoticed(void)
{
	prove_name(&t, NULL);
	prove_create(&t);
	CHECK(sweep(&(struct operation){ .name = "read of a batch",
					 .before = before_batch,
					 .run = do_batch,
					 .after = after_batch }) >= 2 * (1 + 5));
	prove_remove(&t);
}

const struct test_case read_cases[] = {
	CASE(reading_a_request_bears_every_fault_unnoticed),
	CASE(reading_whole_messages_bears_every_fault_unnoticed),
	{ 0 },
};
