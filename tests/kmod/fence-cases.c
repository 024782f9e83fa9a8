// SPDX-License-Identifier: Apache-2.0
/*
 * The message `fence`: the channels of a generation end at once, whoever holds them, and nothing
 * that they still do can land.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "stuck.h"
#include "submit.h"

#define REQUEUE "2 on_close requeue"

static char payload[PAYLOAD_MAX];

static void a_fence_counts_generations(void)
{
	struct target t;

	target_create(&t, 2048);
	CHECK_EQ(target_status(&t).generation, 0);
	CHECK_EQ(target_fence(&t), 1);
	CHECK_EQ(target_fence(&t), 2);
	CHECK_EQ(target_status(&t).generation, 2);
	CHECK_EQ(target_message(&t, "fence 3"), -EINVAL);
	CHECK_EQ(target_remove(&t), 0);
}

static void fenced_requests_go_to_the_next_generation(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message msg;

	target_create_with(&t, 2048, REQUEUE);
	int old = channel_open(&t, 0), idle = channel_open(&t, O_NONBLOCK);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(old, &msg, payload), 0);
	submit_start(&s[1], &t, SUBMIT_WRITE, 512, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(target_fence(&t), 1);
	/* nothing goes in or out any more, though both are still open */
	CHECK_EQ(target_status(&t).channels, 2);
	CHECK_EQ(channel_events(old), POLLERR);
	CHECK_EQ(channel_events(idle), POLLERR);
	CHECK_EQ(channel_answer(old, 0, DM_USER_RESP_SUCCESS, NULL, 0), -ESTALE);
	CHECK_EQ(channel_next(old, &msg, payload), -ESTALE);
	CHECK_EQ(channel_next(idle, &msg, payload), -ESTALE);

	int next = channel_open(&t, O_NONBLOCK);
	for (uint64_t i = 0; i < 2; i++) {
		CHECK_EQ(channel_next(next, &msg, payload), 0);
		CHECK_EQ(msg.seq, i);
		CHECK_EQ(msg.sector, i);
		CHECK_EQ(!!(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT), i == 0);
		CHECK_EQ(channel_answer(next, i, DM_USER_RESP_SUCCESS, NULL, 0), 0);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	/* the old ones' ends change nothing */
	close(old);
	close(idle);
	CHECK_EQ(channel_events(next), POLLOUT);
	fixture_end(&t, next);
}

static void with_on_close_error_fenced_requests_fail(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message msg;

	target_create(&t, 2048);
	int old = channel_open(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(old, &msg, payload), 0);
	submit_start(&s[1], &t, SUBMIT_WRITE, 512, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(target_fence(&t), 1);
	CHECK_EQ(submit_wait(&s[0]), -EIO);
	/* nobody had read this one */
	int next = channel_open(&t, 0);
	CHECK_EQ(channel_next(next, &msg, payload), 0);
	CHECK_EQ(channel_answer(next, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s[1]), 0);
	close(old);
	fixture_end(&t, next);
}

static void a_fence_lets_go_of_what_a_broken_channel_held(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int broken = fixture_begin(&t, REQUEUE, SUBMIT_WRITE, 512, &s, &msg);
	CHECK_EQ(channel_answer(broken, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(channel_next(held, &msg, payload), -EAGAIN);
	CHECK_EQ(target_status(&t).broken, 1);

	CHECK_EQ(target_fence(&t), 1);
	CHECK_EQ(target_status(&t).broken, 0);
	CHECK_EQ(channel_next(held, &msg, payload), -ESTALE);
	int next = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(channel_next(next, &msg, payload), 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	/* one more break, and the old release must not be taken for its */
	CHECK_EQ(channel_answer(next, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	close(broken);
	close(held);
	CHECK_EQ(target_status(&t).broken, 1);
	int last = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(channel_next(last, &msg, payload), -EAGAIN);
	close(next);
	CHECK_EQ(channel_next(last, &msg, payload), 0);
	CHECK_EQ(channel_answer(last, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, last);
}

static void a_waiting_read_hears_of_a_fence(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	pid_t reader = channel_read_in_child(fd, -ESTALE);
	CHECK_EQ(target_fence(&t), 1);
	await_exit(reader, 0);
	fixture_end(&t, fd);
}

/* The copier sleeps for its page and holds nothing: the fence waits for nobody. */
static void a_fence_during_a_copy_sets_the_request_free(void)
{
	for (int reading = 0; reading < 2; reading++) {
		struct target t;
		struct submit s;
		struct stuck stuck;
		struct dm_user_message msg;

		target_create_with(&t, 2048, REQUEUE);
		int fd = channel_open(&t, 0);
		submit_start(&s, &t, reading ? SUBMIT_WRITE : SUBMIT_READ, 0, 4096);
		CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (!reading)
			CHECK_EQ(write(fd, &msg, 40), 40);
		stuck_start(&stuck, fd, reading);
		CHECK_EQ(target_fence(&t), 1);

		int next = channel_open(&t, O_NONBLOCK);
		CHECK_EQ(channel_next(next, &msg, payload), 0);
		CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
		memset(payload, 0x44, 4096);
		CHECK_EQ(channel_answer(next, msg.seq, DM_USER_RESP_SUCCESS, payload,
					reading ? 0 : 4096), 0);
		CHECK_EQ(submit_wait(&s), 0);
		/* only now does the old worker's page come */
		CHECK_EQ(stuck_end(&stuck), -ESTALE);
		if (!reading)
			CHECK_EQ(s.buf[4095], 0x44);
		close(fd);
		fixture_end(&t, next);
	}
}

static void *copy_for_ever(void *userdata)
{
	int fd = *(int *)userdata;
	struct dm_user_message msg;
	char *data = malloc(PAYLOAD_MAX);
	int r;

	/* an answer a page at a time, so that a fence meets copies at every stage */
	CHECK(data);
	while ((r = channel_next(fd, &msg, data)) == 0) {
		struct dm_user_message answer = { .seq = msg.seq, .type = DM_USER_RESP_SUCCESS };

		memset(data, 0x11, PAYLOAD_MAX);
		r = channel_write_all(fd, &answer, 40, 0);
		if (r == 0 && msg.type == DM_USER_REQ_MAP_READ)
			r = channel_write_all(fd, data, msg.len, 4096);
		if (r)
			break;
	}
	CHECK_EQ(r, -ESTALE);
	free(data);
	return NULL;
}

/* No channel is closed before the round's I/O is done: nothing but the fence sets a request free. */
static void fences_race_with_copies_and_lose_nothing(void)
{
	enum { ROUNDS = 40, CHANNELS = 3 };
	struct target t;
	struct submit s[4];
	int fds[CHANNELS];
	pthread_t threads[CHANNELS];

	target_create_with(&t, 8192, "4 on_close requeue volatile_cache off");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CHANNELS; i++) {
			/* the last one serves what the others had */
			if (i == CHANNELS - 1) {
				poll(NULL, 0, round % 5);
				target_fence(&t);
			}
			fds[i] = channel_open(&t, 0);
			CHECK_EQ(pthread_create(&threads[i], NULL, copy_for_ever, &fds[i]), 0);
			for (int k = 0; i == 1 && k < 4; k++)
				submit_start(&s[k], &t, k % 2 ? SUBMIT_WRITE : SUBMIT_READ, k << 20,
					     1 << 20);
		}
		for (int k = 0; k < 4; k++) {
			CHECK_EQ(submit_wait(&s[k]), 0);
			for (int b = 0; k % 2 == 0 && b < 1 << 20; b += 512)
				CHECK_EQ(s[k].buf[b], 0x11);
			free(s[k].buf);
		}
		target_fence(&t);
		for (int i = 0; i < CHANNELS; i++) {
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
			close(fds[i]);
		}
	}
	CHECK_EQ(target_status(&t).errors, 0);
	CHECK_EQ(target_remove(&t), 0);
}

/*
 * ATTACKS 42. The stopped worker has read a write and is past its time; it is fenced and replaced;
 * then it goes on, and answers, with a read's data too.
 */
static void a_stopped_workers_old_answer_lands_nowhere(void)
{
	struct target t;
	struct submit write_, read_;
	struct dm_user_message msg;
	int ready[2], result[2], status;
	char byte;

	target_create_with(&t, 2048, "4 on_close requeue request_timeout_ms 1500");
	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(pipe(result), 0);
	submit_start(&write_, &t, SUBMIT_WRITE, 0, 4096);
	target_await_queued(&t, 1);
	submit_start(&read_, &t, SUBMIT_READ, 8192, 4096);
	target_await_queued(&t, 2);
	pid_t worker = fork();
	CHECK(worker >= 0);
	if (worker == 0) {
		struct dm_user_message second;
		int r[2];
		int fd = channel_open(&t, 0);

		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(channel_next(fd, &second, payload), 0);
		memset(payload, 0x0d, 4096);
		CHECK_EQ(write(ready[1], "", 1), 1);
		raise(SIGSTOP);
		r[0] = channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0);
		r[1] = channel_answer(fd, second.seq, DM_USER_RESP_SUCCESS, payload, 4096);
		CHECK_EQ(write(result[1], r, sizeof(r)), sizeof(r));
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_EQ(waitpid(worker, &status, WUNTRACED), worker);
	CHECK(WIFSTOPPED(status));
	TARGET_AWAIT(&t, broken, 1);

	/* replaced: nothing before the fence, everything after it */
	int early = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(channel_next(early, &msg, payload), -EAGAIN);
	CHECK(!write_.done && !read_.done);
	close(early);
	CHECK_EQ(target_fence(&t), 1);
	int fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&write_), 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);

	/* while this read is outstanding, the old worker answers it */
	int r[2];
	CHECK_EQ(kill(worker, SIGCONT), 0);
	CHECK_EQ(read(result[0], r, sizeof(r)), sizeof(r));
	CHECK_EQ(r[0], -ESTALE);
	CHECK_EQ(r[1], -ESTALE);
	CHECK(!read_.done);
	memset(payload, 0x0e, 4096);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 4096), 0);
	CHECK_EQ(submit_wait(&read_), 0);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(read_.buf[i], 0x0e);
	await_exit(worker, 0);
	fixture_end(&t, fd);
}

static void a_fence_ends_a_suspend_that_hangs_on_a_worker(void)
{
	static const uint32_t flags[] = { 0, DM_NOFLUSH_FLAG };
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	for (int i = 0; i < 2; i++) {
		int stuck = fixture_begin(&t, REQUEUE, SUBMIT_WRITE, 512, &s, &msg);
		pid_t suspend = target_suspend_start(&t, flags[i]);
		/* to dm the request goes back, whichever of the two comes first */
		CHECK_EQ(target_fence(&t), 1);
		int fd = channel_open(&t, 0);
		if (i == 1) {
			await_exit(suspend, 0);
			CHECK_EQ(target_resume(&t), 0);
		}
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
		CHECK_EQ(submit_wait(&s), 0);
		if (i == 0) {
			await_exit(suspend, 0);
			CHECK_EQ(target_resume(&t), 0);
		}
		CHECK_EQ(target_remove(&t), 0);
		close(stuck);
		close(fd);
	}
}

const struct test_case fence_cases[] = {
	CASE(a_fence_counts_generations),
	CASE(fenced_requests_go_to_the_next_generation),
	CASE(with_on_close_error_fenced_requests_fail),
	CASE(a_fence_lets_go_of_what_a_broken_channel_held),
	CASE(a_waiting_read_hears_of_a_fence),
	CASE(a_fence_during_a_copy_sets_the_request_free),
	CASE(fences_race_with_copies_and_lose_nothing),
	CASE(a_stopped_workers_old_answer_lands_nowhere),
	CASE(a_fence_ends_a_suspend_that_hangs_on_a_worker),
	{ 0 },
};
