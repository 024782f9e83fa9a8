// SPDX-License-Identifier: Apache-2.0
/*
 * Channels of whole messages: what one read() and one write() carry, what breaks them, and that
 * nothing is lost when memory, room or time is short.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "stuck.h"
#include "submit.h"
#include "thread.h"

#define PAGE 4096

static char payload[PAYLOAD_MAX];
static char buf[64 * (sizeof(struct dm_user_message) + PAGE)];

static struct dm_user_message *at(size_t offset)
{
	return (void *)(buf + offset);
}

/* Queues n requests of a page each, in their order; write or read by turns, beginning with `first`. */
static void queue(struct submit *s, const struct target *t, int n, enum submit_operation first)
{
	for (int i = 0; i < n; i++) {
		submit_start(&s[i], t, (first + i) % 2 ? SUBMIT_WRITE : SUBMIT_READ,
			     (uint64_t)i * PAGE, PAGE);
		target_await_queued(t, i + 1);
	}
}

static void a_read_carries_all_that_waits_and_fits(void)
{
	enum { N = 6 };
	struct target t;
	struct submit s[N];
	size_t where = 0;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, N, SUBMIT_READ);
	CHECK_EQ(read(fd, buf, sizeof(buf)), N * 40 + N / 2 * PAGE);
	for (uint64_t i = 0; i < N; i++) {
		struct dm_user_message *msg = at(where);

		CHECK_EQ(msg->seq, i);
		CHECK_EQ(msg->type, i % 2);
		CHECK_EQ(msg->sector, 8 * i);
		CHECK_EQ(msg->len, PAGE);
		for (int b = 0; msg->type == DM_USER_REQ_MAP_WRITE && b < PAGE; b++)
			CHECK_EQ((char)msg->buf[b], submit_pattern(i * PAGE + b));
		where += 40 + (msg->type == DM_USER_REQ_MAP_WRITE ? PAGE : 0);
	}
	CHECK_EQ(target_status(&t).outstanding, N);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(channel_answer_whole(fd, i, DM_USER_RESP_SUCCESS, payload,
					      i % 2 ? 0 : PAGE), i % 2 ? 40 : 40 + PAGE);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	fixture_end(&t, fd);
}

static void what_does_not_fit_stays_for_the_next_read_or_another_channel(void)
{
	struct target t;
	struct submit s[4];

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0), other = channel_open_batch(&t, O_NONBLOCK);
	queue(s, &t, 4, SUBMIT_WRITE);
	/* write, read, write, read */
	CHECK_EQ(read(fd, buf, 39), -1);
	CHECK_EQ(errno, EMSGSIZE);
	CHECK_EQ(read(fd, buf, 40 + PAGE - 1), -1);
	CHECK_EQ(errno, EMSGSIZE);
	CHECK_EQ(target_status(&t).queued, 4);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	/* a byte short of the third */
	CHECK_EQ(read(fd, buf, 3 * 40 + 2 * PAGE - 1), 40 + PAGE + 40);
	CHECK_EQ(at(0)->seq, 0);
	CHECK_EQ(at(40 + PAGE)->seq, 1);
	CHECK_EQ(read(other, buf, sizeof(buf)), 40 + PAGE + 40);
	CHECK_EQ(at(0)->seq, 2);
	CHECK_EQ(at(40 + PAGE)->seq, 3);
	CHECK_EQ(read(other, buf, sizeof(buf)), -1);
	CHECK_EQ(errno, EAGAIN);
	for (int i = 0; i < 4; i++) {
		channel_answer_whole(i < 2 ? fd : other, i, DM_USER_RESP_SUCCESS, payload,
				     i % 2 ? PAGE : 0);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	close(fd);
	fixture_end(&t, other);
}

static void a_write_takes_many_answers_in_any_order(void)
{
	enum { N = 40 }; /* more than end together */
	struct target t;
	struct submit s[N];
	size_t end = 0;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, N, SUBMIT_READ);
	CHECK_EQ(read(fd, buf, sizeof(buf)), N * 40 + N / 2 * PAGE);
	memset(buf, 0, sizeof(buf));
	for (int i = N - 1; i >= 0; i--) {
		struct dm_user_message *msg = at(end);

		*msg = (struct dm_user_message){ .seq = i, .type = DM_USER_RESP_SUCCESS,
						 .len = i % 2 ? 0 : PAGE };
		memset(msg->buf, i, msg->len);
		end += 40 + msg->len;
	}
	CHECK_EQ(write(fd, buf, end), end);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(submit_wait(&s[i]), 0);
		for (int b = 0; i % 2 == 0 && b < PAGE; b++)
			CHECK_EQ(s[i].buf[b], i);
	}
	CHECK_EQ(target_status(&t).outstanding, 0);
	fixture_end(&t, fd);
}

static void readv_and_writev_cut_messages_anywhere(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message head[2], answer[2];
	char data[PAGE];
	struct iovec in[] = { { head, 7 }, { (char *)head + 7, 33 }, { data, 1 },
			      { data + 1, PAGE - 1 }, { head + 1, 40 } };
	struct iovec out[] = { { answer, 40 }, { answer + 1, 39 }, { (char *)(answer + 1) + 39, 1 },
			       { data, 100 }, { data + 100, PAGE - 100 } };

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, 2, SUBMIT_WRITE);
	CHECK_EQ(readv(fd, in, 5), 40 + PAGE + 40);
	CHECK_EQ(head[0].seq, 0);
	CHECK_EQ(head[1].seq, 1);
	for (int b = 0; b < PAGE; b++)
		CHECK_EQ(data[b], submit_pattern(b));
	answer[0] = (struct dm_user_message){ .seq = 0, .type = DM_USER_RESP_SUCCESS };
	answer[1] = (struct dm_user_message){ .seq = 1, .type = DM_USER_RESP_SUCCESS, .len = PAGE };
	CHECK_EQ(writev(fd, out, 5), 80 + PAGE);
	CHECK_EQ(submit_wait(&s[0]), 0);
	CHECK_EQ(submit_wait(&s[1]), 0);
	CHECK_EQ(memcmp(s[1].buf, data, PAGE), 0);
	fixture_end(&t, fd);
}

/* One READ of a page, delivered on a new channel: fd is returned. */
static int one_read_delivered(struct target *t, struct submit *s)
{
	target_create(t, 2048);
	int fd = channel_open_batch(t, 0);
	submit_start(s, t, SUBMIT_READ, 0, PAGE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 40);
	return fd;
}

/* An answer of `bytes` bytes with this header fails with EINVAL and breaks the channel. */
static void breaks(uint64_t seq, uint64_t type, uint64_t len, size_t bytes)
{
	struct target t;
	struct submit s;
	int fd = one_read_delivered(&t, &s);

	*at(0) = (struct dm_user_message){ .seq = seq, .type = type, .len = len };
	CHECK_EQ(write(fd, buf, bytes), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_status(&t).broken, 1);
	CHECK_EQ(write(fd, buf, bytes), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(read(fd, buf, sizeof(buf)), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(channel_events(fd), POLLERR);
	fixture_end(&t, fd);
}

static void a_wrong_len_breaks_a_channel_of_whole_messages(void)
{
	breaks(0, DM_USER_RESP_SUCCESS, PAGE - 1, 40 + PAGE);
	breaks(0, DM_USER_RESP_SUCCESS, PAGE + 1, 40 + PAGE + 1);
	breaks(0, DM_USER_RESP_SUCCESS, 0, 40);
	breaks(0, DM_USER_RESP_SUCCESS, UINT64_MAX, 40 + PAGE);
	breaks(0, DM_USER_RESP_SUCCESS, PAGE | 1ULL << 32, 40 + PAGE);
	/* an error is the header alone */
	breaks(0, DM_USER_RESP_ERROR, PAGE, 40);
	breaks(0, DM_USER_RESP_UNSUPPORTED, PAGE, 40 + PAGE);
}

static void a_part_of_an_answer_breaks_a_channel_of_whole_messages(void)
{
	breaks(0, DM_USER_RESP_SUCCESS, PAGE, 1);
	breaks(0, DM_USER_RESP_SUCCESS, PAGE, 39);
	breaks(0, DM_USER_RESP_SUCCESS, PAGE, 40);
	breaks(0, DM_USER_RESP_SUCCESS, PAGE, 40 + PAGE - 1);
}

static void an_unknown_seq_or_type_breaks_a_channel_of_whole_messages(void)
{
	breaks(1, DM_USER_RESP_SUCCESS, PAGE, 40 + PAGE);
	breaks(0, DM_USER_RESP_UNSUPPORTED + 1, 0, 40);
	breaks(0, UINT64_MAX, 0, 40);
}

static void what_stood_before_a_bad_answer_was_taken(void)
{
	struct target t;
	struct submit s[3];

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	for (int i = 0; i < 3; i++)
		submit_start(&s[i], &t, SUBMIT_WRITE, i * 512, 512);
	target_await_queued(&t, 3);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 3 * 552);
	memset(buf, 0, 120);
	/* 0, then 0 once more, then 2 */
	*at(80) = (struct dm_user_message){ .seq = 2 };
	CHECK_EQ(write(fd, buf, 120), -1);
	CHECK_EQ(errno, EINVAL);
	int good = 0;
	for (int i = 0; i < 3; i++)
		good += submit_wait(&s[i]) == 0;
	CHECK_EQ(good, 1);
	fixture_end(&t, fd);
}

/* What it covers was answered before it, and it was, before the channel broke and lost what is cached. */
static void a_flush_that_was_answered_before_a_bad_answer_counts(void)
{
	struct target t;
	struct submit s[2];

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 552);
	*at(0) = (struct dm_user_message){ .seq = at(0)->seq };
	CHECK_EQ(write(fd, buf, 40), 40);
	CHECK_EQ(submit_wait(&s[0]), 0);
	submit_start(&s[1], &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 40);
	*at(0) = (struct dm_user_message){ .seq = at(0)->seq };
	*at(40) = (struct dm_user_message){ .seq = UINT64_MAX };
	CHECK_EQ(write(fd, buf, 80), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(submit_wait(&s[1]), 0);
	fixture_end(&t, fd);
}

static void what_a_broken_channel_of_whole_messages_had_goes_out_again(void)
{
	struct target t;
	struct submit s[3];

	target_create_with(&t, 2048, "2 on_close requeue");
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, 3, SUBMIT_READ);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 3 * 40 + PAGE);
	/* of three the first is answered, then comes a wrong len */
	*at(0) = (struct dm_user_message){ .seq = 0, .len = PAGE };
	*at(40 + PAGE) = (struct dm_user_message){ .seq = 1, .len = 1 };
	CHECK_EQ(write(fd, buf, 80 + PAGE), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(submit_wait(&s[0]), 0);
	int next = channel_open_batch(&t, O_NONBLOCK);
	CHECK_EQ(read(next, buf, sizeof(buf)), -1);
	CHECK_EQ(errno, EAGAIN);
	close(fd);
	CHECK_EQ(read(next, buf, sizeof(buf)), 2 * 40 + PAGE);
	CHECK_EQ(at(0)->seq, 1);
	CHECK(at(0)->flags & DM_USER_REQ_MAP_FLAG_REPEAT);
	CHECK_EQ(at(40 + PAGE)->seq, 2);
	channel_answer_whole(next, 1, DM_USER_RESP_SUCCESS, NULL, 0);
	channel_answer_whole(next, 2, DM_USER_RESP_SUCCESS, payload, PAGE);
	CHECK_EQ(submit_wait(&s[1]), 0);
	CHECK_EQ(submit_wait(&s[2]), 0);
	fixture_end(&t, next);
}

/* Three pages, of which the last cannot be touched. */
static char *pages_before_a_hole(void)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(mprotect(p + 2 * PAGE, PAGE, PROT_NONE), 0);
	return p;
}

static void a_read_into_a_hole_takes_whole_messages_and_loses_none(void)
{
	struct target t;
	struct submit s[2];
	char *pages = pages_before_a_hole();

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, PAGE);
	target_await_queued(&t, 1);
	submit_start(&s[1], &t, SUBMIT_WRITE, PAGE, PAGE);
	target_await_queued(&t, 2);
	/* the second would end in the hole */
	CHECK_EQ(read(fd, pages, 3 * PAGE), 40 + PAGE);
	CHECK_EQ(((struct dm_user_message *)pages)->seq, 0);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	CHECK_EQ(read(fd, pages + PAGE, 2 * PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	/* it stays with the channel, whole, and still wants its room */
	CHECK_EQ(read(fd, buf, PAGE), -1);
	CHECK_EQ(errno, EMSGSIZE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 40 + PAGE);
	CHECK_EQ(at(0)->seq, 1);
	for (int b = 0; b < PAGE; b++)
		CHECK_EQ((char)at(0)->buf[b], submit_pattern(PAGE + b));
	for (int i = 0; i < 2; i++) {
		channel_answer_whole(fd, i, DM_USER_RESP_SUCCESS, NULL, 0);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	fixture_end(&t, fd);
}

static void a_write_from_a_hole_takes_whole_answers_and_the_channel_lives(void)
{
	struct target t;
	struct submit s;
	char *pages = pages_before_a_hole();
	struct dm_user_message *answer = (void *)(pages + 1000);

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, PAGE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 40);
	CHECK_EQ(write(fd, pages + 2 * PAGE, 40 + PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(write(fd, pages + 2 * PAGE - 20, 40 + PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(target_status(&t).outstanding, 1);
	*answer = (struct dm_user_message){ .seq = 0, .len = PAGE };
	memset(answer->buf, 7, PAGE);
	CHECK_EQ(write(fd, answer, 40 + PAGE), 40 + PAGE);
	CHECK_EQ(submit_wait(&s), 0);
	for (int b = 0; b < PAGE; b++)
		CHECK_EQ(s.buf[b], 7);
	fixture_end(&t, fd);
}

static void an_answer_that_a_hole_cuts_short_stays_to_be_given(void)
{
	struct target t;
	struct submit s[2];
	char *pages = pages_before_a_hole();
	struct dm_user_message *second = (void *)(pages + PAGE + 1000), *first = second - 1;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, 2, SUBMIT_WRITE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 80 + PAGE);
	*first = (struct dm_user_message){ .seq = 0 };
	*second = (struct dm_user_message){ .seq = 1, .len = PAGE };
	/* the count first, the error with the next call */
	CHECK_EQ(write(fd, first, 80 + PAGE), 40);
	CHECK_EQ(submit_wait(&s[0]), 0);
	CHECK_EQ(write(fd, second, 40 + PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(target_status(&t).outstanding, 1);
	memset(payload, 9, PAGE);
	CHECK_EQ(channel_answer_whole(fd, 1, DM_USER_RESP_SUCCESS, payload, PAGE), 40 + PAGE);
	CHECK_EQ(submit_wait(&s[1]), 0);
	for (int b = 0; b < PAGE; b++)
		CHECK_EQ(s[1].buf[b], 9);
	fixture_end(&t, fd);
}

static void answers_end_before_their_write_waits_for_a_page(void)
{
	struct target t;
	struct submit s[2];
	struct stuck stuck;
	struct dm_user_message answer;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	queue(s, &t, 2, SUBMIT_WRITE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 80 + PAGE);
	answer = (struct dm_user_message){ .seq = 0 };
	/* the first answer is there, the rest of what the write has to take never comes */
	stuck_start_behind(&stuck, fd, &answer, sizeof(answer));
	CHECK_EQ(submit_wait(&s[0]), 0);
	/* it keeps nobody from answering what it did not get to, nor from failing it */
	CHECK_EQ(channel_answer_whole(fd, 1, DM_USER_RESP_SUCCESS, payload, PAGE), 40 + PAGE);
	CHECK_EQ(submit_wait(&s[1]), 0);
	/* then zeroes come: an answer to 0, once more */
	CHECK_EQ(stuck_end(&stuck), -EINVAL);
	fixture_end(&t, fd);
}

static void fail_ends_a_whole_read_that_waits_for_a_page(void)
{
	struct target t;
	struct submit s;
	struct stuck stuck;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	stuck_start(&stuck, fd, true);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(stuck_end(&stuck), -EIO);
	fixture_end(&t, fd);
}

static void a_read_waits_for_the_first_message_and_hears_of_the_end(void)
{
	struct target t;
	struct submit s;
	struct blocked reader;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	CHECK_EQ(channel_events(fd), POLLOUT);
	blocked_read(&reader, fd, 2 * PAGE);
	submit_start(&s, &t, SUBMIT_WRITE, 0, PAGE);
	CHECK_EQ(blocked_end(&reader), 40 + PAGE);
	channel_answer_whole(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0);
	CHECK_EQ(submit_wait(&s), 0);
	blocked_read(&reader, fd, 2 * PAGE);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(blocked_end(&reader), -ENOTBLK);
	close(fd);
}

static void a_channel_opts_in_beside_waiting_readers_and_writers(void)
{
	struct target t;
	struct submit s[3];
	struct stuck stuck;
	struct blocked reader, opter, writer;
	struct dm_user_message msg;
	/* the byte stream takes one a call, a channel of whole messages both */
	struct dm_user_message answers[] = { { .seq = 1 }, { .seq = 2 } };

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (int i = 0; i < 3; i++) {
		submit_start(&s[i], &t, SUBMIT_WRITE, 0, PAGE);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
	}
	/* a reader sleeps; and a writer's page does not come, for whom the two others wait */
	blocked_read(&reader, fd, 2 * PAGE);
	stuck_start(&stuck, fd, false);
	blocked_opt_in(&opter, fd);
	blocked_write(&writer, fd, answers, sizeof(answers));
	CHECK_EQ(target_status(&t).outstanding, 3);
	/* its page holds seq 0 and SUCCESS, and was begun as a byte stream: one answer */
	CHECK_EQ(stuck_end(&stuck), 40);
	CHECK_EQ(blocked_end(&opter), 0);
	CHECK_EQ(blocked_end(&writer), 80);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, PAGE);
	CHECK_EQ(blocked_end(&reader), 40 + PAGE);
	CHECK_EQ(channel_answer_whole(fd, 3, DM_USER_RESP_SUCCESS, NULL, 0), 40);
	CHECK_EQ(submit_wait(&s[0]), 0);
	fixture_end(&t, fd);
}

static void a_read_takes_no_more_than_max_outstanding(void)
{
	struct target t;
	struct submit s[4];

	target_create_with(&t, 2048, "2 max_outstanding 3");
	int fd = channel_open_batch(&t, O_NONBLOCK);
	for (int i = 0; i < 4; i++) {
		submit_start(&s[i], &t, SUBMIT_READ, i * PAGE, PAGE);
		target_await_queued(&t, i + 1);
	}
	CHECK_EQ(read(fd, buf, sizeof(buf)), 3 * 40);
	CHECK_EQ(read(fd, buf, sizeof(buf)), -1);
	CHECK_EQ(errno, EAGAIN);
	channel_answer_whole(fd, 0, DM_USER_RESP_SUCCESS, payload, PAGE);
	CHECK_EQ(read(fd, buf, sizeof(buf)), 40);
	CHECK_EQ(at(0)->seq, 3);
	for (int i = 0; i < 4; i++) {
		if (i)
			channel_answer_whole(fd, i, DM_USER_RESP_SUCCESS, payload, PAGE);
		CHECK_EQ(submit_wait(&s[i]), 0);
	}
	fixture_end(&t, fd);
}

const struct test_case batch_cases[] = {
	CASE(a_read_carries_all_that_waits_and_fits),
	CASE(what_does_not_fit_stays_for_the_next_read_or_another_channel),
	CASE(a_write_takes_many_answers_in_any_order),
	CASE(readv_and_writev_cut_messages_anywhere),
	CASE(a_wrong_len_breaks_a_channel_of_whole_messages),
	CASE(a_part_of_an_answer_breaks_a_channel_of_whole_messages),
	CASE(an_unknown_seq_or_type_breaks_a_channel_of_whole_messages),
	CASE(what_stood_before_a_bad_answer_was_taken),
	CASE(a_flush_that_was_answered_before_a_bad_answer_counts),
	CASE(what_a_broken_channel_of_whole_messages_had_goes_out_again),
	CASE(a_read_into_a_hole_takes_whole_messages_and_loses_none),
	CASE(a_write_from_a_hole_takes_whole_answers_and_the_channel_lives),
	CASE(an_answer_that_a_hole_cuts_short_stays_to_be_given),
	CASE(answers_end_before_their_write_waits_for_a_page),
	CASE(fail_ends_a_whole_read_that_waits_for_a_page),
	CASE(a_read_waits_for_the_first_message_and_hears_of_the_end),
	CASE(a_channel_opts_in_beside_waiting_readers_and_writers),
	CASE(a_read_takes_no_more_than_max_outstanding),
	{ 0 },
};
