// SPDX-License-Identifier: Apache-2.0
/*
 * What a target tells of its requests: the message `stats`, and the tracepoints.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

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

#define TRACING "/sys/kernel/tracing"

static void trace_set(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "/%s", file);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static void trace_start(void)
{
	if (access(TRACING "/events", F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/events", F_OK)) {
		fprintf(stderr, "this kernel has no tracefs\n");
		exit(SKIPPED);
	}
	trace_set("trace", "");
	trace_set("events/dm_user/enable", "1");
}

/* The first line behind `*where` that has all of it; `*where` moves behind that line. */
static void trace_expect(char **where, const char *event, const char *what)
{
	char *line;

	while ((line = strsep(where, "\n"))) {
		if (strstr(line, event) && strstr(line, what))
			return;
	}
	fprintf(stderr, "no %s with '%s'\n", event, what);
	exit(1);
}

static char *trace_stop(void)
{
	static char text[65536];
	size_t n = 0;
	ssize_t got;

	trace_set("events/dm_user/enable", "0");
	int fd = open(TRACING "/trace", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(fd);
	trace_set("trace", "");
	return text;
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

	snprintf(what, sizeof(what), "%s seq=-1 type=WRITE sector=8 len=512", t.name);
	trace_expect(&where, "dm_user_map:", what);
	snprintf(what, sizeof(what), "%s channel=0 seq=0 type=WRITE repeat=0", t.name);
	trace_expect(&where, "dm_user_deliver:", what);
	snprintf(what, sizeof(what), "%s seq=0 type=WRITE sector=8 len=512", t.name);
	trace_expect(&where, "dm_user_timeout:", what);
	trace_expect(&where, "dm_user_requeue:", what);
	snprintf(what, sizeof(what), "%s channel=1 seq=0 type=WRITE repeat=1", t.name);
	trace_expect(&where, "dm_user_deliver:", what);
	snprintf(what, sizeof(what), "%s channel=1 seq=0 type=WRITE response=UNSUPPORTED", t.name);
	trace_expect(&where, "dm_user_answer:", what);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case stats_cases[] = {
	CASE(each_operation_has_its_own_counters),
	CASE(errors_and_failures_are_counted_apart),
	CASE(the_histogram_has_how_long_it_took),
	CASE(reset_stats_begins_again_and_leaves_the_status),
	CASE(statistics_are_whole_while_requests_are_answered),
	CASE(tracepoints_tell_a_requests_life),
	{ 0 },
};
