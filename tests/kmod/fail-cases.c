// SPDX-License-Identifier: Apache-2.0
/*
 * The messages `fail` and `unfail`: all I/O ends with EIO at once, and nobody is waited for.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "stuck.h"
#include "submit.h"

#define PAGE 4096

static char payload[PAYLOAD_MAX];

static int submit_now(const struct target *t, enum submit_operation operation)
{
	struct submit s;

	submit_start(&s, t, operation, 0, 4096);
	return submit_wait(&s);
}

static void fail_ends_what_is_queued_and_outstanding_and_all_that_comes(void)
{
	struct target t;
	struct submit outstanding, half_read, queued;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	submit_start(&outstanding, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	submit_start(&half_read, &t, SUBMIT_WRITE, 0, 4096);
	CHECK_EQ(channel_read_all(other, payload, 100, 0), 0);
	submit_start(&queued, &t, SUBMIT_WRITE, 4096, 4096);
	target_await_queued(&t, 1);

	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_wait(&outstanding), -EIO);
	CHECK_EQ(submit_wait(&half_read), -EIO);
	CHECK_EQ(submit_wait(&queued), -EIO);
	CHECK_EQ(channel_events(fd), POLLERR);
	CHECK_EQ(channel_events(other), POLLERR);
	for (enum submit_operation operation = SUBMIT_READ; operation <= SUBMIT_SECURE_ERASE;
	     operation++)
		CHECK_EQ(submit_now(&t, operation), -EIO);

	struct target_status s = target_status(&t);
	CHECK_EQ(s.failing, 1);
	CHECK_EQ(s.queued + s.outstanding, 0);
	CHECK(s.errors >= 3 + SUBMIT_SECURE_ERASE + 1);
	close(fd);
	fixture_end(&t, other);
}

static void a_waiting_read_hears_of_fail(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	pid_t reader = channel_read_in_child(fd, -EIO);
	CHECK_EQ(target_message(&t, "fail"), 0);
	await_exit(reader, 0);
	fixture_end(&t, fd);
}

static void fail_ends_a_suspend_that_hangs_on_a_worker(void)
{
	static const uint32_t flags[] = { 0, DM_NOFLUSH_FLAG };
	struct target t;
	struct submit delivered, queued;

	for (int i = 0; i < 2; i++) {
		int fd = fixture_begin_and_queue(&t, &delivered, &queued);
		pid_t suspend = target_suspend_start(&t, flags[i]);
		CHECK_EQ(target_message(&t, "fail"), 0);
		await_exit(suspend, 0);
		CHECK_EQ(submit_wait(&delivered), -EIO);
		CHECK_EQ(target_resume(&t), 0);
		CHECK_EQ(submit_wait(&queued), -EIO);
		/* with the worker still there, and not answering: removal waits for nobody */
		CHECK_EQ(target_remove(&t), 0);
		close(fd);
	}
}

static void fail_ends_a_suspend_that_waits_for_a_broken_channels_release(void)
{
	static const uint32_t flags[] = { 0, DM_NOFLUSH_FLAG };
	struct target t;
	struct submit s;
	int status;

	for (int i = 0; i < 2; i++) {
		int fd = fixture_begin(&t, "2 on_close requeue", SUBMIT_WRITE, 512, &s, NULL);
		CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
		pid_t suspend = target_suspend_start(&t, flags[i]);
		CHECK_EQ(target_status(&t).outstanding, 1);
		CHECK_EQ(waitpid(suspend, &status, WNOHANG), 0);
		CHECK_EQ(target_message(&t, "unfail"), 0);
		CHECK_EQ(target_message(&t, "fail"), 0);
		await_exit(suspend, 0);
		CHECK_EQ(submit_wait(&s), -EIO);
		CHECK_EQ(target_resume(&t), 0);
		CHECK_EQ(target_remove(&t), 0);
		close(fd);
	}
}

static void after_fail_a_deferred_removal_waits_for_no_worker(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 on_close requeue");
	int fd = channel_open(&t, 0);
	int device = open(t.device, O_RDONLY | O_CLOEXEC);
	CHECK(device >= 0);
	for (int i = 0; i < 2; i++) {
		submit_start(&s[i], &t, SUBMIT_WRITE, i * 512, 512);
		target_await_queued(&t, 1);
		if (i == 0)
			CHECK_EQ(channel_next(fd, &msg, payload), 0);
	}
	CHECK_EQ(target_remove_deferred(&t), 0);
	CHECK_EQ(access(t.node, F_OK), 0);
	CHECK_EQ(target_message(&t, "fail"), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(submit_wait(&s[i]), -EIO);
	close(device);
	/* it goes with the last close, which a work of device-mapper's own does */
	while (access(t.node, F_OK) == 0)
		poll(NULL, 0, 1);
	while (!(channel_events(fd) & POLLHUP))
		poll(NULL, 0, 1);
	CHECK_EQ(channel_next(fd, &msg, payload), -ENOTBLK);
	close(fd);
}

static void after_unfail_a_new_channel_serves_once_the_old_is_released(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int old = channel_open(&t, 0);
	CHECK_EQ(target_message(&t, "fail"), 0);
	int fd = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(target_message(&t, "fail"), 0);
	int last = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	CHECK_EQ(target_status(&t).failing, 0);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(channel_events(fd), POLLERR);
	CHECK_EQ(channel_next(last, &msg, payload), -EAGAIN);
	close(old);
	CHECK_EQ(channel_next(last, &msg, payload), -EAGAIN);
	close(fd);
	CHECK_EQ(channel_next(last, &msg, payload), 0);
	CHECK_EQ(channel_answer(last, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, last);
}

static void fail_and_unfail_may_be_said_twice(void)
{
	struct target t;

	target_create(&t, 2048);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_now(&t, SUBMIT_READ), -EIO);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	CHECK_EQ(target_message(&t, "unfail"), 0);
	CHECK_EQ(target_status(&t).failing, 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void an_unknown_message_is_refused(void)
{
	static const char *const messages[] = { "", "fai", "failing", "fail now", "unfail x" };
	struct target t;

	target_create(&t, 2048);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		CHECK_EQ(target_message(&t, messages[i]), -EINVAL);
	CHECK_EQ(target_status(&t).failing, 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void fail_ends_a_copy_that_waits_for_a_fault(void)
{
	for (int reading = 0; reading < 2; reading++) {
		struct target t;
		struct submit s;
		struct dm_user_message msg;
		struct stuck stuck;

		target_create(&t, 2048);
		int fd = channel_open(&t, 0);
		submit_start(&s, &t, reading ? SUBMIT_WRITE : SUBMIT_READ, 0, PAGE);
		CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (!reading)
			CHECK_EQ(write(fd, &msg, 40), 40);
		stuck_start(&stuck, fd, reading);
		CHECK_EQ(target_message(&t, "fail"), 0);
		CHECK_EQ(submit_wait(&s), -EIO);
		CHECK_EQ(target_status(&t).outstanding, 0);

		CHECK_EQ(stuck_end(&stuck), -EIO);
		fixture_end(&t, fd);
	}
}

const struct test_case fail_cases[] = {
	CASE(fail_ends_what_is_queued_and_outstanding_and_all_that_comes),
	CASE(a_waiting_read_hears_of_fail),
	CASE(fail_ends_a_suspend_that_hangs_on_a_worker),
	CASE(fail_ends_a_suspend_that_waits_for_a_broken_channels_release),
	CASE(after_fail_a_deferred_removal_waits_for_no_worker),
	CASE(after_unfail_a_new_channel_serves_once_the_old_is_released),
	CASE(fail_and_unfail_may_be_said_twice),
	CASE(an_unknown_message_is_refused),
	CASE(fail_ends_a_copy_that_waits_for_a_fault),
	{ 0 },
};
