// SPDX-License-Identifier: Apache-2.0
/*
 * Wake-ups that go to one: each finds somebody who can take the request that it is for.
 */
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

/* The sleeping reader gets the WRITE's header, and the WRITE is answered on its channel. */
static void reader_serves(struct blocked *reader, struct submit *s)
{
	struct dm_user_message msg;

	CHECK_EQ(blocked_end(reader), sizeof(msg));
	memcpy(&msg, reader->buf, sizeof(msg));
	CHECK_EQ(channel_read_all(reader->fd, payload, 512, 0), 0);
	CHECK_EQ(channel_answer(reader->fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(s), 0);
}

static void a_close_passes_on_a_wake_up_that_went_to_it_alone(void)
{
	struct target t;
	struct submit s;
	struct blocked told, reader;

	target_create(&t, 2048);
	int leaves = channel_open(&t, 0), stays = channel_open(&t, 0);
	int ep = channel_epoll(leaves, EPOLLEXCLUSIVE);
	blocked_epoll(&told, ep);
	blocked_read(&reader, stays, 40);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(blocked_end(&told), EPOLLIN);

	close(leaves);
	reader_serves(&reader, &s);
	close(ep);
	fixture_end(&t, stays);
}

static void a_held_channel_takes_no_wake_up_from_the_others(void)
{
	struct target t;
	struct submit s;
	struct blocked waits, reader;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0), older = channel_open(&t, 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, 0), ep = channel_epoll(held, EPOLLEXCLUSIVE);
	blocked_epoll(&waits, ep);
	blocked_read(&reader, older, 40);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	reader_serves(&reader, &s);

	CHECK_EQ(target_remove(&t), 0);
	CHECK(blocked_end(&waits) & EPOLLHUP);
	close(ep);
	close(broken);
	close(older);
	close(held);
}

/* Two of its threads are told of two requests, but it may have only one. */
static void a_channel_that_fills_up_passes_on_what_its_threads_were_woken_for(void)
{
	struct target t;
	struct submit s[2];
	struct blocked told[2], reader;
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 max_outstanding 1");
	int full = channel_open(&t, 0), other = channel_open(&t, 0);
	/* edge-triggered, so that each request wakes one thread */
	int ep = channel_epoll(full, EPOLLEXCLUSIVE | EPOLLET);
	for (int i = 0; i < 2; i++)
		blocked_epoll(&told[i], ep);
	blocked_read(&reader, other, 40);
	for (int i = 0; i < 2; i++) {
		submit_start(&s[i], &t, SUBMIT_READ, 0, 512);
		target_await_queued(&t, i + 1);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(blocked_end(&told[i]), EPOLLIN);

	CHECK_EQ(channel_next(full, &msg, payload), 0);
	CHECK_EQ(blocked_end(&reader), 40);
	CHECK_EQ(channel_answer(full, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	memcpy(&msg, reader.buf, sizeof(msg));
	CHECK_EQ(channel_answer(other, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	close(ep);
	close(full);
	fixture_end(&t, other);
}

/*
 * Reader and submitter on one CPU, where the module may wait for more before it wakes the reader. Whether it
 * does so at the right time, tests/bench/kmod says.
 */
static void a_wake_up_that_waits_for_more_comes_if_there_is_none(void)
{
	struct target t;
	struct server server = { 0 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	target_create(&t, 2048);
	server_start(&server, &t, 1, false, 0);
	for (int i = 0; i < 500; i++) {
		struct submit s[2];
		int n = 1 + i % 2;

		for (int k = 0; k < n; k++)
			submit_start(&s[k], &t, SUBMIT_WRITE, 512 * k, 512);
		for (int k = 0; k < n; k++) {
			CHECK_EQ(submit_wait(&s[k]), 0);
			free(s[k].buf);
		}
	}
	CHECK_EQ(server.counts[DM_USER_REQ_MAP_WRITE], 750);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

const struct test_case wake_cases[] = {
	CASE(a_close_passes_on_a_wake_up_that_went_to_it_alone),
	CASE(a_held_channel_takes_no_wake_up_from_the_others),
	CASE(a_channel_that_fills_up_passes_on_what_its_threads_were_woken_for),
	CASE(a_wake_up_that_waits_for_more_comes_if_there_is_none),
	{ 0 },
};
