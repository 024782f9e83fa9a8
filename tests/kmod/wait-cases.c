// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting: poll, epoll, calls that must not wait, signals, and several readers. No wake-up is lost.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void poll_says_in_when_a_request_waits_or_is_half_read(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	CHECK_EQ(channel_events(fd), POLLOUT);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	CHECK_EQ(channel_events(other), POLLIN | POLLOUT);
	CHECK_EQ(channel_read_all(fd, &msg, 39, 0), 0);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	CHECK_EQ(channel_events(other), POLLOUT);
	CHECK_EQ(channel_read_all(fd, (char *)&msg + 39, 1, 0), 0);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	CHECK_EQ(channel_read_all(fd, payload, 512, 0), 0);
	CHECK_EQ(channel_events(fd), POLLOUT);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(fd);
	fixture_end(&t, other);
}

static void epoll_wakes_for_each_request_also_edge_triggered(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	for (int edge = 0; edge < 2; edge++) {
		int fd = channel_open(&t, O_NONBLOCK), ep = channel_epoll(fd, edge ? EPOLLET : 0);
		struct epoll_event event;

		for (int i = 0; i < 20; i++) {
			submit_start(&s, &t, SUBMIT_READ, 0, 512);
			CHECK_EQ(epoll_wait(ep, &event, 1, 30000), 1);
			CHECK_EQ(event.events, EPOLLIN);
			CHECK_EQ(channel_next(fd, &msg, payload), 0);
			CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
			CHECK_EQ(submit_wait(&s), 0);
		}
		close(ep);
		close(fd);
	}
	CHECK_EQ(target_remove(&t), 0);
}

static void *poll_in_thread(void *userdata)
{
	struct pollfd p = { .fd = *(int *)userdata, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, -1), 1);
	return (void *)(intptr_t)p.revents;
}

static void a_poll_that_waits_hears_of_a_break_and_of_the_targets_end(void)
{
	struct target t;
	pthread_t thread;
	void *events;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	CHECK_EQ(pthread_create(&thread, NULL, poll_in_thread, &fd), 0);
	CHECK_EQ(channel_answer(fd, 5, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(pthread_join(thread, &events), 0);
	CHECK_EQ((intptr_t)events, POLLERR);

	CHECK_EQ(pthread_create(&thread, NULL, poll_in_thread, &other), 0);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(pthread_join(thread, &events), 0);
	CHECK_EQ((intptr_t)events, POLLHUP);
	CHECK_EQ(channel_events(fd), POLLHUP | POLLERR);
	close(fd);
	close(other);
}

static void a_read_that_must_not_wait_says_EAGAIN(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct iovec iov = { &msg, sizeof(msg) };

	target_create(&t, 2048);
	int fd = channel_open(&t, O_NONBLOCK), blocking = channel_open(&t, 0);
	CHECK_EQ(read(fd, &msg, sizeof(msg)), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(preadv2(blocking, &iov, 1, -1, RWF_NOWAIT), -1);
	CHECK_EQ(errno, EAGAIN);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(preadv2(blocking, &iov, 1, -1, RWF_NOWAIT), 40);
	CHECK_EQ(read(fd, &msg, sizeof(msg)), -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(channel_answer(blocking, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(fd);
	fixture_end(&t, blocking);
}

static void a_position_and_a_seek_are_refused(void)
{
	struct target t;
	char byte;

	target_create(&t, 2048);
	int fd = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), -1);
	CHECK_EQ(errno, ESPIPE);
	CHECK_EQ(pread(fd, &byte, 1, 0), -1);
	CHECK_EQ(errno, ESPIPE);
	fixture_end(&t, fd);
}

struct reader {
	const struct target *t;
	pthread_t thread;
	atomic_int took;
};

static void *read_one_message_after_another(void *userdata)
{
	struct reader *r = userdata;
	struct dm_user_message *msg = malloc(sizeof(*msg) + 4096);
	int fd = channel_open(r->t, 0), e;

	while ((e = channel_next(fd, msg, msg->buf)) == 0) {
		r->took++;
		CHECK_EQ(channel_answer(fd, msg->seq, DM_USER_RESP_SUCCESS, msg->buf,
					msg->type == DM_USER_REQ_MAP_READ ? msg->len : 0), 0);
	}
	CHECK_EQ(e, -ENOTBLK);
	close(fd);
	free(msg);
	return NULL;
}

static void readers_start(struct reader *readers, const struct target *t, int n)
{
	for (int i = 0; i < n; i++) {
		readers[i].t = t;
		CHECK_EQ(pthread_create(&readers[i].thread, NULL, read_one_message_after_another,
					&readers[i]), 0);
	}
}

/* Waits for all of them, whose target is gone; returns how many requests they have read. */
static int readers_join(struct reader *readers, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++) {
		CHECK_EQ(pthread_join(readers[i].thread, NULL), 0);
		sum += readers[i].took;
	}
	return sum;
}

static void requests_are_spread_over_sleeping_readers(void)
{
	enum { READERS = 4, REQUESTS = 40 };
	struct target t;
	struct reader readers[READERS] = { 0 };
	struct submit s;

	target_create(&t, 2048);
	readers_start(readers, &t, READERS);
	for (int i = 0; i < REQUESTS; i++) {
		submit_start(&s, &t, SUBMIT_READ, 0, 512);
		CHECK_EQ(submit_wait(&s), 0);
		free(s.buf);
	}
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(readers_join(readers, READERS), REQUESTS);
}

static void do_nothing(int signal)
{
	(void)signal;
}

/* Signals interrupt the readers all the time; a request must still always find one. */
static void a_signal_loses_no_wake_up(void)
{
	enum { READERS = 4, REQUESTS = 300 };
	struct target t;
	struct reader readers[READERS] = { 0 };
	struct sigaction restart = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	struct submit s;

	CHECK_EQ(sigaction(SIGUSR1, &restart, NULL), 0);
	target_create(&t, 2048);
	readers_start(readers, &t, READERS);
	for (int i = 0; i < REQUESTS; i++) {
		submit_start(&s, &t, SUBMIT_READ, 0, 512);
		for (int r = 0; r < READERS; r++)
			CHECK_EQ(pthread_kill(readers[r].thread, SIGUSR1), 0);
		CHECK_EQ(submit_wait(&s), 0);
		free(s.buf);
	}
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(readers_join(readers, READERS), REQUESTS);
}

static void a_signal_without_restart_interrupts_a_waiting_read(void)
{
	struct target t;
	struct sigaction interrupt = { .sa_handler = do_nothing };
	struct blocked reader;

	CHECK_EQ(sigaction(SIGUSR1, &interrupt, NULL), 0);
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	blocked_read(&reader, fd, 40);
	CHECK_EQ(pthread_kill(reader.thread, SIGUSR1), 0);
	CHECK_EQ(blocked_end(&reader), -EINTR);
	fixture_end(&t, fd);
}

static void two_sleepers_on_one_channel_share_a_message(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct blocked readers[2];

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (int i = 0; i < 2; i++)
		blocked_read(&readers[i], fd, 4096);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	/* one gets the header, the other the payload, although only one request came */
	for (int i = 0; i < 2; i++)
		blocked_end(&readers[i]);
	CHECK_EQ(readers[0].result + readers[1].result, 40 + 512);
	memcpy(&msg, readers[readers[0].result != 40].buf, sizeof(msg));
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_waiting_read_does_not_keep_answers_out(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct blocked reader;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, &msg);
	blocked_read(&reader, fd, 40);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(blocked_end(&reader), -ENOTBLK);
	close(fd);
}

const struct test_case wait_cases[] = {
	CASE(poll_says_in_when_a_request_waits_or_is_half_read),
	CASE(epoll_wakes_for_each_request_also_edge_triggered),
	CASE(a_poll_that_waits_hears_of_a_break_and_of_the_targets_end),
	CASE(a_read_that_must_not_wait_says_EAGAIN),
	CASE(a_position_and_a_seek_are_refused),
	CASE(requests_are_spread_over_sleeping_readers),
	CASE(a_signal_loses_no_wake_up),
	CASE(a_signal_without_restart_interrupts_a_waiting_read),
	CASE(two_sleepers_on_one_channel_share_a_message),
	CASE(a_waiting_read_does_not_keep_answers_out),
	{ 0 },
};
