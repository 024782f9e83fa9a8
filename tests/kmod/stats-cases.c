// SPDX-License-Identifier: Apache-2.0
/*
 * What a target tells of its requests: the message `stats`, and the tracepoints.
 */
#include <linux/dm-ioctl.h>
#include <pthread.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"
#include "trace.h"

static char payload[PAYLOAD_MAX];

struct stat_line {
	unsigned long long answered, bytes, errors, failed, ns;
	unsigned long long buckets[64];
	unsigned long long in_buckets; /* sum */
};

/* Parses the line of `operation`; each word of it must be understood. */
static struct stat_line stat_of(const struct target *t, const char *operation)
{
	char *answer = target_ask(t, "stats"), *next = answer, *line, *end;
	struct stat_line s = { 0 };
	size_t length = strlen(operation);

	while ((line = strsep(&next, "\n")) &&
	       (strncmp(line, operation, length) || line[length] != ' '))
		;
	CHECK(line);
	unsigned long long *fields[] = { &s.answered, &s.bytes, &s.errors, &s.failed, &s.ns };
	end = line + length;
	for (int i = 0; i < 5; i++)
		*fields[i] = strtoull(end, &end, 10);
	while (*end) {
		unsigned long bucket = strtoul(end, &end, 10);

		CHECK(bucket < 64 && *end == ':');
		s.buckets[bucket] = strtoull(end + 1, &end, 10);
		CHECK(s.buckets[bucket] > 0);
		s.in_buckets += s.buckets[bucket];
	}
	CHECK_EQ(s.in_buckets, s.answered);
	free(answer);
	return s;
}

/* One I/O, answered on `fd` with `type`. */
static void carry(const struct target *t, int fd, enum submit_operation operation, uint64_t len,
		  uint64_t type)
{
	struct submit s;
	struct dm_user_message msg;
	bool reads = operation == SUBMIT_READ && type == DM_USER_RESP_SUCCESS;

	submit_start(&s, t, operation, 0, len);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, type, payload, reads ? len : 0), 0);
	CHECK_EQ(submit_wait(&s) == 0, type == DM_USER_RESP_SUCCESS);
}

static void each_operation_has_its_own_counters(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	carry(&t, fd, SUBMIT_READ, 4096, DM_USER_RESP_SUCCESS);
	carry(&t, other, SUBMIT_READ, 8192, DM_USER_RESP_SUCCESS);
	carry(&t, fd, SUBMIT_WRITE, 512, DM_USER_RESP_SUCCESS);
	carry(&t, fd, SUBMIT_DISCARD, 65536, DM_USER_RESP_SUCCESS);
	carry(&t, fd, SUBMIT_FLUSH, 0, DM_USER_RESP_SUCCESS);

	struct stat_line reads = stat_of(&t, "read"), writes = stat_of(&t, "write");
	CHECK_EQ(reads.answered, 2);
	CHECK_EQ(reads.bytes, 12288);
	CHECK_EQ(reads.errors, 0);
	CHECK_EQ(reads.failed, 0);
	CHECK_EQ(writes.answered, 1);
	CHECK_EQ(writes.bytes, 512);
	CHECK_EQ(stat_of(&t, "discard").answered, 1);
	CHECK_EQ(stat_of(&t, "discard").bytes, 65536);
	CHECK_EQ(stat_of(&t, "flush").answered, 1);
	CHECK_EQ(stat_of(&t, "flush").bytes, 0);
	CHECK_EQ(stat_of(&t, "secure_erase").answered, 0);
	CHECK_EQ(stat_of(&t, "write_zeroes").answered, 0);

	/* a channel that goes leaves its counters */
	close(other);
	CHECK_EQ(stat_of(&t, "read").answered, 2);
	CHECK_EQ(stat_of(&t, "read").bytes, 12288);
	fixture_end(&t, fd);
}

static void errors_and_failures_are_counted_apart(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_ERROR);
	CHECK_EQ(stat_of(&t, "read").answered, 1);
	CHECK_EQ(stat_of(&t, "read").errors, 1);
	CHECK_EQ(stat_of(&t, "read").failed, 0);
	/* delivered, and never answered */
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(stat_of(&t, "write").answered, 0);
	CHECK_EQ(stat_of(&t, "write").failed, 1);
	/* never queued */
	CHECK_EQ(target_message(&t, "fail"), 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(stat_of(&t, "write").failed, 2);
	CHECK_EQ(target_remove(&t), 0);
}

/* Its worker has said SUCCESS, but what it was to make durable went with another one. */
static void a_flush_that_is_doomed_counts_as_failed(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), dies = channel_open(&t, 0);
	carry(&t, dies, SUBMIT_WRITE, 512, DM_USER_RESP_SUCCESS);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	close(dies);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(stat_of(&t, "flush").answered, 1);
	CHECK_EQ(stat_of(&t, "flush").errors, 0);
	CHECK_EQ(stat_of(&t, "flush").failed, 1);
	CHECK_EQ(target_status(&t).errors, 1);
	fixture_end(&t, fd);
}

static void outstanding_is_from_the_delivery_to_the_answers_last_byte(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(channel_read_all(fd, &msg, 1, 0), 0);
	CHECK_EQ(target_status(&t).queued, 0);
	CHECK_EQ(target_status(&t).outstanding, 1);
	CHECK_EQ(channel_read_all(fd, (char *)&msg + 1, 39, 0), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(channel_write_all(fd, &msg, 40, 0), 0);
	CHECK_EQ(channel_write_all(fd, payload, 511, 0), 0);
	CHECK_EQ(target_status(&t).outstanding, 1);
	CHECK_EQ(channel_write_all(fd, payload, 1, 0), 0);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void the_histogram_has_how_long_it_took(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct timespec begin, now;
	unsigned long long took_ns = 0;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	/* from here on, at least 2^27 ns */
	struct timespec mapped;
	clock_gettime(CLOCK_MONOTONIC, &mapped);
	while (took_ns < 1ULL << 27) {
		poll(NULL, 0, 10);
		clock_gettime(CLOCK_MONOTONIC, &now);
		took_ns = (now.tv_sec - mapped.tv_sec) * 1000000000LL + now.tv_nsec - mapped.tv_nsec;
	}
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct stat_line writes = stat_of(&t, "write");
	CHECK(writes.ns >= took_ns);
	CHECK(writes.ns <= (now.tv_sec - begin.tv_sec) * 1000000000ULL + now.tv_nsec -
				  begin.tv_nsec);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(writes.buckets[i], writes.ns >> i == 1);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void reset_stats_begins_again_and_leaves_the_status(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), other = channel_open(&t, 0);
	carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_ERROR);
	carry(&t, other, SUBMIT_READ, 512, DM_USER_RESP_SUCCESS);
	close(other);
	CHECK_EQ(target_message(&t, "reset_stats"), 0);
	CHECK_EQ(stat_of(&t, "read").answered, 0);
	CHECK_EQ(stat_of(&t, "read").errors, 0);
	CHECK_EQ(stat_of(&t, "read").ns, 0);
	CHECK_EQ(target_status(&t).errors, 1);
	carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_SUCCESS);
	CHECK_EQ(stat_of(&t, "read").answered, 1);
	fixture_end(&t, fd);
}

static void statistics_begin_with_the_table(void)
{
	struct target t;
	char next[80];

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_ERROR);
	snprintf(next, sizeof(next), "%s-next", t.name);
	CHECK_EQ(target_load(&t, next), 0);
	CHECK_EQ(stat_of(&t, "read").answered, 1);
	CHECK_EQ(target_suspend(&t, 0), 0);
	CHECK_EQ(target_resume(&t), 0);
	CHECK_EQ(stat_of(&t, "read").answered, 0);
	CHECK_EQ(target_status(&t).errors, 0);
	fixture_end(&t, fd);
}

/* Who asks with too little room gets as much as fits, and device-mapper's word that there is more. */
static void statistics_that_do_not_fit_are_cut_off_and_said_to_be(void)
{
	struct target t;
	bool full = true;

	target_create(&t, 2048);
	char *all = target_ask(&t, "stats");
	for (size_t room = 16; room < 1024; room += 8) {
		char *some = target_ask_with_room(&t, "stats", room, &full);

		CHECK(strlen(some) < room);
		CHECK_EQ(strncmp(all, some, strlen(some)), 0);
		/* what fills it to the last byte may be cut off, for all that device-mapper knows */
		CHECK_EQ(full, strlen(all) + 1 >= room);
		CHECK(full || strlen(some) == strlen(all));
		free(some);
	}
	CHECK(!full);
	free(all);
	CHECK_EQ(target_remove(&t), 0);
}

/* Statistics asked for and reset by one thread while another's requests are answered. */
static void *ask_all_the_time(void *userdata)
{
	const struct target *t = userdata;

	for (int i = 0; i < 300; i++) {
		stat_of(t, "read");
		if (i % 16 == 0)
			CHECK_EQ(target_message(t, "reset_stats"), 0);
	}
	return NULL;
}

static void statistics_are_whole_while_requests_are_answered(void)
{
	struct target t;
	pthread_t thread;

	target_create(&t, 2048);
	CHECK_EQ(pthread_create(&thread, NULL, ask_all_the_time, &t), 0);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		int fd = channel_open(&t, 0);

		for (int i = 0; i < 8; i++)
			carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_SUCCESS);
		close(fd);
	}
	CHECK_EQ(target_remove(&t), 0);
}

/* --- Tracepoints */

/* What was decided is told once it is, so the worker may have been faster: anywhere in the text. */
static void expect_mapped(const char *text, const struct target *t, const char *what)
{
	char *copy = strdup(text), *where = copy, line[256];

	CHECK(copy);
	snprintf(line, sizeof(line), "%s %s", t->name, what);
	trace_expect(&where, "dm_user_map:", line);
	free(copy);
}

static void tracepoints_tell_a_requests_life(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char what[256];

	target_create_with(&t, 2048, "4 on_close requeue request_timeout_ms 2000");
	trace_start();
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 4096, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	TARGET_AWAIT(&t, broken, 1);
	close(fd);
	fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_UNSUPPORTED, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	close(fd);
	char *where = trace_stop();

	expect_mapped(where, &t, "type=WRITE sector=8 len=512 decision=queued");
	snprintf(what, sizeof(what), "%s channel=0 seq=0 type=WRITE repeat=0", t.name);
	trace_expect(&where, "dm_user_deliver:", what);
	snprintf(what, sizeof(what), "%s seq=0 type=WRITE waited_ms=", t.name);
	trace_expect(&where, "dm_user_timeout:", what);
	snprintf(what, sizeof(what), "%s seq=0 type=WRITE sector=8 len=512", t.name);
	trace_expect(&where, "dm_user_requeue:", what);
	snprintf(what, sizeof(what), "%s channel=1 seq=0 type=WRITE repeat=1", t.name);
	trace_expect(&where, "dm_user_deliver:", what);
	snprintf(what, sizeof(what), "%s channel=1 seq=0 type=WRITE response=UNSUPPORTED", t.name);
	trace_expect(&where, "dm_user_answer:", what);
	snprintf(what, sizeof(what), "%s seq=0 type=WRITE result=-5", t.name);
	trace_expect(&where, "dm_user_end:", what);
	CHECK_EQ(target_remove(&t), 0);
}

static void tracepoints_tell_each_end_with_its_result(void)
{
	struct target t;
	struct submit s;
	char what[256];

	target_create(&t, 2048);
	trace_start();
	int fd = channel_open(&t, 0);
	carry(&t, fd, SUBMIT_READ, 512, DM_USER_RESP_SUCCESS);
	carry(&t, fd, SUBMIT_SECURE_ERASE, 512, DM_USER_RESP_UNSUPPORTED);
	/* handed back out of the queue; and, after the resume, failed there */
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	target_await_queued(&t, 1);
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	CHECK_EQ(target_resume(&t), 0);
	target_await_queued(&t, 1);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	/* and refused at once, which is all that is told of it */
	submit_start(&s, &t, SUBMIT_READ, 1024, 512);
	CHECK_EQ(submit_wait(&s), -EIO);
	close(fd);
	char *where = trace_stop();

	expect_mapped(where, &t, "type=READ sector=2 len=512 decision=failed");
	snprintf(what, sizeof(what), "%s seq=0 type=READ result=0", t.name);
	trace_expect(&where, "dm_user_end:", what);
	snprintf(what, sizeof(what), "%s seq=1 type=SECURE_ERASE result=%d", t.name, -EOPNOTSUPP);
	trace_expect(&where, "dm_user_end:", what);
	snprintf(what, sizeof(what), "%s seq=-1 type=WRITE result=%d", t.name, -EREMCHG);
	trace_expect(&where, "dm_user_end:", what);
	snprintf(what, sizeof(what), "%s seq=-1 type=WRITE result=%d", t.name, -EIO);
	trace_expect(&where, "dm_user_end:", what);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case stats_cases[] = {
	CASE(each_operation_has_its_own_counters),
	CASE(errors_and_failures_are_counted_apart),
	CASE(a_flush_that_is_doomed_counts_as_failed),
	CASE(outstanding_is_from_the_delivery_to_the_answers_last_byte),
	CASE(the_histogram_has_how_long_it_took),
	CASE(reset_stats_begins_again_and_leaves_the_status),
	CASE(statistics_begin_with_the_table),
	CASE(statistics_that_do_not_fit_are_cut_off_and_said_to_be),
	CASE(statistics_are_whole_while_requests_are_answered),
	CASE(tracepoints_tell_a_requests_life),
	CASE(tracepoints_tell_each_end_with_its_result),
	{ 0 },
};
