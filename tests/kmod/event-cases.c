// SPDX-License-Identifier: Apache-2.0
/*
 * Device-mapper's events: raised when a channel breaks, when the last one that was neither broken
 * nor fenced ends, and when the target is deserted; and by nothing else. Several at once may be
 * one.
 */
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

/* A thousand times what it takes under emulation. */
#define SOON_S 20

/* There are this many events, if not now then soon. */
static void await_events(const struct target *t, unsigned n)
{
	time_t deadline = time(NULL) + SOON_S;

	while (target_events(t) != n && time(NULL) < deadline)
		poll(NULL, 0, 1);
	CHECK_EQ(target_events(t), n);
}

static void two_channels(struct target *ret_t, int ret_fds[2])
{
	target_create(ret_t, 2048);
	for (int i = 0; i < 2; i++)
		ret_fds[i] = channel_open(ret_t, 0);
	CHECK_EQ(target_events(ret_t), 0);
}

static void end(const struct target *t, const int fds[2])
{
	close(fds[0]);
	fixture_end(t, fds[1]);
}

static void the_last_channels_end_raises_an_event_each_time(void)
{
	struct target t;
	int fds[2];

	two_channels(&t, fds);
	close(fds[0]);
	close(fds[1]);
	await_events(&t, 1);
	for (unsigned n = 2; n < 5; n++) {
		close(channel_open(&t, 0));
		await_events(&t, n);
	}
	CHECK_EQ(target_remove(&t), 0);
}

static void a_bad_answer_raises_an_event_though_another_channel_lives(void)
{
	struct target t;
	int fds[2];

	two_channels(&t, fds);
	CHECK_EQ(channel_answer(fds[0], 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	await_events(&t, 1);
	CHECK_EQ(target_status(&t).broken, 1);
	/* the next bad one finds it broken */
	CHECK_EQ(channel_answer(fds[0], 7, DM_USER_RESP_SUCCESS, NULL, 0), -EIO);
	CHECK_EQ(channel_answer(fds[1], 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	await_events(&t, 2);
	end(&t, fds);
}

static void a_time_out_raises_an_event_though_another_channel_lives(void)
{
	struct target t;
	struct submit s;
	int fds[2];

	fds[0] = fixture_begin(&t, "2 request_timeout_ms 200", SUBMIT_READ, 512, &s, NULL);
	fds[1] = channel_open(&t, 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	await_events(&t, 1);
	CHECK_EQ(target_status(&t).broken, 1);
	end(&t, fds);
}

/* All channels that break do so at once. */
static void fail_raises_an_event(void)
{
	struct target t;
	int fds[2];

	two_channels(&t, fds);
	CHECK_EQ(target_message(&t, "fail"), 0);
	await_events(&t, 1);
	CHECK_EQ(target_status(&t).broken, 2);
	end(&t, fds);
}

static void a_fence_raises_an_event(void)
{
	struct target t;
	int fds[2];

	two_channels(&t, fds);
	CHECK_EQ(target_fence(&t), 1);
	await_events(&t, 1);
	CHECK_EQ(target_status(&t).channels, 2);
	end(&t, fds);
}

static void a_desertion_raises_an_event(void)
{
	struct target t;

	target_create_with(&t, 2048, "2 attach_timeout_ms 100");
	await_events(&t, 1);
	CHECK_EQ(target_status(&t).deserted, 1);
	CHECK_EQ(target_remove(&t), 0);
}

/* A work raises them, so each of these has its time: or it and what comes then were one. */
static void where_no_channel_is_open_fail_unfail_and_fence_raise_no_event(void)
{
	struct target t;

	target_create(&t, 2048);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(target_fence(&t), 1);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	poll(NULL, 0, 100);
	close(channel_open(&t, 0));
	await_events(&t, 1);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case event_cases[] = {
	CASE(the_last_channels_end_raises_an_event_each_time),
	CASE(a_bad_answer_raises_an_event_though_another_channel_lives),
	CASE(a_time_out_raises_an_event_though_another_channel_lives),
	CASE(fail_raises_an_event),
	CASE(a_fence_raises_an_event),
	CASE(a_desertion_raises_an_event),
	CASE(where_no_channel_is_open_fail_unfail_and_fence_raise_no_event),
	{ 0 },
};
