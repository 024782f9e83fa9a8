// SPDX-License-Identifier: Apache-2.0
/*
 * Answers: what each result means to the submitter, and what a bad one does to the channel.
 */
#include <fcntl.h>
#include <sys/klog.h>
#include <time.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

/* Submits one I/O, answers it with `type`, and returns what the submitter was told. */
static int answered_with(uint64_t type, enum submit_operation operation)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, operation, 4096, &s, &msg);
	CHECK_EQ(channel_answer(fd, msg.seq, type, NULL, 0), 0);
	/* where the block layer has another way, it takes it: that must work */
	while (!s.done) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 20) == 0)
			continue;
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	int r = submit_wait(&s);
	fixture_end(&t, fd);
	return r;
}

static void error_is_EIO_for_every_operation(void)
{
	static const enum submit_operation operations[] = { SUBMIT_READ, SUBMIT_WRITE, SUBMIT_FLUSH,
							    SUBMIT_DISCARD, SUBMIT_SECURE_ERASE };

	for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		CHECK_EQ(answered_with(DM_USER_RESP_ERROR, operations[i]), -EIO);
}

static void unsupported_is_not_supported_for_ranges(void)
{
	/* the block layer was told, and tells nobody: a discard is a hint */
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_DISCARD), 0);
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_SECURE_ERASE), -EOPNOTSUPP);
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_PUNCH_HOLE), -EOPNOTSUPP);
}

static void unsupported_write_zeroes_are_written_instead(void)
{
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_ZEROES), 0);
}

static void unsupported_is_EIO_for_reads_writes_and_flushes(void)
{
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_READ), -EIO);
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_WRITE), -EIO);
	CHECK_EQ(answered_with(DM_USER_RESP_UNSUPPORTED, SUBMIT_FLUSH), -EIO);
}

/* The bad answer was just refused: the channel is broken for good, and its requests have failed. */
static void check_broken(const struct target *t, int fd, struct submit *outstanding)
{
	char byte;

	CHECK_EQ(submit_wait(outstanding), -EIO);
	CHECK_EQ(target_status(t).outstanding, 0);
	CHECK_EQ(read(fd, &byte, 1), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(write(fd, &byte, 1), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(channel_events(fd), POLLERR);
}

static void breaks_the_channel(uint64_t seq, uint64_t type)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 4096, &s, &msg);
	CHECK_EQ(channel_answer(fd, seq, type, NULL, 0), -EINVAL);
	check_broken(&t, fd, &s);
	fixture_end(&t, fd);
}

static void an_unknown_seq_breaks_the_channel(void)
{
	breaks_the_channel(1, DM_USER_RESP_SUCCESS);
	breaks_the_channel(UINT64_MAX, DM_USER_RESP_ERROR);
	/* falls into the same chain as 0 */
	breaks_the_channel(1ULL << 63, DM_USER_RESP_SUCCESS);
}

static void an_unknown_type_breaks_the_channel(void)
{
	breaks_the_channel(0, 3);
	breaks_the_channel(0, UINT64_MAX);
	breaks_the_channel(0, 1ULL << 32);
}

static void a_repeated_seq_breaks_the_channel(void)
{
	struct target t;
	struct submit first, second;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&first, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	submit_start(&second, &t, SUBMIT_WRITE, 512, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&first), 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	check_broken(&t, fd, &second);
	fixture_end(&t, fd);
}

static void a_bad_header_in_single_bytes_breaks_the_channel(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_WRITE, 512, &s, &msg);
	msg.seq = 99;
	CHECK_EQ(channel_write_all(fd, &msg, 39, 1), 0);
	CHECK_EQ(channel_write_all(fd, (char *)&msg + 39, 1, 1), -EINVAL);
	check_broken(&t, fd, &s);
	fixture_end(&t, fd);
}

static void a_request_that_was_not_read_to_its_end_cannot_be_answered(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_read_all(fd, &msg, sizeof(msg), 0), 0);
	CHECK_EQ(read(fd, payload, 511), 511);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	check_broken(&t, fd, &s);
	fixture_end(&t, fd);
}

static void an_answer_on_another_channel_is_unknown_there(void)
{
	struct target t;
	struct submit s, other;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), wrong = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	submit_start(&other, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(wrong, &msg, payload), 0);
	CHECK_EQ(channel_answer(wrong, 0, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(submit_wait(&other), -EIO);

	/* the channel that it belongs to is as good as ever, and takes new requests */
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(fd);
	fixture_end(&t, wrong);
}

static void a_channel_opened_after_a_break_waits_for_the_broken_ones_release(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0), dup_of_broken = dup(broken);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(broken, &msg, payload), 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(submit_wait(&s), -EIO);

	int fresh = channel_open(&t, O_NONBLOCK);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(channel_next(fresh, &msg, payload), -EAGAIN);
	CHECK_EQ(channel_events(fresh), POLLOUT);
	/* a dup still holds it */
	close(broken);
	CHECK_EQ(channel_next(fresh, &msg, payload), -EAGAIN);
	CHECK_EQ(channel_events(fresh), POLLOUT);

	close(dup_of_broken);
	CHECK_EQ(channel_events(fresh), POLLIN | POLLOUT);
	CHECK_EQ(channel_next(fresh, &msg, payload), 0);
	CHECK_EQ(channel_answer(fresh, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fresh);
}

static void a_reader_that_waits_for_a_release_is_woken_by_it(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct blocked reader;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int fresh = channel_open(&t, 0);
	blocked_read(&reader, fresh, 40);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	close(broken);
	CHECK_EQ(blocked_end(&reader), sizeof(msg));
	memcpy(&msg, reader.buf, sizeof(msg));
	CHECK_EQ(channel_read_all(fresh, payload, 512, 0), 0);
	CHECK_EQ(channel_answer(fresh, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fresh);
}

static void a_channel_opened_before_a_break_goes_on(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0), older = channel_open(&t, 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, O_NONBLOCK);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(channel_next(held, &msg, payload), -EAGAIN);
	CHECK_EQ(channel_next(older, &msg, payload), 0);
	CHECK_EQ(channel_answer(older, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(broken);
	close(older);
	fixture_end(&t, held);
}

static void errors_are_counted_and_not_supported_is_none(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (uint64_t type = DM_USER_RESP_SUCCESS; type <= DM_USER_RESP_UNSUPPORTED; type++) {
		submit_start(&s, &t, SUBMIT_DISCARD, 0, 4096);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(channel_answer(fd, msg.seq, type, NULL, 0), 0);
		submit_wait(&s);
	}
	CHECK_EQ(target_status(&t).errors, 1);
	CHECK_EQ(target_status(&t).channels, 1);
	close(fd);
	CHECK_EQ(target_status(&t).channels, 0);
	CHECK_EQ(target_remove(&t), 0);
}

/* Lines of the kernel's log that have `text` in them. */
static int logged(const char *text)
{
	static char log[1 << 20];
	int len = klogctl(3 /* read all, and leave it there */, log, sizeof(log) - 1), n = 0;

	CHECK(len >= 0);
	log[len] = 0;
	for (char *p = log; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static void garbage_is_logged_at_a_bounded_rate(void)
{
	enum { TIMES = 3000 };
	struct target t;
	char line[128], garbage[4096];
	time_t start = time(NULL);

	memset(garbage, 0xa5, sizeof(garbage));
	target_create(&t, 8);
	snprintf(line, sizeof(line), "%s: bad answer", t.name);
	/* the bound is the module's, and cases before may have used up its five seconds: then go on */
	for (int i = 0; i < TIMES || (!logged(line) && time(NULL) < start + 20); i++) {
		int fd = channel_open(&t, 0);

		CHECK_EQ(write(fd, garbage, sizeof(garbage)), -1);
		CHECK_EQ(errno, EINVAL);
		close(fd);
	}
	/* the kernel's own bound: ten lines in five seconds */
	int allowed = 10 * ((time(NULL) - start) / 5 + 2);
	CHECK(allowed < TIMES);
	CHECK(logged(line) > 0);
	CHECK(logged(line) <= allowed);
	CHECK_EQ(target_remove(&t), 0);
}

/* A channel of whole messages that has read a READ of 512 bytes, seq 0, is written this. */
static void breaks_with(uint64_t seq, uint64_t type, uint64_t len, size_t bytes, const char *says)
{
	time_t start = time(NULL);
	char line[256];
	struct target t;

	/* the rate is limited, and cases before may have used it up: until it is logged */
	do {
		struct submit s;
		struct { struct dm_user_message msg; char data[512]; } answer = {
			.msg = { .seq = seq, .type = type, .len = len },
		};

		target_create(&t, 2048);
		int fd = channel_open_batch(&t, 0);
		submit_start(&s, &t, SUBMIT_READ, 0, 512);
		CHECK_EQ(read(fd, payload, sizeof(payload)), 40);
		CHECK_EQ(write(fd, &answer, bytes), -1);
		CHECK_EQ(errno, EINVAL);
		CHECK_EQ(submit_wait(&s), -EIO);
		fixture_end(&t, fd);
		snprintf(line, sizeof(line), "%s: bad answer: %s", t.name, says);
	} while (!logged(line) && time(NULL) < start + 20);
	if (!logged(line)) {
		fprintf(stderr, "not logged: %s\n", line);
		exit(1);
	}
}

static void the_log_says_which_field_of_a_bad_answer_is_wrong(void)
{
	breaks_with(0, 9, 0, 40, "type 9 is no result (seq 0, type 9, len 0)");
	breaks_with(77, 0, 512, 552, "seq 77 cannot be answered on the channel");
	breaks_with(0, 0, 511, 552, "len 511 is not what the request makes it");
	breaks_with(0, 0, 512, 140, "len 512 is more than the write has left");
	breaks_with(0, 0, 512, 39, "a header's 39 bytes are not all of it");
}

const struct test_case answer_cases[] = {
	CASE(error_is_EIO_for_every_operation),
	CASE(unsupported_is_not_supported_for_ranges),
	CASE(unsupported_write_zeroes_are_written_instead),
	CASE(unsupported_is_EIO_for_reads_writes_and_flushes),
	CASE(an_unknown_seq_breaks_the_channel),
	CASE(an_unknown_type_breaks_the_channel),
	CASE(a_repeated_seq_breaks_the_channel),
	CASE(a_bad_header_in_single_bytes_breaks_the_channel),
	CASE(a_request_that_was_not_read_to_its_end_cannot_be_answered),
	CASE(an_answer_on_another_channel_is_unknown_there),
	CASE(a_channel_opened_after_a_break_waits_for_the_broken_ones_release),
	CASE(a_reader_that_waits_for_a_release_is_woken_by_it),
	CASE(a_channel_opened_before_a_break_goes_on),
	CASE(errors_are_counted_and_not_supported_is_none),
	CASE(garbage_is_logged_at_a_bounded_rate),
	CASE(the_log_says_which_field_of_a_bad_answer_is_wrong),
	{ 0 },
};
