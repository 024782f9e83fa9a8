// SPDX-License-Identifier: Apache-2.0
/*
 * Suspends: with flush the worker goes on until all is done; without, what has not gone out goes back
 * to device-mapper and comes again in its order.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void a_flush_suspend_drains_through_the_worker(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	submit_start(&s[1], &t, SUBMIT_WRITE, 4096, 4096);
	target_await_queued(&t, 1);

	pid_t suspend = target_suspend_start(&t, 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	/* still delivered: without it the suspend could not end */
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 1);
	CHECK_EQ(waitpid(suspend, NULL, WNOHANG), 0);
	CHECK_EQ(channel_answer(fd, 1, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	await_exit(suspend, 0);
	CHECK_EQ(submit_wait(&s[0]), 0);
	CHECK_EQ(submit_wait(&s[1]), 0);

	/* what comes now waits in device-mapper, and is delivered after the resume */
	submit_start(&s[0], &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(target_status(&t).queued, 0);
	CHECK_EQ(channel_events(fd), POLLOUT);
	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 2);
	CHECK_EQ(channel_answer(fd, 2, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s[0]), 0);
	fixture_end(&t, fd);
}

static void a_noflush_suspend_without_a_worker_ends_at_once_and_loses_nothing(void)
{
	enum { N = 8 };
	struct target t;
	struct submit s[N];
	struct dm_user_message msg;

	target_create(&t, 2048);
	for (int i = 0; i < N; i++) {
		submit_start(&s[i], &t, i % 3 ? SUBMIT_WRITE : SUBMIT_READ, i * 4096, 4096);
		target_await_queued(&t, i + 1);
	}
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	CHECK_EQ(target_status(&t).queued, 0);
	for (int i = 0; i < N; i++)
		CHECK(!s[i].done);
	CHECK_EQ(target_resume(&t), 0);
	target_await_queued(&t, N);

	int fd = channel_open(&t, 0);
	for (uint64_t i = 0; i < N; i++) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.seq, i);
		CHECK_EQ(msg.sector, i * 8); /* their old order */
		CHECK_EQ(channel_answer(fd, i, DM_USER_RESP_SUCCESS, payload, i % 3 ? 0 : 4096), 0);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void a_noflush_suspend_hands_back_a_large_io_in_pieces(void)
{
	struct target t;
	struct submit s;
	struct server server;

	target_create(&t, 16384);
	submit_start(&s, &t, SUBMIT_WRITE, 512 * 1024, 5 << 20);
	/* how many pieces depends on how the pages lie; more than one bio can carry, in any case */
	while (target_status(&t).queued < 6)
		poll(NULL, 0, 1);
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	CHECK_EQ(target_resume(&t), 0);
	server_start(&server, &t, 2, false, 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(memcmp(server.store + 512 * 1024, s.buf, 5 << 20), 0);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

static void a_noflush_suspend_waits_for_what_was_delivered(void)
{
	struct target t;
	struct submit delivered, queued;
	struct dm_user_message msg;

	int fd = fixture_begin_and_queue(&t, &delivered, &queued);

	pid_t suspend = target_suspend_start(&t, DM_NOFLUSH_FLAG);
	target_await_queued(&t, 0);
	CHECK_EQ(waitpid(suspend, NULL, WNOHANG), 0);
	CHECK_EQ(target_status(&t).outstanding, 1);
	CHECK_EQ(channel_events(fd), POLLOUT);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	await_exit(suspend, 0);
	CHECK_EQ(submit_wait(&delivered), 0);
	CHECK(!queued.done);

	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 1);
	CHECK_EQ(channel_answer(fd, 1, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&queued), 0);
	fixture_end(&t, fd);
}

static void a_close_ends_a_noflush_suspend_that_waits_for_its_channel(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_WRITE, 512, &s, &msg);
	pid_t suspend = target_suspend_start(&t, DM_NOFLUSH_FLAG);
	close(fd);
	await_exit(suspend, 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void an_interrupted_noflush_suspend_fails_nothing(void)
{
	struct target t;
	struct submit delivered, queued;
	struct dm_user_message msg;

	int fd = fixture_begin_and_queue(&t, &delivered, &queued);

	pid_t suspend = target_suspend_start(&t, DM_NOFLUSH_FLAG);
	target_await_queued(&t, 0);
	CHECK_EQ(kill(suspend, SIGKILL), 0);
	await_exit(suspend, SIGKILL);

	/* device-mapper gives the request to the target again, by itself */
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 1);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(channel_answer(fd, i, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&delivered), 0);
	CHECK_EQ(submit_wait(&queued), 0);
	fixture_end(&t, fd);
}

static void a_reload_under_a_new_name_loses_nothing(void)
{
	struct target t, next;
	struct submit s;
	struct server server;

	target_create(&t, 2048);
	next = t;
	strcat(next.name, "-next");
	strcat(next.node, "-next");
	int old = channel_open(&t, O_NONBLOCK);
	submit_start(&s, &t, SUBMIT_WRITE, 4096, 4096);
	target_await_queued(&t, 1);

	CHECK_EQ(target_load(&t, next.name), 0);
	server_start(&server, &next, 1, false, 0);
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(server.counts[DM_USER_REQ_MAP_WRITE], 1);
	CHECK_EQ(memcmp(server.store + 4096, s.buf, 4096), 0);

	CHECK_EQ(channel_events(old), POLLHUP);
	CHECK_EQ(access(t.node, F_OK), -1);
	fixture_end(&t, old);
	server_join(&server);
}

static void a_table_that_was_loaded_and_cleared_leaves_no_node(void)
{
	struct target t;

	target_create(&t, 2048);
	struct target next = t;
	strcat(next.name, "-next");
	strcat(next.node, "-next");
	CHECK_EQ(target_load(&t, next.name), 0);
	int fd = channel_open(&next, 0);
	CHECK_EQ(target_clear(&t), 0);
	CHECK_EQ(access(next.node, F_OK), -1);
	CHECK_EQ(channel_events(fd), POLLHUP);
	fixture_end(&t, fd);
}

static void *write_for_ever(void *userdata)
{
	static atomic_uint next;
	struct submit s;

	while (!*(atomic_bool *)((void **)userdata)[1]) {
		submit_start(&s, ((void **)userdata)[0], SUBMIT_WRITE, next++ % 256 * 4096, 4096);
		CHECK_EQ(submit_wait(&s), 0);
		free(s.buf);
	}
	return NULL;
}

static void suspends_under_load_fail_nothing(void)
{
	struct target t;
	struct server server;
	atomic_bool stop = false;
	void *userdata[] = { &t, &stop };
	pthread_t threads[4];

	target_create(&t, 2048);
	server_start(&server, &t, 2, false, 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_for_ever, userdata), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(target_suspend(&t, i % 2 ? DM_NOFLUSH_FLAG : 0), 0);
		CHECK_EQ(target_resume(&t), 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(target_status(&t).errors, 0);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

const struct test_case suspend_cases[] = {
	CASE(a_flush_suspend_drains_through_the_worker),
	CASE(a_noflush_suspend_without_a_worker_ends_at_once_and_loses_nothing),
	CASE(a_noflush_suspend_hands_back_a_large_io_in_pieces),
	CASE(a_noflush_suspend_waits_for_what_was_delivered),
	CASE(a_close_ends_a_noflush_suspend_that_waits_for_its_channel),
	CASE(an_interrupted_noflush_suspend_fails_nothing),
	CASE(a_reload_under_a_new_name_loses_nothing),
	CASE(a_table_that_was_loaded_and_cleared_leaves_no_node),
	CASE(suspends_under_load_fail_nothing),
	{ 0 },
};
