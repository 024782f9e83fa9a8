// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: a supervisor, a second one after it, and messages that make no sense. The worker
 * is a child that serves connections of a socket pair in turn, as it would those of its link.
 */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/fake-backend.h"
#include "tests/unit/worker/kernel-side.h"

#include "api/worker/control.h"
#include "util/fd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define GENERATION    7
#define N_CONNECTIONS 2
/* What the child exits with when its connections are over and PDEATHSIG is 0, or is not. */
enum { ENDED_CLEARED = 40, ENDED_WITH_DEATH_SIGNAL };

struct fixture {
	struct fake *fake;
	int connections[N_CONNECTIONS]; /* the supervisor's ends */
	int channel[2];
	pid_t pid;
};

static struct fixture fixture;

/* The child: connections at 3 and 4, served one after the other; a resource at 5. */
static void serve_connections(void)
{
	struct dmuser_worker_ops ops = fake_ops;
	struct dmuser_worker *worker;
	int death_signal;

	ops.n_resources = 1;
	alarm(2 * TEST_PATIENCE_S);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker = fake_worker(fixture.fake, &ops, false);
	worker->resources[0] = 5;
	for (int i = 0; i < N_CONNECTIONS; i++) {
		control_serve_connection(worker, 3 + i);
		close(3 + i);
	}
	prctl(PR_GET_PDEATHSIG, &death_signal);
	_exit(death_signal == 0 ? ENDED_CLEARED : ENDED_WITH_DEATH_SIGNAL);
}

static int setup(void **state)
{
	const struct timeval patience = { .tv_sec = TEST_PATIENCE_S };
	int theirs[N_CONNECTIONS];

	fixture = (struct fixture){ .fake = fake_new() };
	kernel_side_pair(fixture.channel);
	for (int i = 0; i < N_CONNECTIONS; i++) {
		int fds[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
		fixture.connections[i] = fds[0];
		theirs[i] = fds[1];
		setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	}
	fixture.pid = fork();
	assert_true(fixture.pid >= 0);
	if (fixture.pid == 0) {
		int high[N_CONNECTIONS];

		for (int i = 0; i < N_CONNECTIONS; i++)
			high[i] = dup2(theirs[i], 100 + i);
		for (int i = 0; i < N_CONNECTIONS; i++)
			dup2(high[i], 3 + i);
		dup2(STDOUT_FILENO, 5);
		fd_close_all_but((int[]){ 0, 1, 2, 3, 4, 5 }, 6);
		serve_connections();
	}
	fd_close_many(theirs, N_CONNECTIONS);
	return 0;
}

static int teardown(void **state)
{
	fd_close_many(fixture.connections, N_CONNECTIONS);
	fd_close_many(fixture.channel, 2);
	if (fixture.pid > 0) {
		kill(fixture.pid, SIGKILL);
		waitpid(fixture.pid, NULL, 0);
	}
	fake_free(fixture.fake);
	return 0;
}

static int wait_for_exit(void)
{
	int status = fake_reap(fixture.pid);

	fixture.pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct worker_message message(uint32_t op)
{
	return (struct worker_message){ .version = WORKER_MESSAGE_VERSION,
					.op = op,
					.generation = GENERATION };
}

/* Sends a request and takes its answer; fd -1: none goes along. */
static struct worker_message ask(int connection, const struct worker_message *request, int fd)
{
	struct worker_message answer;

	assert_int_equal(fd_send(connection, request, sizeof(*request), &fd, fd >= 0, 0), 0);
	assert_int_equal(fd_recv_exact(connection, &answer, sizeof(answer), NULL, 0, NULL, 0), 0);
	assert_int_equal(answer.version, WORKER_MESSAGE_VERSION);
	assert_int_equal(answer.op, request->op);
	assert_int_equal(answer.generation, GENERATION);
	assert_string_equal(answer.uuid, "01234567-89ab-cdef-0123-456789abcdef");
	return answer;
}

static int ask_to_attach(int connection, uint64_t generation, int fd)
{
	struct worker_message request = message(WORKER_CHANNEL);

	request.generation = generation;
	return ask(connection, &request, fd).error;
}

static void expect_attached(int connection, unsigned int attached)
{
	struct worker_message request = message(WORKER_HELLO);

	assert_int_equal(ask(connection, &request, -1).attached, attached);
}

static void a_worker_serves_once_it_has_its_channel(void **state)
{
	expect_attached(fixture.connections[0], 0);
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	expect_attached(fixture.connections[0], 1);
	kernel_side_expect_alive(fixture.channel[0]);
}

static void a_channel_of_another_generation_is_refused(void **state)
{
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION - 1, fixture.channel[1]),
			 -ESTALE);
	expect_attached(fixture.connections[0], 0);
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
}

static void a_second_channel_is_refused_and_closed(void **state)
{
	int second[2];
	char byte;

	kernel_side_pair(second);
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, second[1]), -EBUSY);
	close(second[1]);
	assert_int_equal(recv(second[0], &byte, 1, 0), 0);
	close(second[0]);
	kernel_side_expect_alive(fixture.channel[0]);
}

static void a_channel_message_without_a_channel_is_refused(void **state)
{
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, -1), -EBADF);
	expect_attached(fixture.connections[0], 0);
}

static void resources_come_back(void **state)
{
	struct worker_message request = message(WORKER_RESOURCES), answer;
	struct stat mine, back;
	size_t n_fds;
	int fds[2];

	assert_int_equal(fd_send(fixture.connections[0], &request, sizeof(request), NULL, 0, 0), 0);
	assert_int_equal(
		fd_recv_exact(fixture.connections[0], &answer, sizeof(answer), fds, 2, &n_fds, 0),
		0);
	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(n_fds, 1);
	fstat(STDOUT_FILENO, &mine);
	fstat(fds[0], &back);
	assert_int_equal(mine.st_ino, back.st_ino);
	assert_int_equal(mine.st_dev, back.st_dev);
	close(fds[0]);
}

static void a_new_supervisor_finds_the_volume_being_served(void **state)
{
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	close(fixture.connections[0]);
	fixture.connections[0] = -1;
	kernel_side_expect_alive(fixture.channel[0]);
	expect_attached(fixture.connections[1], 1);
}

static void a_message_of_a_wrong_size_ends_the_connection_and_not_the_worker(void **state)
{
	char byte = 0;

	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	assert_int_equal(send(fixture.connections[0], &byte, 1, 0), 1);
	assert_int_equal(recv(fixture.connections[0], &byte, 1, 0), 0);
	kernel_side_expect_alive(fixture.channel[0]);
	expect_attached(fixture.connections[1], 1);
}

static void too_many_descriptors_end_the_connection_and_not_the_worker(void **state)
{
	struct worker_message request = message(WORKER_HELLO);
	char byte;

	assert_int_equal(fd_send(fixture.connections[0], &request, sizeof(request),
				 (int[]){ 0, 1, 2 }, 3, 0),
			 0);
	assert_int_equal(recv(fixture.connections[0], &byte, 1, 0), 0);
	expect_attached(fixture.connections[1], 0);
}

static void unknown_requests_and_versions_are_refused(void **state)
{
	struct worker_message request = message(99);

	assert_int_equal(ask(fixture.connections[0], &request, -1).error, -EOPNOTSUPP);
	request = message(WORKER_HELLO);
	request.version++;
	assert_int_equal(ask(fixture.connections[0], &request, -1).error, -EPROTONOSUPPORT);
	expect_attached(fixture.connections[0], 0);
}

static void attaching_clears_the_parent_death_signal(void **state)
{
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	fd_close_many(fixture.connections, N_CONNECTIONS);
	assert_int_equal(wait_for_exit(), ENDED_CLEARED);
}

static void without_a_channel_the_parent_death_signal_stays(void **state)
{
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION - 1, fixture.channel[1]),
			 -ESTALE);
	fd_close_many(fixture.connections, N_CONNECTIONS);
	assert_int_equal(wait_for_exit(), ENDED_WITH_DEATH_SIGNAL);
}

static void stop_ends_a_worker_well(void **state)
{
	struct worker_message request = message(WORKER_STOP);

	assert_int_equal(fd_send(fixture.connections[0], &request, sizeof(request), NULL, 0, 0), 0);
	assert_int_equal(wait_for_exit(), DMUSER_EXIT_OK);
}

/* Until the other side has received all that was sent. */
static void wait_until_taken(int socket)
{
	int unread = 1;

	for (int ms = 0; unread > 0; ms++) {
		assert_true(ms < TEST_PATIENCE_S * 1000);
		assert_int_equal(ioctl(socket, SIOCOUTQ, &unread), 0);
		usleep(1000);
	}
}

static void stop_waits_for_what_was_read(void **state)
{
	struct worker_message request = message(WORKER_STOP);
	char data[512], byte;
	uint64_t seq;

	atomic_store(&fixture.fake->n_together, 2);
	assert_int_equal(ask_to_attach(fixture.connections[0], GENERATION, fixture.channel[1]), 0);
	seq = kernel_side_request(fixture.channel[0], DM_USER_REQ_MAP_READ, 0, 0, 512, NULL);
	fake_wait_for(&fixture.fake->n_inside, 1);
	assert_int_equal(fd_send(fixture.connections[0], &request, sizeof(request), NULL, 0, 0), 0);
	wait_until_taken(fixture.connections[0]);
	/* It knows that it is to stop, and waits for the read, which is held until it is let go. */
	assert_int_equal(waitpid(fixture.pid, NULL, WNOHANG), 0);
	atomic_store(&fixture.fake->release, true);
	kernel_side_expect(fixture.channel[0], seq, DM_USER_RESP_SUCCESS);
	kernel_side_receive(fixture.channel[0], data, sizeof(data));
	close(fixture.channel[1]);
	fixture.channel[1] = -1;
	assert_int_equal(recv(fixture.channel[0], &byte, 1, 0), 0);
	assert_int_equal(wait_for_exit(), DMUSER_EXIT_OK);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_worker_serves_once_it_has_its_channel),
		T(a_channel_of_another_generation_is_refused),
		T(a_second_channel_is_refused_and_closed),
		T(a_channel_message_without_a_channel_is_refused),
		T(resources_come_back),
		T(a_new_supervisor_finds_the_volume_being_served),
		T(a_message_of_a_wrong_size_ends_the_connection_and_not_the_worker),
		T(too_many_descriptors_end_the_connection_and_not_the_worker),
		T(unknown_requests_and_versions_are_refused),
		T(attaching_clears_the_parent_death_signal),
		T(without_a_channel_the_parent_death_signal_stays),
		T(stop_ends_a_worker_well),
		T(stop_waits_for_what_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
