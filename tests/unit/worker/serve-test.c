// SPDX-License-Identifier: Apache-2.0
/*
 * Requests through the library: what comes from the channel reaches the backend, and what the backend
 * says reaches the channel, whatever either does. The worker is a child; a socket pair is the channel.
 */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/fake-backend.h"
#include "tests/unit/worker/kernel-side.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct fake *fake;
	int fd; /* the kernel's end */
	pid_t pid;
};

static struct fixture fixture;

static void serve(const struct dmuser_worker_ops *ops, bool read_only)
{
	int fds[2];

	kernel_side_pair(fds);
	fixture.fd = fds[0];
	fixture.pid = fake_serve(fixture.fake, ops, read_only, fds[1]);
}

static int setup(void **state)
{
	fixture = (struct fixture){ .fake = fake_new(), .fd = -1 };
	for (size_t i = 0; i < FAKE_SIZE_BYTES; i++)
		fixture.fake->data[i] = (char)(i * 31 + i / 4096);
	return 0;
}

static int teardown(void **state)
{
	if (fixture.fd >= 0)
		close(fixture.fd);
	if (fixture.pid > 0) {
		kill(fixture.pid, SIGKILL);
		waitpid(fixture.pid, NULL, 0);
	}
	fake_free(fixture.fake);
	return 0;
}

/* Closes the channel and returns what the worker exits with. */
static int end(void)
{
	int status;

	close(fixture.fd);
	fixture.fd = -1;
	status = fake_reap(fixture.pid);
	fixture.pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static uint64_t request(uint64_t type, uint64_t sector, uint64_t len, const void *payload)
{
	return kernel_side_request(fixture.fd, type, 0, sector, len, payload);
}

static void expect(uint64_t seq, uint64_t response)
{
	kernel_side_expect(fixture.fd, seq, response);
}

static void expect_data(uint64_t offset, size_t size)
{
	char *got = malloc(size);

	kernel_side_receive(fixture.fd, got, size);
	assert_memory_equal(got, fixture.fake->data + offset, size);
	free(got);
}

static void a_read_is_answered_with_its_bytes(void **state)
{
	serve(&fake_ops, false);
	expect(request(DM_USER_REQ_MAP_READ, 3, 8192, NULL), DM_USER_RESP_SUCCESS);
	expect_data(3 * 512, 8192);
}

static void the_largest_read_and_write_go_through(void **state)
{
	static char payload[DMUSER_IO_MAX_BYTES];

	serve(&fake_ops, false);
	memset(payload, 0x5a, sizeof(payload));
	expect(request(DM_USER_REQ_MAP_WRITE, 2048, sizeof(payload), payload),
	       DM_USER_RESP_SUCCESS);
	expect(request(DM_USER_REQ_MAP_READ, 1024, sizeof(payload), NULL), DM_USER_RESP_SUCCESS);
	expect_data(1024 * 512, sizeof(payload));
	assert_memory_equal(fixture.fake->data + 2048 * 512, payload, sizeof(payload));
}

static void the_last_sector_belongs_to_the_volume(void **state)
{
	serve(&fake_ops, false);
	expect(request(DM_USER_REQ_MAP_READ, FAKE_SIZE_BYTES / 512 - 1, 512, NULL),
	       DM_USER_RESP_SUCCESS);
	expect_data(FAKE_SIZE_BYTES - 512, 512);
}

static void a_request_torn_into_bytes_is_put_together(void **state)
{
	struct dm_user_message header;
	char payload[512];

	kernel_side_header(DM_USER_REQ_MAP_WRITE, 0, sizeof(payload), &header);
	serve(&fake_ops, false);
	memset(payload, 0x77, sizeof(payload));
	for (size_t i = 0; i < sizeof(header); i++)
		kernel_side_send(fixture.fd, (char *)&header + i, 1);
	for (size_t i = 0; i < sizeof(payload); i++)
		kernel_side_send(fixture.fd, payload + i, 1);
	expect(header.seq, DM_USER_RESP_SUCCESS);
	assert_memory_equal(fixture.fake->data, payload, sizeof(payload));
}

static void ignore_signal(int signal)
{
}

/* A signal handler without SA_RESTART makes reads and writes come back short, or with EINTR. */
static int interrupted_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	const struct sigaction action = { .sa_handler = ignore_signal };
	const struct itimerval often = { { 0, 300 }, { 0, 300 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	return fake_ops.prepare(worker, ret_volume);
}

static void interrupted_calls_lose_nothing(void **state)
{
	static char payload[DMUSER_IO_MAX_BYTES];
	struct dmuser_worker_ops ops = fake_ops;

	ops.prepare = interrupted_prepare;
	ops.n_threads = 1;
	serve(&ops, false);
	for (int round = 0; round < 8; round++) {
		memset(payload, round, sizeof(payload));
		expect(request(DM_USER_REQ_MAP_WRITE, 0, sizeof(payload), payload),
		       DM_USER_RESP_SUCCESS);
		expect(request(DM_USER_REQ_MAP_READ, 0, sizeof(payload), NULL),
		       DM_USER_RESP_SUCCESS);
		expect_data(0, sizeof(payload));
		assert_int_equal(fixture.fake->data[sizeof(payload) - 1], round);
	}
}

static void a_range_beyond_the_volume_fails_and_the_next_request_is_served(void **state)
{
	const uint64_t sectors = FAKE_SIZE_BYTES / 512;
	const struct {
		uint64_t sector, len;
	} wrong[] = { { sectors, 512 },          { sectors - 1, 1024 }, { UINT64_MAX, 512 },
		      { UINT64_MAX / 512, 512 }, { 1, UINT64_MAX },     { 0, FAKE_SIZE_BYTES + 512 } };
	const uint64_t types[] = { DM_USER_REQ_MAP_READ, DM_USER_REQ_MAP_DISCARD,
				   DM_USER_REQ_MAP_WRITE_ZEROES, DM_USER_REQ_MAP_SECURE_ERASE };

	serve(&fake_ops, false);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		for (size_t type = 0; type < sizeof(types) / sizeof(types[0]); type++)
			expect(request(types[type], wrong[i].sector, wrong[i].len, NULL),
			       DM_USER_RESP_ERROR);
	kernel_side_expect_alive(fixture.fd);
}

static void a_write_beyond_the_volume_is_taken_to_its_end_and_fails(void **state)
{
	static char payload[3 * DMUSER_IO_MAX_BYTES / 2];

	serve(&fake_ops, false);
	expect(request(DM_USER_REQ_MAP_WRITE, FAKE_SIZE_BYTES / 512, sizeof(payload), payload),
	       DM_USER_RESP_ERROR);
	kernel_side_expect_alive(fixture.fd);
	assert_int_equal(atomic_load(&fixture.fake->n_writes), 0);
}

static void what_is_larger_than_the_abi_allows_fails_and_keeps_the_stream(void **state)
{
	static char payload[DMUSER_IO_MAX_BYTES + 512];

	serve(&fake_ops, false);
	expect(request(DM_USER_REQ_MAP_WRITE, 0, sizeof(payload), payload), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_READ, 0, sizeof(payload), NULL), DM_USER_RESP_ERROR);
	kernel_side_expect_alive(fixture.fd);
	assert_int_equal(atomic_load(&fixture.fake->n_writes), 0);
}

static void a_read_only_volume_is_not_written(void **state)
{
	char payload[512] = "x";

	serve(&fake_ops, true);
	expect(request(DM_USER_REQ_MAP_WRITE, 0, 512, payload), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_DISCARD, 0, 512, NULL), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_WRITE_ZEROES, 0, 512, NULL), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_SECURE_ERASE, 0, 512, NULL), DM_USER_RESP_ERROR);
	kernel_side_expect_alive(fixture.fd);
	expect(request(DM_USER_REQ_MAP_READ, 0, 512, NULL), DM_USER_RESP_SUCCESS);
	expect_data(0, 512);
	assert_int_equal(atomic_load(&fixture.fake->n_writes), 0);
}

static void operations_on_ranges_reach_the_backend(void **state)
{
	char zeroes[512] = "", erased[512];

	serve(&fake_ops, false);
	memset(erased, 0xee, sizeof(erased));
	expect(request(DM_USER_REQ_MAP_WRITE_ZEROES, 8, 512, NULL), DM_USER_RESP_SUCCESS);
	expect(request(DM_USER_REQ_MAP_SECURE_ERASE, 9, 512, NULL), DM_USER_RESP_SUCCESS);
	assert_memory_equal(fixture.fake->data + 8 * 512, zeroes, 512);
	assert_memory_equal(fixture.fake->data + 9 * 512, erased, 512);
}

static void the_backends_errors_become_answers(void **state)
{
	serve(&fake_ops, false);
	atomic_store(&fixture.fake->result, -EOPNOTSUPP);
	expect(request(DM_USER_REQ_MAP_DISCARD, 0, 512, NULL), DM_USER_RESP_UNSUPPORTED);
	atomic_store(&fixture.fake->result, -ENOSPC);
	expect(request(DM_USER_REQ_MAP_DISCARD, 0, 512, NULL), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_FLUSH, 0, 0, NULL), DM_USER_RESP_ERROR);
}

static void a_failed_read_is_answered_by_a_header_alone(void **state)
{
	serve(&fake_ops, false);
	atomic_store(&fixture.fake->read_result, -EIO);
	expect(request(DM_USER_REQ_MAP_READ, 0, 4096, NULL), DM_USER_RESP_ERROR);
	kernel_side_expect_alive(fixture.fd);
}

static void missing_operations_are_unsupported_but_a_missing_flush_succeeds(void **state)
{
	struct dmuser_worker_ops ops = { .type = "none", .n_threads = 1, .prepare = fake_ops.prepare,
					 .read = fake_ops.read };
	char payload[512] = "";

	serve(&ops, false);
	expect(request(DM_USER_REQ_MAP_DISCARD, 0, 512, NULL), DM_USER_RESP_UNSUPPORTED);
	expect(request(DM_USER_REQ_MAP_WRITE_ZEROES, 0, 512, NULL), DM_USER_RESP_UNSUPPORTED);
	expect(request(DM_USER_REQ_MAP_SECURE_ERASE, 0, 512, NULL), DM_USER_RESP_UNSUPPORTED);
	expect(request(DM_USER_REQ_MAP_WRITE, 0, 512, payload), DM_USER_RESP_ERROR);
	expect(request(DM_USER_REQ_MAP_FLUSH, 0, 0, NULL), DM_USER_RESP_SUCCESS);
}

static void unknown_requests_are_unsupported(void **state)
{
	serve(&fake_ops, false);
	expect(request(DM_USER_REQ_MAP_ZONE_RESET, 0, 512, NULL), DM_USER_RESP_UNSUPPORTED);
	expect(request(UINT64_MAX, 0, 0, NULL), DM_USER_RESP_UNSUPPORTED);
	kernel_side_expect_alive(fixture.fd);
}

static void flags_reach_the_backend_and_unknown_ones_do_no_harm(void **state)
{
	char payload[512] = "";
	uint64_t seq;

	serve(&fake_ops, false);
	seq = kernel_side_request(fixture.fd, DM_USER_REQ_MAP_WRITE, DM_USER_REQ_MAP_FLAG_FUA, 0,
				  512, payload);
	expect(seq, DM_USER_RESP_SUCCESS);
	assert_int_equal(atomic_load(&fixture.fake->flags_seen), DMUSER_REQUEST_FUA);
	seq = kernel_side_request(fixture.fd, DM_USER_REQ_MAP_WRITE_ZEROES,
				  DM_USER_REQ_MAP_FLAG_NOUNMAP, 0, 512, NULL);
	expect(seq, DM_USER_RESP_SUCCESS);
	assert_int_equal(atomic_load(&fixture.fake->flags_seen), DMUSER_REQUEST_NOUNMAP);
	seq = kernel_side_request(fixture.fd, DM_USER_REQ_MAP_WRITE,
				  UINT64_MAX & ~(uint64_t)DM_USER_REQ_MAP_FLAG_FUA, 0, 512, payload);
	expect(seq, DM_USER_RESP_SUCCESS);
	assert_int_equal(atomic_load(&fixture.fake->flags_seen) & DMUSER_REQUEST_FUA, 0);
}

static void all_threads_work_at_the_same_time(void **state)
{
	struct dmuser_worker_ops ops = fake_ops;

	ops.n_threads = 5;
	atomic_store(&fixture.fake->n_together, 5);
	serve(&ops, false);
	/* No read returns before all five are inside. */
	for (int i = 0; i < 5; i++)
		request(DM_USER_REQ_MAP_READ, 0, 512, NULL);
	for (int i = 0; i < 5; i++) {
		struct dm_user_message header;

		kernel_side_receive(fixture.fd, &header, sizeof(header));
		assert_int_equal(header.type, DM_USER_RESP_SUCCESS);
		expect_data(0, 512);
	}
}

static void later_answers_come_in_the_backends_order(void **state)
{
	uint64_t seq[FAKE_LATER_BATCH];

	serve(&fake_later_ops, false);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < FAKE_LATER_BATCH; i++)
			seq[i] = request(DM_USER_REQ_MAP_READ, (uint64_t)i * 8, 1024, NULL);
		for (int i = FAKE_LATER_BATCH - 1; i >= 0; i--) {
			expect(seq[i], DM_USER_RESP_SUCCESS);
			expect_data((uint64_t)i * 8 * 512, 1024);
		}
	}
}

static void the_end_of_the_stream_is_told_from_a_clean_end(void **state)
{
	serve(&fake_ops, false);
	kernel_side_expect_alive(fixture.fd);
	assert_int_equal(end(), DMUSER_EXIT_CHANNEL_READ);
}

/* Linked in the place of read(2): a socket cannot say ENOTBLK, so a chosen end of file does. */
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
static bool end_of_file_is_notblk;

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	ssize_t got = __real_read(fd, buffer, size);

	if (got == 0 && end_of_file_is_notblk) {
		errno = ENOTBLK;
		return -1;
	}
	return got;
}

static void a_target_that_is_gone_is_a_clean_end(void **state)
{
	end_of_file_is_notblk = true;
	serve(&fake_ops, false);
	end_of_file_is_notblk = false;
	kernel_side_expect_alive(fixture.fd);
	assert_int_equal(end(), DMUSER_EXIT_OK);
}

static void a_target_that_is_gone_does_not_wait_for_a_backend_that_hangs(void **state)
{
	end_of_file_is_notblk = true;
	atomic_store(&fixture.fake->n_together, 2);
	serve(&fake_ops, false);
	end_of_file_is_notblk = false;
	request(DM_USER_REQ_MAP_READ, 0, 512, NULL);
	fake_wait_for(&fixture.fake->n_inside, 1);
	assert_int_equal(end(), DMUSER_EXIT_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_read_is_answered_with_its_bytes),
		T(the_largest_read_and_write_go_through),
		T(the_last_sector_belongs_to_the_volume),
		T(a_request_torn_into_bytes_is_put_together),
		T(interrupted_calls_lose_nothing),
		T(a_range_beyond_the_volume_fails_and_the_next_request_is_served),
		T(a_write_beyond_the_volume_is_taken_to_its_end_and_fails),
		T(what_is_larger_than_the_abi_allows_fails_and_keeps_the_stream),
		T(a_read_only_volume_is_not_written),
		T(operations_on_ranges_reach_the_backend),
		T(the_backends_errors_become_answers),
		T(a_failed_read_is_answered_by_a_header_alone),
		T(missing_operations_are_unsupported_but_a_missing_flush_succeeds),
		T(unknown_requests_are_unsupported),
		T(flags_reach_the_backend_and_unknown_ones_do_no_harm),
		T(all_threads_work_at_the_same_time),
		T(later_answers_come_in_the_backends_order),
		T(the_end_of_the_stream_is_told_from_a_clean_end),
		T(a_target_that_is_gone_is_a_clean_end),
		T(a_target_that_is_gone_does_not_wait_for_a_backend_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
