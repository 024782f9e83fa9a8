// SPDX-License-Identifier: Apache-2.0
/*
 * Wake-ups that go to one: each finds somebody who can take the request that it is for.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"
#include "thread.h"

static char payload[PAYLOAD_MAX];

struct waiter {
	int fd;
	atomic_int tid;
	pthread_t thread;
	struct epoll_event event;
	int result;
	char buf[40];
};

static void *epoll_in_thread(void *userdata)
{
	struct waiter *w = userdata;

	w->tid = gettid();
	w->result = epoll_wait(w->fd, &w->event, 1, -1);
	return NULL;
}

static void *read_in_thread(void *userdata)
{
	struct waiter *w = userdata;

	w->tid = gettid();
	w->result = channel_read_all(w->fd, w->buf, sizeof(w->buf), 0);
	return NULL;
}

/* Returns once the thread sleeps in the system call. */
static void waiter_start(struct waiter *w, void *(*run)(void *), int fd, long call)
{
	*w = (struct waiter){ .fd = fd };
	CHECK_EQ(pthread_create(&w->thread, NULL, run, w), 0);
	thread_await_call(&w->tid, call);
}

/* The sleeping reader gets the WRITE's header, and the WRITE is answered on its channel. */
static void waiter_serves(struct waiter *w, struct submit *s)
{
	struct dm_user_message msg;

	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	CHECK_EQ(w->result, 0);
	memcpy(&msg, w->buf, sizeof(msg));
	CHECK_EQ(channel_read_all(w->fd, payload, 512, 0), 0);
	CHECK_EQ(channel_answer(w->fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(s), 0);
}

/* An epoll for `fd` that a wake-up of one may be spent on. */
static int epoll_alone(int fd, uint32_t more_events)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE | more_events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
	return ep;
}

static void a_close_passes_on_a_wake_up_that_went_to_it_alone(void)
{
	struct target t;
	struct submit s;
	struct waiter told, reader;

	target_create(&t, 2048);
	int leaves = channel_open(&t, 0), stays = channel_open(&t, 0);
	int ep = epoll_alone(leaves, 0);
	waiter_start(&told, epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, stays, SYS_read);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(pthread_join(told.thread, NULL), 0);
	CHECK_EQ(told.event.events, EPOLLIN);

	close(leaves);
	waiter_serves(&reader, &s);
	close(ep);
	fixture_end(&t, stays);
}

static void a_held_channel_takes_no_wake_up_from_the_others(void)
{
	struct target t;
	struct submit s;
	struct waiter waits, reader;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0), older = channel_open(&t, 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, 0), ep = epoll_alone(held, 0);
	waiter_start(&waits, epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, older, SYS_read);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	waiter_serves(&reader, &s);

	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(pthread_join(waits.thread, NULL), 0);
	CHECK(waits.event.events & EPOLLHUP);
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
	struct waiter told[2], reader;
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 max_outstanding 1");
	int full = channel_open(&t, 0), other = channel_open(&t, 0);
	/* edge-triggered, so that each request wakes one thread */
	int ep = epoll_alone(full, EPOLLET);
	for (int i = 0; i < 2; i++)
		waiter_start(&told[i], epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, other, SYS_read);
	for (int i = 0; i < 2; i++) {
		submit_start(&s[i], &t, SUBMIT_READ, 0, 512);
		target_await_queued(&t, i + 1);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(told[i].thread, NULL), 0);

	CHECK_EQ(channel_next(full, &msg, payload), 0);
	CHECK_EQ(pthread_join(reader.thread, NULL), 0);
	CHECK_EQ(reader.result, 0);
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
