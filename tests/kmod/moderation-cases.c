// SPDX-License-Identifier: Apache-2.0
/*
 * Wake-ups that wait for more requests (kmod/moderation.c). All here runs on one CPU, where they
 * do: whoever sleeps beside the reader that is made to wait, and whatever becomes of that reader
 * meanwhile, each request comes to somebody, and soon.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "thread.h"

#define BYTES	512
#define MESSAGE (sizeof(struct dm_user_message) + BYTES)
/* Requests at a time. */
#define BURST_MAX 8
/* A thousand times what it takes under emulation; what is lost, or sleeps for ever, is late. */
#define SOON_S 20

static void run_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* --- Whose I/O it is: WRITEs of BYTES, which this thread need not wait for */

struct writes {
	const struct target *target;
	aio_context_t context;
	int device;
	char *buf;
};

static void writes_begin(struct writes *w, const struct target *t)
{
	*w = (struct writes){ .target = t, .buf = aligned_alloc(4096, 4096) };
	w->device = open(t->device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(w->buf && w->device >= 0);
	CHECK_EQ(syscall(SYS_io_setup, BURST_MAX, &w->context), 0);
}

static void writes_end(struct writes *w)
{
	syscall(SYS_io_destroy, w->context);
	close(w->device);
	free(w->buf);
}

static void writes_submit(struct writes *w, int n)
{
	struct iocb cbs[BURST_MAX], *list[BURST_MAX];

	for (int i = 0; i < n; i++) {
		cbs[i] = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = w->device,
					.aio_buf = (uintptr_t)w->buf, .aio_nbytes = BYTES,
					.aio_offset = i * BYTES };
		list[i] = &cbs[i];
	}
	CHECK_EQ(syscall(SYS_io_submit, w->context, n, list), n);
}

/* All of them end soon; returns how many of them well. */
static int writes_await(struct writes *w, int n)
{
	struct timespec soon = { .tv_sec = SOON_S };
	struct io_event events[BURST_MAX];
	long ended = syscall(SYS_io_getevents, w->context, n, n, events, &soon);
	int good = 0;

	if (ended < n)
		/* or this process could not even end */
		target_message(w->target, "fail");
	CHECK_EQ(ended, n);
	for (int i = 0; i < n; i++) {
		CHECK(events[i].res == BYTES || events[i].res == -EIO);
		good += events[i].res == BYTES;
	}
	return good;
}

/* --- Who waits for it */

enum how {
	READS,            /* sleeps in read() */
	POLLS,            /* in poll(), and never in read() */
	EPOLLS,
	EPOLLS_EXCLUSIVE, /* in an epoll that a wake-up of one may be spent on */
};

/* A thread that waits, takes what there is, and answers it. */
struct waiter {
	enum how how;
	int channel; /* the number of */
	int fd, epoll;
	pthread_t thread;
	atomic_int tid, answered;
	int error; /* that it ended with */
};

static void await_events(struct waiter *w)
{
	struct epoll_event event;
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	CHECK_EQ(w->how == POLLS ? poll(&p, 1, -1) : epoll_wait(w->epoll, &event, 1, -1), 1);
}

/* 0 or -errno. */
static int answer_all(struct waiter *w, const char *messages, size_t len)
{
	struct dm_user_message msg;

	CHECK_EQ(len % MESSAGE, 0);
	for (size_t at = 0; at < len; at += MESSAGE) {
		memcpy(&msg, messages + at, sizeof(msg));
		CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
		int r = channel_answer(w->fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0);
		if (r < 0)
			return r;
		w->answered++;
	}
	return 0;
}

static void *wait_and_serve(void *userdata)
{
	struct waiter *w = userdata;
	char messages[2 * MESSAGE];
	struct iovec iov = { messages, sizeof(messages) };
	int r;

	w->tid = gettid();
	do {
		if (w->how != READS)
			await_events(w);
		ssize_t n = preadv2(w->fd, &iov, 1, -1, w->how == READS ? 0 : RWF_NOWAIT);
		r = n < 0 ? -errno : answer_all(w, messages, n);
		/* another was faster */
	} while (r == 0 || (r == -EAGAIN && w->how != READS));
	w->error = -r;
	return NULL;
}

/* Returns once it sleeps. */
static void waiter_start(struct waiter *w, int fd)
{
	static const long calls[] = { SYS_preadv2, SYS_poll, SYS_epoll_wait, SYS_epoll_wait };

	w->fd = fd;
	if (w->how >= EPOLLS)
		w->epoll = channel_epoll(fd, w->how == EPOLLS_EXCLUSIVE ? EPOLLEXCLUSIVE : 0);
	CHECK_EQ(pthread_create(&w->thread, NULL, wait_and_serve, w), 0);
	thread_await_call(&w->tid, calls[w->how]);
}

/* Returns how many requests it has answered. */
static int waiter_join(struct waiter *w, int error)
{
	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	CHECK_EQ(w->error, error);
	if (w->how >= EPOLLS)
		close(w->epoll);
	return w->answered;
}

#define WAITERS_MAX  4
#define CHANNELS_MAX 2
#define ROUNDS	     150

/* One request after the other, and several at once, come to those who wait for them. */
static void serve_rounds(struct waiter *waiters, int n)
{
	int fds[CHANNELS_MAX], submitted = 0, answered = 0;
	struct target t;
	struct writes writes;

	target_create(&t, 2048);
	for (int i = 0; i < CHANNELS_MAX; i++)
		fds[i] = channel_open_batch(&t, 0);
	for (int i = 0; i < n; i++)
		waiter_start(&waiters[i], fds[waiters[i].channel]);
	writes_begin(&writes, &t);
	for (int i = 0; i < ROUNDS; i++) {
		int burst = i % 3 ? 1 : 1 + i / 3 % BURST_MAX;

		writes_submit(&writes, burst);
		CHECK_EQ(writes_await(&writes, burst), burst);
		submitted += burst;
	}
	writes_end(&writes);
	CHECK_EQ(target_remove(&t), 0);
	for (int i = 0; i < n; i++)
		answered += waiter_join(&waiters[i], ENOTBLK);
	CHECK_EQ(answered, submitted);
	for (int i = 0; i < CHANNELS_MAX; i++)
		close(fds[i]);
}

static void every_request_reaches_one_of_several_sleepers_on_a_channel(void)
{
	run_on_one_cpu();
	for (int n = 1; n <= WAITERS_MAX; n++) {
		struct waiter waiters[WAITERS_MAX] = { { .how = READS } };

		serve_rounds(waiters, n);
	}
}

static void every_request_reaches_a_sleeper_or_the_epoll_beside_it(void)
{
	run_on_one_cpu();
	for (enum how how = EPOLLS; how <= EPOLLS_EXCLUSIVE; how++) {
		for (int channel = 0; channel < CHANNELS_MAX; channel++) {
			struct waiter waiters[] = { { .how = READS },
						   { .how = how, .channel = channel } };

			serve_rounds(waiters, 2);
		}
	}
}

static void every_request_reaches_who_polls_and_reads_without_waiting(void)
{
	run_on_one_cpu();
	for (enum how how = POLLS; how <= EPOLLS_EXCLUSIVE; how++) {
		struct waiter one[] = { { .how = how } };
		struct waiter two[] = { { .how = how }, { .how = POLLS, .channel = 1 } };

		serve_rounds(one, 1);
		serve_rounds(two, 2);
	}
}

/*
 * One who is told of a request and does not come for it may keep that one waiting, but no other. It
 * is first in the queue, and one wake-up for both would go to it.
 */
static void two_requests_reach_the_sleeper_though_an_epoll_was_told_of_one(void)
{
	struct target t;
	struct writes writes;

	run_on_one_cpu();
	for (int i = 0; i < 20; i++) {
		struct waiter reader = { .how = READS };
		struct blocked told;

		target_create(&t, 2048);
		int fd = channel_open_batch(&t, 0), ep = channel_epoll(fd, EPOLLEXCLUSIVE);
		blocked_epoll(&told, ep);
		waiter_start(&reader, fd);
		writes_begin(&writes, &t);
		writes_submit(&writes, 2);
		CHECK_EQ(writes_await(&writes, 2), 2);
		writes_end(&writes);
		CHECK_EQ(target_remove(&t), 0);
		/* or it came too late, and slept on until the end */
		CHECK(blocked_end(&told) & (EPOLLIN | EPOLLHUP));
		close(ep);
		CHECK_EQ(waiter_join(&reader, ENOTBLK), 2);
		close(fd);
	}
}

/* --- What becomes of the lone reader while its wake-up is due */

#define TIMES 100

static void the_lone_reader_may_be_killed_before_it_is_woken(void)
{
	struct target t;
	struct writes writes;
	char messages[2 * MESSAGE];

	run_on_one_cpu();
	target_create_with(&t, 2048, "2 on_close requeue");
	writes_begin(&writes, &t);
	for (int i = 0; i < TIMES; i++) {
		atomic_int child = fork();

		CHECK(child >= 0);
		if (child == 0) {
			/* if it comes back, it has something, and keeps it */
			if (read(channel_open_batch(&t, 0), messages, sizeof(messages)))
				pause();
		}
		thread_await_call(&child, SYS_read);
		writes_submit(&writes, 1);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(waitpid(child, NULL, 0), child);

		struct waiter next = { .how = POLLS, .fd = channel_open_batch(&t, 0) };
		await_events(&next);
		CHECK_EQ(read(next.fd, messages, sizeof(messages)), MESSAGE);
		CHECK_EQ(answer_all(&next, messages, MESSAGE), 0);
		CHECK_EQ(writes_await(&writes, 1), 1);
		close(next.fd);
	}
	writes_end(&writes);
	CHECK_EQ(target_remove(&t), 0);
}

/* The kernel would notice, if the target's memory went before what is due in it. */
static void the_target_may_go_before_the_lone_reader_is_woken(void)
{
	run_on_one_cpu();
	for (int i = 0; i < TIMES / 4; i++) {
		struct waiter reader = { .how = READS };
		struct target t;
		struct writes writes;

		target_create(&t, 2048);
		int fd = channel_open_batch(&t, 0);
		waiter_start(&reader, fd);
		writes_begin(&writes, &t);
		writes_submit(&writes, 1);
		CHECK_EQ(target_message(&t, "fail"), 0);
		/* the reader may have been faster */
		CHECK_EQ(waiter_join(&reader, EIO), writes_await(&writes, 1));
		writes_end(&writes);
		close(fd);
		CHECK_EQ(target_remove(&t), 0);
	}
}

const struct test_case moderation_cases[] = {
	CASE(every_request_reaches_one_of_several_sleepers_on_a_channel),
	CASE(every_request_reaches_a_sleeper_or_the_epoll_beside_it),
	CASE(every_request_reaches_who_polls_and_reads_without_waiting),
	CASE(the_lone_reader_may_be_killed_before_it_is_woken),
	CASE(two_requests_reach_the_sleeper_though_an_epoll_was_told_of_one),
	CASE(the_target_may_go_before_the_lone_reader_is_woken),
	{ 0 },
};
