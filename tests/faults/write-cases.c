// SPDX-License-Identifier: Apache-2.0
/*
 * Requests are answered while copies fail. A copy that fails is made again, once the page is there:
 * the worker notices nothing, and no byte is lost, missed or repeated.
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
static size_t gone;

static char answer_byte(uint64_t sector, size_t i)
{
	return (char)(sector + i * 11 + i / 512);
}

/* READs that the channel has read, and their answers in buf, which nothing has been written of. */
static void begin(unsigned n, bool batch)
{
	struct dm_user_message msg;

	channel = batch ? channel_open_batch(&t, 0) : channel_open(&t, 0);
	for (unsigned i = 0; i < n; i++) {
		char *answer = buf + i * MESSAGE;

		submit_start(&submits[i], &t, SUBMIT_READ, i * BYTES, BYTES);
		CHECK_EQ(channel_next(channel, &msg, NULL), 0);
		CHECK_EQ(msg.sector, i * BYTES / 512);
		msg.type = DM_USER_RESP_SUCCESS;
		memcpy(answer, &msg, sizeof(msg));
		for (size_t b = 0; b < BYTES; b++)
			answer[sizeof(msg) + b] = answer_byte(msg.sector, b);
	}
	gone = 0;
}

/* Writes up to the end of answer `n`, however far earlier writes came. */
static int write_up_to(unsigned n)
{
	while (gone < n * MESSAGE) {
		ssize_t r = write(channel, buf + gone, n * MESSAGE - gone);

		if (r < 0)
			return -errno;
		gone += r;
	}
	return 0;
}

static void end(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(submit_wait(&submits[i]), 0);
		for (size_t b = 0; b < BYTES; b++)
			CHECK_EQ(submits[i].buf[b], answer_byte(i * BYTES / 512, b));
		free(submits[i].buf);
	}
	CHECK_EQ(target_status(&t).broken, 0);
	CHECK_EQ(close(channel), 0);
}

static void before_stream(void)
{
	begin(1, false);
}

static int do_stream(void)
{
	return write_up_to(1);
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
	return write_up_to(2);
}

static void after_batch(int r)
{
	CHECK_EQ(r, 0);
	end(2);
}

static void answering_bears_every_fault_unnoticed(void)
{
	prove_name(&t, NULL);
	prove_create(&t);
	CHECK(sweep(&(struct operation){ .name = "write",
					 .before = before_stream,
					 .run = do_stream,
					 .after = after_stream }) >= 1 + 5);
	prove_remove(&t);
}

static void whole_answers_bear_every_fault_unnoticed(void)
{
	prove_name(&t, NULL);
	prove_create(&t);
	CHECK(sweep(&(struct operation){ .name = "write of a batch",
					 .before = before_batch,
					 .run = do_batch,
					 .after = after_batch }) >= 2 * (1 + 5));
	prove_remove(&t);
}

const struct test_case write_cases[] = {
	CASE(answering_bears_every_fault_unnoticed),
	CASE(whole_answers_bear_every_fault_unnoticed),
	{ 0 },
};
