// SPDX-License-Identifier: Apache-2.0
/*
 * on_close requeue: what a worker did not answer goes out again, first and in its order, marked;
 * and not before the channel is really released.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "stuck.h"
#include "submit.h"

#define REQUEUE "2 on_close requeue"

static char payload[PAYLOAD_MAX];

/* Submits writes of a sector each from `first` on; each is queued before the next comes. */
static void submit_writes(const struct target *t, struct submit *s, int first, int n)
{
	unsigned queued = target_status(t).queued;

	for (int i = 0; i < n; i++) {
		submit_start(&s[i], t, SUBMIT_WRITE, (first + i) * 512, 512);
		target_await_queued(t, queued + i + 1);
	}
}

static void take(int fd, uint64_t seq, uint64_t sector, bool repeat)
{
	struct dm_user_message msg;

	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, seq);
	CHECK_EQ(msg.sector, sector);
	CHECK_EQ(!!(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT), repeat);
	for (uint64_t i = 0; i < msg.len; i++)
		CHECK_EQ(payload[i], submit_pattern(sector * 512 + i));
}

/* `n` writes in any order, of sectors from 0: what device-mapper got back it maps again as it likes. */
static void take_each(int fd, unsigned int n)
{
	struct dm_user_message msg;
	unsigned int seen = 0;

	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.seq, i);
		CHECK(msg.sector < n && !(seen & 1U << msg.sector));
		seen |= 1U << msg.sector;
		for (uint64_t k = 0; k < msg.len; k++)
			CHECK_EQ(payload[k], submit_pattern(msg.sector * 512 + k));
	}
}

static void answer(int fd, uint64_t seq)
{
	CHECK_EQ(channel_answer(fd, seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
}

static void a_close_repeats_the_unanswered_first_and_in_order(void)
{
	struct target t;
	struct submit s[6];

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0);
	submit_writes(&t, s, 0, 6);
	for (int i = 0; i < 3; i++)
		take(fd, i, i, false);
	answer(fd, 1);
	CHECK_EQ(submit_wait(&s[1]), 0);
	/* and one of which half the payload was read */
	CHECK_EQ(channel_read_all(fd, payload, 40 + 100, 0), 0);
	close(fd);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(target_status(&t).queued, 5);
	CHECK_EQ(target_status(&t).repeated, 3);

	fd = channel_open(&t, O_NONBLOCK);
	take(fd, 0, 0, true);
	take(fd, 2, 2, true);
	take(fd, 3, 3, true);
	take(fd, 4, 4, false);
	take(fd, 5, 5, false);
	for (int i = 0; i < 6; i++) {
		if (i == 1)
			continue;
		answer(fd, i);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void repeats_of_several_channels_are_in_one_order(void)
{
	struct target t;
	struct submit s[6];

	target_create_with(&t, 2048, REQUEUE);
	int a = channel_open(&t, 0), b = channel_open(&t, 0);
	submit_writes(&t, s, 0, 6);
	for (int i = 0; i < 6; i++)
		take(i % 2 ? b : a, i, i, false);
	close(b);
	/* one that has had later ones takes the repeats, and so holds them out of order */
	for (int i = 1; i < 6; i += 2)
		take(a, i, i, true);
	close(a);
	/* and a last time, from one who took some of the repeats */
	a = channel_open(&t, 0);
	for (int i = 0; i < 4; i++)
		take(a, i, i, true);
	close(a);
	a = channel_open(&t, 0);
	for (int i = 0; i < 6; i++)
		take(a, i, i, true);
	for (int i = 5; i >= 0; i--)
		answer(a, i);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	fixture_end(&t, a);
}

static void half_an_answer_counts_for_nothing(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, REQUEUE, SUBMIT_READ, 4096, &s, &msg);
	msg.type = DM_USER_RESP_SUCCESS;
	memset(payload, 0x66, 4096);
	CHECK_EQ(write(fd, &msg, 40), 40);
	CHECK_EQ(write(fd, payload, 4095), 4095);
	close(fd);
	CHECK(!s.done);

	fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	memset(payload, 0x77, 4096);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 4096), 0);
	CHECK_EQ(submit_wait(&s), 0);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(s.buf[i], 0x77);
	fixture_end(&t, fd);
}

static void after_a_bad_answer_requests_wait_for_the_last_holder(void)
{
	struct target t;
	struct submit s[3];

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0), copy = dup(fd);
	submit_writes(&t, s, 0, 3);
	take(fd, 0, 0, false);
	take(fd, 1, 1, false);
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(target_status(&t).broken, 1);
	CHECK_EQ(target_status(&t).outstanding, 2);
	/* its late answer lands nowhere */
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), -EIO);

	int next = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(read(next, payload, 40), -1);
	CHECK_EQ(errno, EAGAIN);
	close(fd);
	CHECK_EQ(read(next, payload, 40), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK(!s[0].done && !s[1].done);
	close(copy);
	CHECK_EQ(target_status(&t).broken, 0);
	take(next, 0, 0, true);
	take(next, 1, 1, true);
	take(next, 2, 2, false);
	for (int i = 0; i < 3; i++) {
		answer(next, i);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	fixture_end(&t, next);
}

static void fail_ends_what_waits_for_a_release(void)
{
	struct target t;
	struct submit s[2];

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0);
	submit_writes(&t, s, 0, 2);
	take(fd, 0, 0, false);
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_wait(&s[0]), -EIO);
	CHECK_EQ(submit_wait(&s[1]), -EIO);
	CHECK_EQ(target_status(&t).outstanding, 0);
	/* nobody is waited for: the channel is still open */
	CHECK_EQ(target_remove(&t), 0);
	close(fd);
}

static void while_it_fails_a_close_repeats_nothing(void)
{
	struct target t;
	struct submit s;
	struct stuck stuck;

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 4096);
	CHECK_EQ(channel_read_all(fd, payload, 40, 0), 0);
	stuck_start(&stuck, fd, true);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(stuck_end(&stuck), -EIO);
	close(fd);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	CHECK_EQ(target_status(&t).queued, 0);
	CHECK_EQ(target_remove(&t), 0);
}

/* --- Suspends */

static void a_flush_suspend_drains_over_a_workers_death(void)
{
	struct target t;
	struct submit s[2];
	int status;

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0);
	submit_writes(&t, s, 0, 2);
	take(fd, 0, 0, false);
	pid_t suspend = target_suspend_start(&t, 0);
	close(fd);
	/* the suspending process has had a copy */
	TARGET_AWAIT(&t, channels, 0);
	fd = channel_open(&t, 0);
	take(fd, 0, 0, true);
	take(fd, 1, 1, false);
	CHECK_EQ(waitpid(suspend, &status, WNOHANG), 0);
	answer(fd, 0);
	answer(fd, 1);
	await_exit(suspend, 0);
	CHECK_EQ(submit_wait(&s[0]), 0);
	CHECK_EQ(submit_wait(&s[1]), 0);
	CHECK_EQ(target_resume(&t), 0);
	fixture_end(&t, fd);
}

static void a_noflush_suspend_takes_back_a_dead_workers_requests_for_the_next_table(void)
{
	struct target t, next;
	struct submit s[4];

	target_create_with(&t, 2048, REQUEUE);
	next = t;
	strcat(next.name, "-next");
	strcat(next.node, "-next");
	int a = channel_open(&t, 0), b = channel_open(&t, 0);
	submit_writes(&t, s, 0, 4);
	take(a, 0, 0, false);
	take(b, 1, 1, false);
	take(b, 2, 2, false);
	/* one channel ends before the suspend, one while it waits */
	close(b);
	CHECK_EQ(target_status(&t).queued, 3);
	CHECK_EQ(target_load(&t, next.name), 0);
	pid_t suspend = target_suspend_start(&t, DM_NOFLUSH_FLAG);
	target_await_queued(&t, 0);
	close(a);
	await_exit(suspend, 0);
	CHECK_EQ(target_resume(&t), 0);

	int fd = channel_open(&next, 0);
	target_await_queued(&t, 4);
	take_each(fd, 4);
	for (int i = 0; i < 4; i++)
		answer(fd, i);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void a_noflush_suspend_waits_for_a_broken_channels_release(void)
{
	struct target t;
	struct submit s;
	int status;

	target_create_with(&t, 2048, REQUEUE);
	int fd = channel_open(&t, 0);
	submit_writes(&t, &s, 0, 1);
	take(fd, 0, 0, false);
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	pid_t suspend = target_suspend_start(&t, DM_NOFLUSH_FLAG);
	/* it has begun, and the request is still with the channel */
	CHECK_EQ(waitpid(suspend, &status, WNOHANG), 0);
	CHECK_EQ(target_status(&t).outstanding, 1);
	close(fd);
	await_exit(suspend, 0);
	CHECK_EQ(target_resume(&t), 0);
	fd = channel_open(&t, 0);
	struct dm_user_message msg;
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	answer(fd, msg.seq);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_handover_under_load_costs_no_error(void)
{
	enum { ROUNDS = 5, N = 8 };
	static struct server servers[ROUNDS + 1];
	struct target t, next;
	struct submit s[N];

	target_create_with(&t, 2048, REQUEUE);
	server_start(&servers[0], &t, 2, false, 0);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++)
			submit_start(&s[i], &t, i % 2 ? SUBMIT_WRITE : SUBMIT_READ, i * 4096, 4096);
		next = t;
		snprintf(next.node, sizeof(next.node), "/dev/dm-user/%s-%d", t.name, round);
		CHECK_EQ(target_load(&t, strrchr(next.node, '/') + 1), 0);
		server_start(&servers[round + 1], &next, 2, false, 0);
		CHECK_EQ(target_suspend(&t, round % 2 ? DM_NOFLUSH_FLAG : 0), 0);
		CHECK_EQ(target_resume(&t), 0);
		for (int i = 0; i < N; i++) {
			CHECK_EQ(submit_wait(&s[i]), 0);
			free(s[i].buf);
		}
		/* its channels' end was ENOTBLK */
		server_join(&servers[round]);
	}
	CHECK_EQ(target_remove(&t), 0);
	server_join(&servers[ROUNDS]);
}

const struct test_case requeue_cases[] = {
	CASE(a_close_repeats_the_unanswered_first_and_in_order),
	CASE(repeats_of_several_channels_are_in_one_order),
	CASE(half_an_answer_counts_for_nothing),
	CASE(after_a_bad_answer_requests_wait_for_the_last_holder),
	CASE(fail_ends_what_waits_for_a_release),
	CASE(while_it_fails_a_close_repeats_nothing),
	CASE(a_flush_suspend_drains_over_a_workers_death),
	CASE(a_noflush_suspend_takes_back_a_dead_workers_requests_for_the_next_table),
	CASE(a_noflush_suspend_waits_for_a_broken_channels_release),
	CASE(a_handover_under_load_costs_no_error),
	{ 0 },
};
