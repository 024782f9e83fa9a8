// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks: no request waits longer than its table allows, whatever its worker does or does not do;
 * and none fails that is answered in time.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "stuck.h"
#include "submit.h"
#include "trace.h"

/* Long enough that a loaded machine does in it what a case does between two deadlines. */
#define LIMIT_MS 2000
#define LIMIT "2000"
/* A clock is looked at every eighth of its time; the rest is for the machine. */
#define LATEST_MS (LIMIT_MS + LIMIT_MS / 8 + 700)
/* The module counts ticks, and those of an emulated CPU fall behind while the host keeps it waiting. */
#define EARLIEST_MS (LIMIT_MS - LIMIT_MS / 8)

#define REQUEST "2 request_timeout_ms " LIMIT
#define REQUEST_REQUEUE "4 on_close requeue request_timeout_ms " LIMIT
#define ATTACH "2 attach_timeout_ms " LIMIT
#define ATTACH_REQUEUE "4 on_close requeue attach_timeout_ms " LIMIT

static char payload[PAYLOAD_MAX];

static int64_t now_ms(void)
{
	struct timespec ts;

	CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void sleep_until(int64_t ms)
{
	while (now_ms() < ms)
		poll(NULL, 0, ms - now_ms());
}

static void check_not_early(int64_t since)
{
	int64_t took = now_ms() - since;

	if (took < EARLIEST_MS)
		CHECK_EQ(took, LIMIT_MS);
}

/* The request fails, not before `since` and LIMIT_MS, and not much after. */
static void check_fails_in_time(struct submit *s, int64_t since)
{
	CHECK_EQ(submit_wait(s), -EIO);
	check_not_early(since);
	CHECK(now_ms() - since <= LATEST_MS);
}

static uint64_t take(int fd)
{
	struct dm_user_message msg;

	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	return msg.seq;
}

/* --- A request's clock */

static void an_unanswered_request_fails_and_breaks_its_channel(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, REQUEST);
	int fd = channel_open(&t, 0);
	int64_t start = now_ms();
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	uint64_t seq = take(fd);
	check_fails_in_time(&s, start);
	CHECK_EQ(channel_events(fd), POLLERR);
	CHECK_EQ(channel_answer(fd, seq, DM_USER_RESP_SUCCESS, NULL, 0), -EIO);
	CHECK_EQ(target_status(&t).broken, 1);
	CHECK_EQ(target_status(&t).timed_out, 1);

	/* and a channel opened after that is held until the release */
	int next = channel_open(&t, O_NONBLOCK);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(read(next, payload, 40), -1);
	CHECK_EQ(errno, EAGAIN);
	close(fd);
	CHECK_EQ(channel_answer(next, take(next), DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, next);
}

static void a_request_that_nobody_reads_fails_in_time(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, REQUEST);
	int fd = channel_open(&t, 0);
	int64_t start = now_ms();
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	check_fails_in_time(&s, start);
	/* a channel is not to blame for what it never had */
	CHECK_EQ(channel_events(fd), POLLOUT);
	fixture_end(&t, fd);
}

static void half_a_request_and_half_an_answer_are_bounded(void)
{
	for (int half = 0; half < 4; half++) {
		struct target t;
		struct submit s;
		struct dm_user_message msg;

		target_create_with(&t, 2048, REQUEST);
		int fd = channel_open(&t, 0);
		int64_t start = now_ms();
		submit_start(&s, &t, half < 2 ? SUBMIT_WRITE : SUBMIT_READ, 0, 512);
		CHECK_EQ(channel_read_all(fd, &msg, half == 0 ? 20 : 40, 0), 0);
		if (half == 1)
			CHECK_EQ(channel_read_all(fd, payload, 100, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (half >= 2)
			CHECK_EQ(channel_write_all(fd, &msg, half == 2 ? 20 : 40, 0), 0);
		check_fails_in_time(&s, start);
		CHECK_EQ(channel_events(fd), POLLERR);
		fixture_end(&t, fd);
	}
}

static void a_copy_that_waits_for_a_fault_is_bounded(void)
{
	for (int reading = 0; reading < 2; reading++) {
		struct target t;
		struct submit s;
		struct stuck stuck;
		struct dm_user_message msg;

		target_create_with(&t, 2048, REQUEST);
		int fd = channel_open(&t, 0);
		int64_t start = now_ms();
		submit_start(&s, &t, reading ? SUBMIT_WRITE : SUBMIT_READ, 0, 4096);
		CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (!reading)
			CHECK_EQ(write(fd, &msg, 40), 40);
		stuck_start(&stuck, fd, reading);
		check_fails_in_time(&s, start);
		CHECK_EQ(stuck_end(&stuck), -EIO);
		fixture_end(&t, fd);
	}
}

static void with_requeue_a_late_request_goes_to_the_next_channel_and_fails_the_second_time(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create_with(&t, 2048, REQUEST_REQUEUE);
	int fd = channel_open(&t, 0);
	int64_t start = now_ms();
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	take(fd);
	TARGET_AWAIT(&t, broken, 1);
	check_not_early(start);
	CHECK(!s.done);
	close(fd);
	start = now_ms();
	fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK(msg.flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	check_fails_in_time(&s, start);
	CHECK_EQ(channel_events(fd), POLLERR);
	CHECK_EQ(target_status(&t).timed_out, 2);
	fixture_end(&t, fd);
}

static void with_requeue_a_repeat_that_is_answered_succeeds(void)
{
	struct target t;
	struct submit s;

	int fd = fixture_begin(&t, REQUEST_REQUEUE, SUBMIT_WRITE, 512, &s, NULL);
	TARGET_AWAIT(&t, broken, 1);
	close(fd);
	fd = channel_open(&t, 0);
	CHECK_EQ(channel_answer(fd, take(fd), DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

static void with_requeue_a_channel_that_is_never_released_holds_no_submitter_for_ever(void)
{
	struct target t;
	struct submit s;

	int fd = fixture_begin(&t, REQUEST_REQUEUE, SUBMIT_WRITE, 512, &s, NULL);
	TARGET_AWAIT(&t, broken, 1);
	int64_t start = now_ms();
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK(now_ms() - start <= LATEST_MS);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(channel_events(fd), POLLERR);
	fixture_end(&t, fd);
}

static void a_requests_clock_starts_with_the_first_channel(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, REQUEST);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	sleep_until(now_ms() + LATEST_MS);
	CHECK(!s.done);
	int64_t start = now_ms();
	int fd = channel_open(&t, 0);
	check_fails_in_time(&s, start);
	fixture_end(&t, fd);
}

static void a_channel_that_comes_and_goes_does_not_stop_a_requests_clock(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, REQUEST);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	int64_t start = now_ms();
	while (!s.done) {
		close(channel_open(&t, 0));
		poll(NULL, 0, 20);
		CHECK(now_ms() - start <= LATEST_MS + LIMIT_MS / 8);
	}
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_remove(&t), 0);
}

/* Requests that came with a channel there and requests that came without, in turns. */
static void channels_that_come_and_go_do_not_add_time_outs_up(void)
{
	enum { N = 6 };
	struct target t;
	struct submit s[N];

	target_create_with(&t, 2048, REQUEST);
	for (int i = 0; i < N; i++) {
		int fd = i & 1 ? channel_open(&t, 0) : -1;

		submit_start(&s[i], &t, SUBMIT_READ, i * 512, 512);
		target_await_queued(&t, i + 1);
		if (fd >= 0)
			close(fd);
	}
	int64_t start = now_ms();
	for (int i = 0; i < N; i++) {
		while (!s[i].done) {
			close(channel_open(&t, 0));
			poll(NULL, 0, 20);
			CHECK(now_ms() - start <= LATEST_MS + LIMIT_MS / 4);
		}
		CHECK_EQ(submit_wait(&s[i]), -EIO);
	}
	CHECK_EQ(target_remove(&t), 0);
}

static void a_requests_clock_restarts_once_when_it_is_repeated(void)
{
	struct target t;
	struct submit s;

	int fd = fixture_begin(&t, REQUEST_REQUEUE, SUBMIT_WRITE, 512, &s, NULL);
	poll(NULL, 0, LIMIT_MS / 2);
	/* from here it has all of its time again */
	int other = channel_open(&t, 0);
	int64_t start = now_ms();
	close(fd);
	take(other);
	sleep_until(start + LIMIT_MS * 7 / 8);
	CHECK(!s.done);
	CHECK_EQ(target_status(&t).broken, 0);
	/* but not a second time */
	fd = channel_open(&t, 0);
	close(other);
	take(fd);
	TARGET_AWAIT(&t, broken, 1);
	check_not_early(start);
	CHECK(now_ms() - start <= LATEST_MS);
	CHECK_EQ(submit_wait(&s), -EIO);
	fixture_end(&t, fd);
}

static void requests_that_are_answered_never_time_out(void)
{
	struct target t;
	struct server server;
	int64_t end = now_ms() + 2 * LIMIT_MS;

	target_create_with(&t, 2048, REQUEST);
	server_start(&server, &t, 2, false, 0);
	while (now_ms() < end) {
		struct submit s;

		submit_start(&s, &t, SUBMIT_WRITE, 0, 4096);
		CHECK_EQ(submit_wait(&s), 0);
		free(s.buf);
	}
	CHECK_EQ(target_status(&t).timed_out, 0);
	CHECK_EQ(target_status(&t).errors, 0);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

static void without_a_limit_nothing_times_out(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, "4 request_timeout_ms 0 attach_timeout_ms 0");
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	uint64_t seq = take(fd);
	poll(NULL, 0, LATEST_MS);
	CHECK_EQ(channel_answer(fd, seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

/* So many that in each of its ticks one begins: then some end in the first tick in which they may. */
static void submit_each_tick(const struct target *t, int n)
{
	aio_context_t context = 0;
	struct io_event events[64];
	char *buf = aligned_alloc(4096, 4096);
	int device = open(t->device, O_RDWR | O_DIRECT | O_CLOEXEC);

	CHECK(buf && device >= 0);
	CHECK_EQ(syscall(SYS_io_setup, n, &context), 0);
	for (int i = 0; i < n; i++) {
		struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = device,
				   .aio_buf = (uintptr_t)buf, .aio_nbytes = 512 };
		struct iocb *list = &cb;

		CHECK_EQ(syscall(SYS_io_submit, context, 1, &list), 1);
		poll(NULL, 0, 1);
	}
	for (long ended = 0, got; ended < n; ended += got) {
		got = syscall(SYS_io_getevents, context, 1, 64, events, NULL);
		CHECK(got > 0);
		for (long i = 0; i < got; i++)
			CHECK_EQ(events[i].res, -EIO);
	}
	syscall(SYS_io_destroy, context);
	close(device);
	free(buf);
}

/*
 * By the module's own clock, so that no load can make it look wrong. A clock that has counted N
 * ticks has run for between N - 1 and N of them: more than the limit has to be counted.
 */
static void no_request_is_late_a_tick_too_early(void)
{
	enum { N = 400 };
	struct target t;
	const char *waited;
	int n = 0;

	/* 40 ms are whole ticks of any kernel there is */
	target_create_with(&t, 2048, "2 request_timeout_ms 40");
	int fd = channel_open(&t, 0);
	trace_start();
	submit_each_tick(&t, N);
	char *where = trace_stop();
	while ((waited = trace_next(&where, "dm_user_timeout:", "waited_ms="))) {
		CHECK(atoi(waited) > 40);
		n++;
	}
	CHECK_EQ(n, N);
	CHECK_EQ(target_status(&t).timed_out, N);
	fixture_end(&t, fd);
}

/* --- The attach clock */

static void without_a_channel_all_requests_fail_at_once_after_one_time_out(void)
{
	enum { N = 8 };
	struct target t;
	struct submit s[N];

	target_create_with(&t, 2048, ATTACH);
	int64_t start = now_ms();
	close(channel_open(&t, 0));
	for (int i = 0; i < N; i++) {
		submit_start(&s[i], &t, SUBMIT_READ, i * 512, 512);
		poll(NULL, 0, LIMIT_MS / 2 / N);
	}
	check_fails_in_time(&s[0], start);
	for (int i = 1; i < N; i++)
		CHECK_EQ(submit_wait(&s[i]), -EIO);
	CHECK(now_ms() - start <= LATEST_MS);
	CHECK_EQ(target_status(&t).deserted, 1);

	/* what comes now fails at once */
	start = now_ms();
	submit_start(&s[0], &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(submit_wait(&s[0]), -EIO);
	CHECK(now_ms() - start < LIMIT_MS / 2);
	/* until a channel opens */
	int fd = channel_open(&t, 0);
	CHECK_EQ(target_status(&t).deserted, 0);
	submit_start(&s[0], &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_answer(fd, take(fd), DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s[0]), 0);
	fixture_end(&t, fd);
}

static void a_channel_in_time_serves_what_has_waited(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, ATTACH);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	poll(NULL, 0, LIMIT_MS / 4);
	int fd = channel_open(&t, 0);
	sleep_until(now_ms() + LATEST_MS);
	CHECK_EQ(channel_answer(fd, take(fd), DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_suspend_stops_the_attach_clock_and_resume_starts_it(void)
{
	struct target t;
	struct submit s;

	target_create_with(&t, 2048, ATTACH);
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	sleep_until(now_ms() + LATEST_MS);
	CHECK_EQ(target_status(&t).deserted, 0);
	int64_t start = now_ms();
	CHECK_EQ(target_resume(&t), 0);
	check_fails_in_time(&s, start);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_broken_channel_counts_as_none(void)
{
	struct target t;
	struct submit s[2];

	target_create_with(&t, 2048, ATTACH_REQUEUE);
	int fd = channel_open(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 512);
	take(fd);
	submit_start(&s[1], &t, SUBMIT_WRITE, 512, 512);
	target_await_queued(&t, 1);
	int64_t start = now_ms();
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	/* what is with the broken channel fails with the rest */
	check_fails_in_time(&s[0], start);
	CHECK_EQ(submit_wait(&s[1]), -EIO);
	CHECK_EQ(target_status(&t).outstanding, 0);
	fixture_end(&t, fd);
}

/* It would get no request, so it promises none an end. */
static void a_channel_that_is_held_counts_as_none(void)
{
	struct target t;
	struct submit waits, s;

	int broken = fixture_begin(&t, ATTACH_REQUEUE, SUBMIT_WRITE, 512, &waits, NULL);
	int64_t start = now_ms();
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	check_fails_in_time(&s, start);
	CHECK_EQ(submit_wait(&waits), -EIO);
	CHECK_EQ(target_status(&t).deserted, 1);

	/* until nothing holds it */
	close(broken);
	CHECK_EQ(target_status(&t).deserted, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_answer(held, take(held), DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, held);
}

static void with_requeue_a_dead_workers_requests_wait_for_the_attach_time_out(void)
{
	struct target t;
	struct submit s;

	int fd = fixture_begin(&t, ATTACH_REQUEUE, SUBMIT_WRITE, 512, &s, NULL);
	int64_t start = now_ms();
	close(fd);
	check_fails_in_time(&s, start);
	CHECK_EQ(target_remove(&t), 0);
}

static void umount_of_a_dead_volume_takes_at_most_one_time_out(void)
{
	char directory[] = "/tmp/timeout-XXXXXX", command[256], path[64];
	struct target t;
	struct server server;

	target_create_with(&t, 32768, "2 attach_timeout_ms 4000");
	/* a worker in a process of its own, to be killed */
	int ready[2];
	CHECK_EQ(pipe(ready), 0);
	pid_t worker = fork();
	if (worker == 0) {
		server_start(&server, &t, 2, false, 0);
		CHECK_EQ(write(ready[1], "", 1), 1);
		pause();
	}
	CHECK_EQ(read(ready[0], payload, 1), 1);
	snprintf(command, sizeof(command), "mkfs.ext4 -q -b 1024 -J size=1 %s", t.device);
	CHECK_EQ(system(command), 0);
	CHECK(mkdtemp(directory));
	CHECK_EQ(mount(t.device, directory, "ext4", 0, NULL), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/file-%d", directory, i);
		int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
		CHECK_EQ(write(fd, payload, 65536), 65536);
		close(fd);
	}
	CHECK_EQ(kill(worker, SIGKILL), 0);
	CHECK_EQ(waitpid(worker, NULL, 0), worker);
	int64_t start = now_ms();
	CHECK_EQ(umount2(directory, 0), 0);
	CHECK(now_ms() - start <= 4000 + 4000 / 8 + 1500);
	CHECK_EQ(target_status(&t).deserted, 1);
	CHECK_EQ(rmdir(directory), 0);
	CHECK_EQ(target_remove(&t), 0);
}

/* --- Suspends end in time */

static void suspends_end_in_time(void)
{
	static const uint32_t flags[] = { 0, DM_NOFLUSH_FLAG };
	struct target t;
	struct submit s;

	for (int i = 0; i < 2; i++) {
		/* with a worker that is stuck */
		target_create_with(&t, 2048, REQUEST);
		int fd = channel_open(&t, 0);
		int64_t start = now_ms();
		submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
		take(fd);
		pid_t suspend = target_suspend_start(&t, flags[i]);
		check_fails_in_time(&s, start);
		await_exit(suspend, 0);
		CHECK_EQ(target_resume(&t), 0);
		CHECK_EQ(target_remove(&t), 0);
		close(fd);
	}
	/* and with none at all */
	target_create_with(&t, 2048, ATTACH);
	int64_t start = now_ms();
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(target_suspend(&t, 0), 0);
	CHECK(now_ms() - start <= LATEST_MS);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_removed_targets_clocks_are_gone(void)
{
	for (int i = 0; i < 20; i++) {
		struct target t;
		struct submit s;

		target_create_with(&t, 2048, "4 request_timeout_ms 30 attach_timeout_ms 30");
		int fd = channel_open(&t, 0);
		submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
		CHECK_EQ(submit_wait(&s), -EIO);
		if (i % 2)
			close(fd);
		poll(NULL, 0, i);
		CHECK_EQ(target_remove(&t), 0);
		if (i % 2 == 0)
			close(fd);
	}
}

const struct test_case timeout_cases[] = {
	CASE(an_unanswered_request_fails_and_breaks_its_channel),
	CASE(a_request_that_nobody_reads_fails_in_time),
	CASE(half_a_request_and_half_an_answer_are_bounded),
	CASE(a_copy_that_waits_for_a_fault_is_bounded),
	CASE(with_requeue_a_late_request_goes_to_the_next_channel_and_fails_the_second_time),
	CASE(with_requeue_a_repeat_that_is_answered_succeeds),
	CASE(with_requeue_a_channel_that_is_never_released_holds_no_submitter_for_ever),
	CASE(a_requests_clock_starts_with_the_first_channel),
	CASE(a_channel_that_comes_and_goes_does_not_stop_a_requests_clock),
	CASE(channels_that_come_and_go_do_not_add_time_outs_up),
	CASE(a_requests_clock_restarts_once_when_it_is_repeated),
	CASE(requests_that_are_answered_never_time_out),
	CASE(no_request_is_late_a_tick_too_early),
	CASE(without_a_limit_nothing_times_out),
	CASE(without_a_channel_all_requests_fail_at_once_after_one_time_out),
	CASE(a_channel_in_time_serves_what_has_waited),
	CASE(a_suspend_stops_the_attach_clock_and_resume_starts_it),
	CASE(a_broken_channel_counts_as_none),
	CASE(a_channel_that_is_held_counts_as_none),
	CASE(with_requeue_a_dead_workers_requests_wait_for_the_attach_time_out),
	CASE(umount_of_a_dead_volume_takes_at_most_one_time_out),
	CASE(suspends_end_in_time),
	CASE(a_removed_targets_clocks_are_gone),
	{ 0 },
};
