// SPDX-License-Identifier: Apache-2.0
/*
 * volatile_cache: nobody is told that data is safe which went with its worker; and once told, that
 * is that.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

#define DURABLE "2 volatile_cache off"

static char payload[PAYLOAD_MAX];

/* Submits it, and has it answered on the channel. */
static int serve(const struct target *t, int fd, enum submit_operation operation, uint64_t response)
{
	struct submit s;
	struct dm_user_message msg;

	submit_start(&s, t, operation, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, response, payload,
				msg.type == DM_USER_REQ_MAP_READ ? msg.len : 0), 0);
	if (operation == SUBMIT_WRITE_FUA) {
		/* the block layer's own flush after it */
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.type, DM_USER_REQ_MAP_FLUSH);
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	int r = submit_wait(&s);
	free(s.buf);
	return r;
}

/* The next flush fails without a word to the worker, and the one after it does not. */
static void check_fails_once(const struct target *t, int fd)
{
	struct submit s;

	CHECK_EQ(target_status(t).lost, 1);
	submit_start(&s, t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_status(t).lost, 0);
	CHECK_EQ(serve(t, fd, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
}

/* ATTACKS 43 */
static void after_a_killed_workers_cached_answers_fsync_fails_exactly_once(void)
{
	struct target t;
	struct submit s;
	int ready[2];
	char byte;

	target_create(&t, 2048);
	CHECK_EQ(pipe(ready), 0);
	pid_t worker = fork();
	CHECK(worker >= 0);
	if (worker == 0) {
		struct dm_user_message msg;
		int fd = channel_open(&t, 0);

		CHECK_EQ(write(ready[1], "", 1), 1);
		for (int i = 0; i < 3; i++) {
			CHECK_EQ(channel_next(fd, &msg, payload), 0);
			CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
		}
		pause();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < 3; i++) {
		submit_start(&s, &t, SUBMIT_WRITE, i * 4096, 4096);
		CHECK_EQ(submit_wait(&s), 0);
	}
	CHECK_EQ(kill(worker, SIGKILL), 0);
	CHECK_EQ(waitpid(worker, NULL, 0), worker);
	TARGET_AWAIT(&t, channels, 0);
	int fd = channel_open(&t, 0);
	check_fails_once(&t, fd);
	fixture_end(&t, fd);
}

static void a_good_flush_covers_what_was_answered_before_it_on_any_channel(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(serve(&t, other, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
	close(fd);
	CHECK_EQ(target_status(&t).lost, 0);
	/* and nothing that comes after it */
	CHECK_EQ(serve(&t, other, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	fd = channel_open(&t, 0);
	close(other);
	check_fails_once(&t, fd);
	fixture_end(&t, fd);
}

static void a_failed_flush_covers_nothing(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_FLUSH, DM_USER_RESP_ERROR), -EIO);
	close(fd);
	fd = channel_open(&t, 0);
	check_fails_once(&t, fd);
	fixture_end(&t, fd);
}

static void a_write_answered_while_a_flush_is_out_is_not_covered(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message flush;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(channel_next(fd, &flush, payload), 0);
	CHECK_EQ(serve(&t, other, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(channel_answer(fd, flush.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(other);
	check_fails_once(&t, fd);
	fixture_end(&t, fd);
}

static void only_cached_data_can_be_lost(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_READ, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_DISCARD, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_ERROR), -EIO);
	submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_FUA);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	/* before the flush that the block layer sends after it is read */
	target_await_queued(&t, 1);
	close(fd);
	CHECK_EQ(target_status(&t).lost, 0);
	fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	/* zeroes are data */
	CHECK_EQ(serve(&t, fd, SUBMIT_PUNCH_HOLE, DM_USER_RESP_SUCCESS), 0);
	close(fd);
	CHECK_EQ(target_status(&t).lost, 1);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_durable_worker_loses_nothing(void)
{
	struct target t;

	target_create_with(&t, 2048, DURABLE);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	close(fd);
	CHECK_EQ(target_status(&t).lost, 0);
	fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
	fixture_end(&t, fd);
}

static void a_break_and_a_fence_are_a_workers_end_too(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(target_status(&t).lost, 1);
	close(fd);
	fd = channel_open(&t, 0);
	check_fails_once(&t, fd);

	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(target_fence(&t), 1);
	int next = channel_open(&t, 0);
	check_fails_once(&t, next);
	/* the fenced channel's close is not a second loss */
	close(fd);
	CHECK_EQ(target_status(&t).lost, 0);
	fixture_end(&t, next);
}

/* All that were under way when the data went; else a repeat would bring its submitter good news. */
static void every_flush_under_way_at_a_loss_fails(void)
{
	struct target t;
	struct submit s[3];
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 on_close requeue");
	int fd = channel_open(&t, 0), stays = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	for (int i = 0; i < 3; i++) {
		submit_start(&s[i], &t, SUBMIT_FLUSH, 0, 0);
		target_await_queued(&t, 1);
		if (i < 2)
			CHECK_EQ(channel_next(i ? stays : fd, &msg, payload), 0);
	}
	/* one with the channel that ends, one with another, one in the queue */
	close(fd);
	CHECK_EQ(channel_answer(stays, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(channel_next(stays, &msg, payload), 0);
		CHECK_EQ(channel_answer(stays, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_wait(&s[i]), -EIO);
	/* with that it has been told */
	CHECK_EQ(target_status(&t).lost, 0);
	CHECK_EQ(serve(&t, stays, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
	fixture_end(&t, stays);
}

/* Whoever waits for it wrote something else; the write's own submitter has yet to be told. */
static void a_flush_from_before_a_write_was_answered_does_not_tell_of_its_loss(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message flush;

	target_create(&t, 2048);
	for (int answered = 0; answered < 2; answered++) {
		int fd = channel_open(&t, 0), other = channel_open(&t, 0);

		submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
		CHECK_EQ(channel_next(fd, &flush, payload), 0);
		CHECK_EQ(serve(&t, other, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
		close(other);
		if (answered)
			CHECK_EQ(channel_answer(fd, flush.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
		close(fd);
		CHECK_EQ(submit_wait(&s), -EIO);
		fd = channel_open(&t, 0);
		check_fails_once(&t, fd);
		close(fd);
	}
	CHECK_EQ(target_remove(&t), 0);
}

static void after_a_loss_the_end_of_a_journals_commit_fails_too(void)
{
	struct target t;
	struct submit s;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	close(fd);
	fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(serve(&t, fd, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE_FUA, DM_USER_RESP_SUCCESS), 0);
	fixture_end(&t, fd);
}

static void with_on_close_error_a_flush_that_dies_with_its_worker_tells_of_the_loss(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_WRITE, DM_USER_RESP_SUCCESS), 0);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_status(&t).lost, 0);
	fd = channel_open(&t, 0);
	CHECK_EQ(serve(&t, fd, SUBMIT_FLUSH, DM_USER_RESP_SUCCESS), 0);
	fixture_end(&t, fd);
}

const struct test_case flush_cases[] = {
	CASE(after_a_killed_workers_cached_answers_fsync_fails_exactly_once),
	CASE(a_good_flush_covers_what_was_answered_before_it_on_any_channel),
	CASE(a_failed_flush_covers_nothing),
	CASE(a_write_answered_while_a_flush_is_out_is_not_covered),
	CASE(only_cached_data_can_be_lost),
	CASE(a_durable_worker_loses_nothing),
	CASE(a_break_and_a_fence_are_a_workers_end_too),
	CASE(every_flush_under_way_at_a_loss_fails),
	CASE(a_flush_from_before_a_write_was_answered_does_not_tell_of_its_loss),
	CASE(after_a_loss_the_end_of_a_journals_commit_fails_too),
	CASE(with_on_close_error_a_flush_that_dies_with_its_worker_tells_of_the_loss),
	{ 0 },
};
