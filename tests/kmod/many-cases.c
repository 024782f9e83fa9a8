// SPDX-License-Identifier: Apache-2.0
/*
 * Many: channels, sleepers, and requests that are outstanding at once.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void *write_and_read_back(void *userdata)
{
	const struct target *t = userdata;
	static atomic_uint next;
	uint64_t offset = (next++ % 8) * 65536;

	for (int i = 0; i < 40; i++) {
		struct submit s;

		submit_start(&s, t, SUBMIT_WRITE, offset + i % 8 * 8192, 8192);
		CHECK_EQ(submit_wait(&s), 0);
		free(s.buf);
		submit_start(&s, t, SUBMIT_READ, offset + i % 8 * 8192, 8192);
		CHECK_EQ(submit_wait(&s), 0);
		for (uint64_t b = 0; b < s.len; b++)
			CHECK_EQ(s.buf[b], submit_pattern(s.offset + b));
		free(s.buf);
	}
	return NULL;
}

static void sixty_four_channels_serve(void)
{
	static struct server server;
	struct target t;
	pthread_t threads[8];

	target_create(&t, 2048);
	server_start(&server, &t, 64, false, 0);
	CHECK_EQ(target_status(&t).channels, 64);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_and_read_back, &t), 0);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(target_status(&t).errors, 0);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

/* What it has read is answered; it is over. */
static void sleeper_answer(struct blocked *s)
{
	struct dm_user_message msg;

	CHECK_EQ(s->result, sizeof(msg));
	memcpy(&msg, s->buf, sizeof(msg));
	CHECK_EQ(channel_answer(s->fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
}

/* How often a thread has gone to sleep. */
static long thread_sleeps(int tid)
{
	static const char field[] = "voluntary_ctxt_switches:";
	char path[64], line[256];
	long value = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, strlen(field)) == 0)
			value = atol(line + strlen(field));
	}
	if (f)
		fclose(f);
	return value;
}

/* Each reads a header from a channel of its own. */
static void sleepers_start(struct blocked *sleepers, const struct target *t, int n)
{
	for (int i = 0; i < n; i++)
		blocked_read(&sleepers[i], channel_open(t, 0), 40);
}

static void requests_spread_over_idle_channels(void)
{
	enum { N = 8 };
	static struct blocked sleepers[N];
	struct target t;
	struct submit s[N];

	target_create(&t, 2048);
	sleepers_start(sleepers, &t, N);
	for (int i = 0; i < N; i++)
		submit_start(&s[i], &t, SUBMIT_READ, i * 512, 512);
	/* nobody answers before everybody has one */
	for (int i = 0; i < N; i++)
		blocked_end(&sleepers[i]);
	for (int i = 0; i < N; i++)
		sleeper_answer(&sleepers[i]);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(submit_wait(&s[i]), 0);
		close(sleepers[i].fd);
	}
	CHECK_EQ(target_remove(&t), 0);
}

/* Of channels that sleep, one is woken for a request, and the others do not even look. */
static void wake_one_by_one(const struct target *t)
{
	enum { N = 8 };
	static struct blocked sleepers[N];
	struct submit s;
	long before[N];
	int woken = 0;

	sleepers_start(sleepers, t, N);
	for (int round = 0; round < N; round++) {
		for (int i = 0; i < N; i++)
			before[i] = thread_sleeps(sleepers[i].tid);
		submit_start(&s, t, SUBMIT_READ, 0, 512);
		for (woken = -1; woken < 0;) {
			poll(NULL, 0, 1);
			for (int i = 0; i < N; i++)
				if (sleepers[i].over && sleepers[i].thread)
					woken = i;
		}
		blocked_end(&sleepers[woken]);
		sleeper_answer(&sleepers[woken]);
		CHECK_EQ(submit_wait(&s), 0);
		sleepers[woken].thread = 0;
		for (int i = 0; i < N; i++)
			if (sleepers[i].thread)
				CHECK_EQ(thread_sleeps(sleepers[i].tid), before[i]);
	}
	for (int i = 0; i < N; i++)
		close(sleepers[i].fd);
}

static void a_request_wakes_one(void)
{
	struct target t;

	target_create(&t, 2048);
	wake_one_by_one(&t);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_request_wakes_one_while_another_channel_is_full(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	int fd = fixture_begin(&t, "2 max_outstanding 1", SUBMIT_READ, 512, &s, &msg);

	wake_one_by_one(&t);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

/* It could only look, and sleep again. */
static void requests_do_not_wake_who_sleeps_on_a_full_channel(void)
{
	enum { ROUNDS = 10 };
	static struct blocked sleeper;
	struct target t;
	struct submit first, s;
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 max_outstanding 1");
	int full = channel_open(&t, 0), other = channel_open(&t, 0);
	submit_start(&first, &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_next(full, &msg, payload), 0);
	blocked_read(&sleeper, full, 40);
	long before = thread_sleeps(sleeper.tid);
	for (int i = 0; i < ROUNDS; i++) {
		struct dm_user_message others;

		submit_start(&s, &t, SUBMIT_READ, 0, 512);
		target_await_queued(&t, 1);
		CHECK_EQ(channel_next(other, &others, payload), 0);
		CHECK_EQ(channel_answer(other, others.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
		CHECK_EQ(submit_wait(&s), 0);
	}
	CHECK_EQ(thread_sleeps(sleeper.tid), before);

	/* room for another */
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(channel_answer(full, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	blocked_end(&sleeper);
	sleeper_answer(&sleeper);
	CHECK_EQ(submit_wait(&first), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(full);
	fixture_end(&t, other);
}

/* --- Outstanding at once */

struct flood {
	const struct target *target;
	int n;
	int some; /* flags of every fourth, RWF_* */
	long ended;
};

static void *flood_submit(void *userdata)
{
	struct flood *f = userdata;
	aio_context_t context = 0;
	char *buf = aligned_alloc(4096, 4096);
	struct io_event events[64];

	submit_let_go_of_channels();
	int device = open(f->target->device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(buf && device >= 0);
	CHECK_EQ(syscall(SYS_io_setup, f->n, &context), 0);
	for (int i = 0; i < f->n; i++) {
		struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = device,
				   .aio_buf = (uintptr_t)buf, .aio_nbytes = 512,
				   .aio_offset = i % f->target->sectors * 512,
				   .aio_rw_flags = i % 4 ? 0 : f->some };
		struct iocb *list = &cb;

		CHECK_EQ(syscall(SYS_io_submit, context, 1, &list), 1);
	}
	while (f->ended < f->n) {
		long n = syscall(SYS_io_getevents, context, 1, 64, events, NULL);

		CHECK(n > 0);
		for (int i = 0; i < n; i++)
			CHECK_EQ(events[i].res, 512);
		f->ended += n;
	}
	syscall(SYS_io_destroy, context);
	close(device);
	free(buf);
	return NULL;
}

/* Answers `n` requests from `seq` on, in calls of up to `many` that must not wait for each other. */
struct nowait_writer {
	pthread_t thread;
	int fd;
	uint64_t seq;
	int n, many;
};

static void *answer_without_waiting(void *userdata)
{
	struct nowait_writer *w = userdata;
	struct dm_user_message answers[256] = { 0 };

	while (w->n) {
		int now = w->n < w->many ? w->n : w->many;
		struct iovec iov = { answers, now * sizeof(answers[0]) };

		for (int i = 0; i < now; i++)
			answers[i].seq = w->seq + i;
		ssize_t taken = pwritev2(w->fd, &iov, 1, -1, RWF_NOWAIT);
		if (taken < 0) {
			CHECK_EQ(errno, EAGAIN);
			continue;
		}
		/* whole answers, which are taken once and for all */
		CHECK(taken > 0 && taken % sizeof(answers[0]) == 0);
		w->seq += taken / sizeof(answers[0]);
		w->n -= taken / sizeof(answers[0]);
	}
	return NULL;
}

/*
 * A write of many answers lets go of its channel after every few. One that must not wait then finds
 * another writer there, and says how many it has got rid of. Submitters that must not wait are taken
 * all the while: nothing in here makes them.
 */
static void nothing_is_lost_between_the_bursts_of_writes_that_must_not_wait(void)
{
	enum { N = 8192, WRITERS = 2 };
	struct target t;
	pthread_t thread;
	struct nowait_writer writers[WRITERS];

	target_create(&t, 2048);
	struct flood flood = { .target = &t, .n = N, .some = RWF_NOWAIT };
	int fd = channel_open_batch(&t, 0);
	CHECK_EQ(pthread_create(&thread, NULL, flood_submit, &flood), 0);
	for (long bytes = 0; bytes < (long)N * (40 + 512);) {
		ssize_t n = read(fd, payload, sizeof(payload));

		CHECK(n > 0);
		bytes += n;
	}
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct nowait_writer){ .fd = fd, .seq = i * N / WRITERS,
						     .n = N / WRITERS, .many = 256 };
		CHECK_EQ(pthread_create(&writers[i].thread, NULL, answer_without_waiting,
					&writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_join(writers[i].thread, NULL), 0);
	/* each of them came back with 512 bytes */
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void forty_thousand_outstanding_are_answered_in_any_order(void)
{
	enum { N = 40000 };
	static uint64_t seqs[N];
	struct target t;
	struct dm_user_message msg;
	pthread_t thread;

	target_create(&t, 2048);
	struct flood flood = { .target = &t, .n = N };
	int fd = channel_open(&t, 0);
	CHECK_EQ(pthread_create(&thread, NULL, flood_submit, &flood), 0);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		seqs[i] = msg.seq;
	}
	CHECK_EQ(target_status(&t).outstanding, N);
	unsigned seed = 1;
	for (int i = N - 1; i > 0; i--) {
		int other = rand_r(&seed) % (i + 1);
		uint64_t seq = seqs[i];

		seqs[i] = seqs[other];
		seqs[other] = seq;
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(channel_answer(fd, seqs[i], DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void thousands_of_repeats_keep_their_order(void)
{
	enum { N = 5000, CHANNELS = 4 };
	struct target t;
	struct dm_user_message msg;
	pthread_t thread;
	int fds[CHANNELS];

	target_create_with(&t, 2048, "2 on_close requeue");
	struct flood flood = { .target = &t, .n = N };
	for (int i = 0; i < CHANNELS; i++)
		fds[i] = channel_open(&t, 0);
	CHECK_EQ(pthread_create(&thread, NULL, flood_submit, &flood), 0);
	for (int i = 0; i < N; i++)
		CHECK_EQ(channel_next(fds[i * 7 / 3 % CHANNELS], &msg, payload), 0);
	for (int i = 0; i < CHANNELS; i++)
		close(fds[i]);
	fds[0] = channel_open(&t, 0);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(channel_next(fds[0], &msg, payload), 0);
		CHECK_EQ(msg.seq, i);
		CHECK_EQ(channel_answer(fds[0], msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fds[0]);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case many_cases[] = {
	CASE(sixty_four_channels_serve),
	CASE(requests_spread_over_idle_channels),
	CASE(a_request_wakes_one),
	CASE(a_request_wakes_one_while_another_channel_is_full),
	CASE(requests_do_not_wake_who_sleeps_on_a_full_channel),
	CASE(forty_thousand_outstanding_are_answered_in_any_order),
	CASE(nothing_is_lost_between_the_bursts_of_writes_that_must_not_wait),
	CASE(thousands_of_repeats_keep_their_order),
	{ 0 },
};
