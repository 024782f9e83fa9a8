// SPDX-License-Identifier: Apache-2.0
/*
 * The channel as a byte stream: what a v1 client relies on.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void a_read_ends_at_the_headers_end_and_at_the_payloads_end(void)
{
	static char buf[3 * 4096];
	struct target t;
	struct submit first, second;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&first, &t, SUBMIT_WRITE, 4096, 4096);
	target_await_queued(&t, 1);
	submit_start(&second, &t, SUBMIT_WRITE, 8192, 4096);
	target_await_queued(&t, 2);

	struct dm_user_message *msg = (void *)buf;
	for (uint64_t i = 0; i < 2; i++) {
		CHECK_EQ(read(fd, buf, sizeof(buf)), 40);
		CHECK_EQ(msg->seq, i);
		CHECK_EQ(msg->type, DM_USER_REQ_MAP_WRITE);
		CHECK_EQ(msg->sector, 8 * (i + 1));
		CHECK_EQ(msg->len, 4096);
		CHECK_EQ(read(fd, buf, sizeof(buf)), 4096);
		for (int b = 0; b < 4096; b++)
			CHECK_EQ(buf[b], submit_pattern(4096 * (i + 1) + b));
	}
	CHECK_EQ(channel_answer(fd, 1, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&first), 0);
	CHECK_EQ(submit_wait(&second), 0);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void seq_counts_up_from_0_over_all_channels(void)
{
	struct target t;
	struct dm_user_message msg;
	int fds[3];

	target_create(&t, 2048);
	for (int i = 0; i < 3; i++)
		fds[i] = channel_open(&t, 0);
	for (uint64_t seq = 0; seq < 9; seq++) {
		struct submit s;

		submit_start(&s, &t, SUBMIT_READ, seq * 512, 512);
		CHECK_EQ(channel_next(fds[seq % 3], &msg, payload), 0);
		CHECK_EQ(msg.seq, seq);
		CHECK_EQ(msg.sector, seq);
		CHECK_EQ(channel_answer(fds[seq % 3], seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
		CHECK_EQ(submit_wait(&s), 0);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	CHECK_EQ(target_remove(&t), 0);
}

static void one_byte_reads_and_writes_carry_requests(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 1536);
	CHECK_EQ(channel_read_all(fd, &msg, sizeof(msg), 1), 0);
	CHECK_EQ(msg.len, 1536);
	CHECK_EQ(channel_read_all(fd, payload, 1536, 1), 0);
	for (int i = 0; i < 1536; i++)
		CHECK_EQ(payload[i], submit_pattern(i));
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(channel_write_all(fd, &msg, sizeof(msg), 1), 0);
	CHECK_EQ(submit_wait(&s), 0);

	submit_start(&s, &t, SUBMIT_READ, 512, 1024);
	CHECK_EQ(channel_read_all(fd, &msg, sizeof(msg), 1), 0);
	CHECK_EQ(msg.type, DM_USER_REQ_MAP_READ);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(channel_write_all(fd, &msg, sizeof(msg), 1), 0);
	CHECK_EQ(channel_write_all(fd, payload + 512, 1024, 1), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(memcmp(s.buf, payload + 512, 1024), 0);

	fixture_end(&t, fd);
}

static void a_read_or_write_of_nothing_does_nothing(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(read(fd, payload, 0), 0);
	CHECK_EQ(write(fd, payload, 0), 0);
	fixture_end(&t, fd);
}

static void vectors_may_cut_a_message_anywhere(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char *bytes = (char *)&msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 4096);
	struct iovec header[] = { { bytes, 1 }, { bytes + 1, 0 }, { bytes + 1, 20 },
				  { bytes + 21, 19 }, { payload, 100 } };
	CHECK_EQ(readv(fd, header, 5), 40);
	struct iovec data[] = { { payload, 511 }, { payload + 511, 3000 }, { payload + 3511, 585 } };
	CHECK_EQ(readv(fd, data, 3), 4096);
	for (int i = 0; i < 4096; i++)
		CHECK_EQ(payload[i], submit_pattern(i));
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);

	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	struct iovec answer[] = { { bytes, 39 }, { bytes + 39, 1 }, { payload, 4000 },
				  { payload + 4000, 96 } };
	CHECK_EQ(writev(fd, answer, 4), 40 + 4096);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(memcmp(s.buf, payload, 4096), 0);
	fixture_end(&t, fd);
}

static void what_follows_an_answer_is_the_next_header(void)
{
	struct target t;
	struct submit s[2];
	struct dm_user_message msg[2];

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (int i = 0; i < 2; i++) {
		submit_start(&s[i], &t, SUBMIT_WRITE, 0, 512);
		CHECK_EQ(channel_next(fd, &msg[i], payload), 0);
		msg[i].type = DM_USER_RESP_SUCCESS;
	}
	CHECK_EQ(channel_write_all(fd, msg, sizeof(msg), 0), 0);
	CHECK_EQ(submit_wait(&s[0]), 0);
	CHECK_EQ(submit_wait(&s[1]), 0);
	fixture_end(&t, fd);
}

static void a_short_answer_is_only_incomplete(void)
{
	struct target t;
	struct submit s, other;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 8192, &s, &msg);
	memset(payload, 0x77, 8192);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(write(fd, &msg, sizeof(msg)), 40);
	CHECK_EQ(write(fd, payload, 8191), 8191);

	/* the channel goes on meanwhile: another request is delivered */
	submit_start(&other, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(target_status(&t).outstanding, 2);
	CHECK(!s.done);

	char last = 0x77;
	CHECK_EQ(write(fd, &last, 1), 1);
	CHECK_EQ(submit_wait(&s), 0);
	for (int i = 0; i < 8192; i++)
		CHECK_EQ(s.buf[i], 0x77);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&other), 0);
	fixture_end(&t, fd);
}

static void len_sector_and_flags_of_an_answer_are_ignored(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_READ, 512, &s, &msg);
	msg.type = DM_USER_RESP_SUCCESS;
	msg.len = UINT64_MAX;
	msg.sector = UINT64_MAX;
	msg.flags = UINT64_MAX;
	memset(payload, 0x11, 512);
	CHECK_EQ(channel_write_all(fd, &msg, sizeof(msg), 0), 0);
	CHECK_EQ(channel_write_all(fd, payload, 512, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(s.buf[511], 0x11);
	fixture_end(&t, fd);
}

static void a_large_io_comes_in_pieces_of_1_mib(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	uint64_t seen = 0;

	target_create(&t, 16384);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 512 * 1024, 3 << 20);
	while (seen < 3 << 20) {
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK(msg.len <= DM_USER_MAX_IO_BYTES);
		/* none crosses a multiple of the limit */
		CHECK_EQ(msg.sector / 2048, (msg.sector + msg.len / 512 - 1) / 2048);
		for (uint64_t i = 0; i < msg.len; i += 509)
			CHECK_EQ(payload[i], submit_pattern(msg.sector * 512 + i));
		seen += msg.len;
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	}
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void sector_is_counted_from_the_targets_start(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create_several(&t, 2048, 2);
	strcpy(strrchr(t.node, '-'), "-1");
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, (2048 + 5) * 512, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.sector, 5);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

/* Writes and reads the whole device from several threads, and compares. */
static void exercise(const struct target *t)
{
	enum { PIECES = 16 };
	uint64_t len = t->sectors * 512 / PIECES;
	struct submit s[PIECES];

	for (int i = 0; i < PIECES; i++)
		submit_start(&s[i], t, SUBMIT_WRITE, i * len, len);
	for (int i = 0; i < PIECES; i++) {
		CHECK_EQ(submit_wait(&s[i]), 0);
		free(s[i].buf);
	}
	for (int i = 0; i < PIECES; i++)
		submit_start(&s[i], t, SUBMIT_READ, i * len, len);
	for (int i = 0; i < PIECES; i++) {
		CHECK_EQ(submit_wait(&s[i]), 0);
		for (uint64_t b = 0; b < len; b++)
			CHECK_EQ(s[i].buf[b], submit_pattern(i * len + b));
		free(s[i].buf);
	}
}

static void a_v1_client_with_4_threads_and_4_channels_serves(void)
{
	struct target t;
	struct server server;

	target_create(&t, 8192);
	server_start(&server, &t, 4, false, 0);
	for (int i = 0; i < 10; i++)
		exercise(&t);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

static void a_v1_client_with_4_threads_on_1_channel_serves(void)
{
	struct target t;
	struct server server;

	target_create(&t, 8192);
	server_start(&server, &t, 4, true, 0);
	for (int i = 0; i < 10; i++)
		exercise(&t);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

static void a_v1_client_with_4_threads_and_odd_pieces_serves(void)
{
	struct target t;
	struct server server;

	target_create(&t, 2048);
	server_start(&server, &t, 4, true, 37);
	exercise(&t);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

const struct test_case stream_cases[] = {
	CASE(a_read_ends_at_the_headers_end_and_at_the_payloads_end),
	CASE(seq_counts_up_from_0_over_all_channels),
	CASE(one_byte_reads_and_writes_carry_requests),
	CASE(a_read_or_write_of_nothing_does_nothing),
	CASE(vectors_may_cut_a_message_anywhere),
	CASE(what_follows_an_answer_is_the_next_header),
	CASE(a_short_answer_is_only_incomplete),
	CASE(len_sector_and_flags_of_an_answer_are_ignored),
	CASE(a_large_io_comes_in_pieces_of_1_mib),
	CASE(sector_is_counted_from_the_targets_start),
	CASE(a_v1_client_with_4_threads_and_4_channels_serves),
	CASE(a_v1_client_with_4_threads_on_1_channel_serves),
	CASE(a_v1_client_with_4_threads_and_odd_pieces_serves),
	{ 0 },
};
