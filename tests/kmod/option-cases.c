// SPDX-License-Identifier: Apache-2.0
/*
 * Table options, by what they do to requests. What a table may say, and how it is shown,
 * tests/kmod/run checks with dmsetup.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blocked.h"
#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void answer(int fd, uint64_t seq)
{
	CHECK_EQ(channel_answer(fd, seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
}

static void max_outstanding_limits_delivery_and_not_mapping(void)
{
	struct target t;
	struct submit s[6];
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 max_outstanding 2");
	int fd = channel_open(&t, O_NONBLOCK), other = channel_open(&t, O_NONBLOCK);
	for (int i = 0; i < 6; i++) {
		submit_start(&s[i], &t, SUBMIT_WRITE, i * 512, 512);
		target_await_queued(&t, i + 1);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_events(fd), POLLOUT);
	CHECK_EQ(channel_next(fd, &msg, payload), -EAGAIN);
	/* each channel has a limit of its own */
	CHECK_EQ(channel_events(other), POLLIN | POLLOUT);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(channel_next(other, &msg, payload), 0);
	CHECK_EQ(channel_next(other, &msg, payload), -EAGAIN);
	CHECK_EQ(target_status(&t).queued, 2);
	/* an answer makes room for one */
	answer(fd, 1);
	CHECK_EQ(channel_events(fd), POLLIN | POLLOUT);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 4);
	CHECK_EQ(channel_next(fd, &msg, payload), -EAGAIN);
	/* and so does a request that failed with its channel */
	close(other);
	CHECK_EQ(submit_wait(&s[2]), -EIO);
	other = channel_open(&t, O_NONBLOCK);
	CHECK_EQ(channel_next(other, &msg, payload), 0);
	answer(other, 5);
	answer(fd, 0);
	answer(fd, 4);
	for (int i = 0; i < 6; i++)
		if (i != 2)
			CHECK_EQ(submit_wait(&s[i]), i == 3 ? -EIO : 0);
	close(fd);
	fixture_end(&t, other);
}

/* It has read a WRITE's header, of this seq; its payload is there as well. */
static void check_reader(struct blocked *reader, uint64_t seq)
{
	struct dm_user_message msg;

	CHECK_EQ(blocked_end(reader), sizeof(msg));
	memcpy(&msg, reader->buf, sizeof(msg));
	CHECK_EQ(msg.seq, seq);
	CHECK_EQ(channel_read_all(reader->fd, payload, 512, 0), 0);
}

static void a_full_channels_reader_waits_for_its_own_answers_and_takes_nobodys_wake_up(void)
{
	struct target t;
	struct submit s[3];
	struct dm_user_message msg;
	struct blocked on_full, on_other;

	target_create_with(&t, 2048, "2 max_outstanding 1");
	int full = channel_open(&t, 0), other = channel_open(&t, 0);
	submit_start(&s[0], &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(full, &msg, payload), 0);
	/* the full channel's reader sleeps first, so it is the first to be woken */
	blocked_read(&on_full, full, 40);
	blocked_read(&on_other, other, 40);
	submit_start(&s[1], &t, SUBMIT_WRITE, 512, 512);
	check_reader(&on_other, 1);
	submit_start(&s[2], &t, SUBMIT_WRITE, 1024, 512);
	target_await_queued(&t, 1);
	answer(full, 0);
	check_reader(&on_full, 2);
	answer(full, 2);
	answer(other, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	close(full);
	fixture_end(&t, other);
}

static void block_size_is_the_devices(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	int size;

	target_create_with(&t, 2048, "2 block_size 4096");
	int device = open(t.device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	CHECK(device >= 0);
	CHECK_EQ(ioctl(device, BLKSSZGET, &size), 0);
	CHECK_EQ(size, 4096);
	char *buf = aligned_alloc(4096, 4096);
	CHECK_EQ(pread(device, buf, 512, 0), -1);
	CHECK_EQ(errno, EINVAL);
	close(device);
	free(buf);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 4096, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.sector, 8);
	CHECK_EQ(msg.len, 4096);
	answer(fd, msg.seq);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void max_io_kb_is_the_most_that_a_request_has(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	uint64_t done = 0;

	target_create_with(&t, 2048, "2 max_io_kb 12");
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 256 * 1024);
	while (done < 256 * 1024) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK(msg.len <= 12 * 1024);
		CHECK(msg.sector * 512 / 12288 == (msg.sector * 512 + msg.len - 1) / 12288);
		done += msg.len;
		answer(fd, msg.seq);
	}
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

/* Has a range served; checks each piece: at most `most` sectors, cut at multiples of `grain`. */
static void check_range(const struct target *t, enum submit_operation operation, uint64_t type,
			uint64_t most, uint64_t grain)
{
	struct submit s;
	struct dm_user_message msg;
	uint64_t done = 0;
	int fd = channel_open(t, 0), pieces = 0;

	submit_start(&s, t, operation, 0, t->sectors * 512);
	while (done < t->sectors) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(msg.type, type);
		CHECK(msg.len <= most * 512);
		CHECK_EQ(msg.sector % grain, 0);
		CHECK_EQ(msg.len / 512 % grain, 0);
		done += msg.len / 512;
		pieces++;
		answer(fd, msg.seq);
	}
	CHECK_EQ(submit_wait(&s), 0);
	CHECK(pieces >= (int)(t->sectors / most));
	close(fd);
}

static void ranges_are_split_as_the_table_says(void)
{
	struct target t;

	target_create_with(&t, 4096, "6 discard 192:64 secure_erase 192 write_zeroes 320");
	check_range(&t, SUBMIT_DISCARD, DM_USER_REQ_MAP_DISCARD, 192, 64);
	check_range(&t, SUBMIT_SECURE_ERASE, DM_USER_REQ_MAP_SECURE_ERASE, 192, 1);
	check_range(&t, SUBMIT_PUNCH_HOLE, DM_USER_REQ_MAP_WRITE_ZEROES, 320, 1);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_range_over_4_gib_is_cut_at_no_odd_sector(void)
{
	static const struct {
		const char *options;
		uint64_t grain;
	} tables[] = { { "2 block_size 4096", 8 }, { "2 discard 8386560:2048", 2048 } };
	struct target t;

	for (int i = 0; i < 2; i++) {
		/* 10 GiB */
		target_create_with(&t, 20 << 20, tables[i].options);
		check_range(&t, SUBMIT_DISCARD, DM_USER_REQ_MAP_DISCARD, UINT32_MAX >> 9,
			    tables[i].grain);
		check_range(&t, SUBMIT_SECURE_ERASE, DM_USER_REQ_MAP_SECURE_ERASE, UINT32_MAX >> 9,
			    tables[i].grain);
		check_range(&t, SUBMIT_PUNCH_HOLE, DM_USER_REQ_MAP_WRITE_ZEROES, UINT32_MAX >> 9,
			    tables[i].grain);
		CHECK_EQ(target_remove(&t), 0);
	}
}

static void what_is_off_is_not_supported(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create_with(&t, 2048, "6 discard off secure_erase off write_zeroes off");
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_DISCARD, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EOPNOTSUPP);
	submit_start(&s, &t, SUBMIT_SECURE_ERASE, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EOPNOTSUPP);
	submit_start(&s, &t, SUBMIT_PUNCH_HOLE, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EOPNOTSUPP);
	/* zeroes can be written instead */
	submit_start(&s, &t, SUBMIT_ZEROES, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.type, DM_USER_REQ_MAP_WRITE);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(payload[i], 0);
	answer(fd, msg.seq);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_measurement_names_the_target_and_its_options(void)
{
	struct target t;
	char expected[512];

	target_create(&t, 2048);
	char *text = target_measure(&t);
	snprintf(expected, sizeof(expected), ",name=%s;", t.name);
	CHECK(strncmp(text, "target_name=user,target_version=", 32) == 0);
	CHECK(strstr(text, expected));
	free(text);
	CHECK_EQ(target_remove(&t), 0);

	target_create_with(&t, 2048, "6 on_close requeue max_outstanding 9 discard 2048:64");
	text = target_measure(&t);
	snprintf(expected, sizeof(expected),
		 ",name=%s,max_outstanding=9,on_close=requeue,discard=2048:64;", t.name);
	CHECK(strstr(text, expected));
	free(text);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case option_cases[] = {
	CASE(max_outstanding_limits_delivery_and_not_mapping),
	CASE(a_full_channels_reader_waits_for_its_own_answers_and_takes_nobodys_wake_up),
	CASE(block_size_is_the_devices),
	CASE(max_io_kb_is_the_most_that_a_request_has),
	CASE(ranges_are_split_as_the_table_says),
	CASE(a_range_over_4_gib_is_cut_at_no_odd_sector),
	CASE(what_is_off_is_not_supported),
	CASE(a_measurement_names_the_target_and_its_options),
	{ 0 },
};
