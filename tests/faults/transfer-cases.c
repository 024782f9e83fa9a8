// SPDX-License-Identifier: Apache-2.0
/*
 * Requests are read, and answered, while copies fail. A copy that fails is made again, once the
 * page is there: the worker notices nothing, and no byte is lost, missed or repeated.
 */
#include <unistd.h>

#include "../kmod/channel.h"
#include "../kmod/submit.h"
#include "case.h"
#include "prove.h"
#include "sweep.h"

/* Several pages, and so several copies; and a header's. */
#define BYTES	     (5 * 4096)
#define MESSAGE	     (sizeof(struct dm_user_message) + BYTES)
#define COPIES	     (1 + 5)
#define MESSAGES_MAX 2

/* What is swept: reading WRITEs, or answering READs. */
static bool reads;
/* As many as one call carries: more than one on a channel of whole messages. */
static unsigned messages;

static struct target t;
static int channel = -1;
static struct submit submits[MESSAGES_MAX];
static char buf[MESSAGES_MAX * MESSAGE];
static size_t done;

static char answer_byte(uint64_t sector, size_t i)
{
	return (char)(sector + i * 11 + i / 512);
}

/* Up to the end of the last message, however far earlier calls came. */
static int transfer(void)
{
	while (done < messages * MESSAGE) {
		size_t left = messages * MESSAGE - done;
		ssize_t n =
			reads ? read(channel, buf + done, left) : write(channel, buf + done, left);

		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

/* Reads the next READ's header, and has its answer in buf. */
static void prepare_answer(unsigned i)
{
	char *answer = buf + i * MESSAGE;
	struct dm_user_message msg;

	CHECK_EQ(channel_next(channel, &msg, NULL), 0);
	CHECK_EQ(msg.sector, i * BYTES / 512);
	msg.type = DM_USER_RESP_SUCCESS;
	memcpy(answer, &msg, sizeof(msg));
	for (size_t b = 0; b < BYTES; b++)
		answer[sizeof(msg) + b] = answer_byte(msg.sector, b);
}

static void before(void)
{
	channel = messages > 1 ? channel_open_batch(&t, 0) : channel_open(&t, 0);
	memset(buf, 0, sizeof(buf));
	done = 0;
	for (unsigned i = 0; i < messages; i++) {
		submit_start(&submits[i], &t, reads ? SUBMIT_WRITE : SUBMIT_READ, i * BYTES, BYTES);
		if (!reads)
			prepare_answer(i);
	}
	if (reads)
		target_await_queued(&t, messages);
}

/* What was read is what was written; it is answered. */
static void check_and_answer(const char *message)
{
	struct dm_user_message msg;

	memcpy(&msg, message, sizeof(msg));
	CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
	CHECK_EQ(msg.len, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		CHECK_EQ(message[sizeof(msg) + i], submit_pattern(msg.sector * 512 + i));
	CHECK_EQ(channel_answer(channel, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
}

static void after(int r)
{
	CHECK_EQ(r, 0);
	for (unsigned i = 0; i < messages && reads; i++)
		check_and_answer(buf + i * MESSAGE);
	for (unsigned i = 0; i < messages; i++) {
		CHECK_EQ(submit_wait(&submits[i]), 0);
		for (size_t b = 0; b < BYTES && !reads; b++)
			CHECK_EQ(submits[i].buf[b], answer_byte(i * BYTES / 512, b));
		free(submits[i].buf);
	}
	CHECK_EQ(target_status(&t).broken, 0);
	CHECK_EQ(close(channel), 0);
}

static void sweep_transfer(const char *name, bool reading, unsigned n)
{
	reads = reading;
	messages = n;
	prove_name(&t, NULL);
	prove_create(&t);
	CHECK(sweep(&(struct operation){
		      .name = name, .before = before, .run = transfer, .after = after }) >=
	      n * COPIES);
	prove_remove(&t);
}

static void reading_a_request_bears_every_fault_unnoticed(void)
{
	sweep_transfer("read", true, 1);
}

static void reading_whole_messages_bears_every_fault_unnoticed(void)
{
	sweep_transfer("read of a batch", true, 2);
}

static void answering_bears_every_fault_unnoticed(void)
{
	sweep_transfer("write", false, 1);
}

static void whole_answers_bear_every_fault_unnoticed(void)
{
	sweep_transfer("write of a batch", false, 2);
}

const struct test_case transfer_cases[] = {
	CASE(reading_a_request_bears_every_fault_unnoticed),
	CASE(reading_whole_messages_bears_every_fault_unnoticed),
	CASE(answering_bears_every_fault_unnoticed),
	CASE(whole_answers_bear_every_fault_unnoticed),
	{ 0 },
};
