// SPDX-License-Identifier: Apache-2.0
/*
 * Deaths: a channel that closes, a target that goes, and what each leaves.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "server.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

static void a_close_fails_what_was_read_and_not_answered(void)
{
	struct target t;
	struct submit s[3];
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (int i = 0; i < 3; i++) {
		submit_start(&s[i], &t, i == 1 ? SUBMIT_WRITE : SUBMIT_READ, i * 4096, 4096);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
	}
	close(fd);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(submit_wait(&s[i]), -EIO);
	CHECK_EQ(target_status(&t).errors, 3);
	CHECK_EQ(target_status(&t).outstanding, 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_close_in_the_middle_of_a_header_or_payload_fails_that_request(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	static const size_t taken[] = { 1, 39, 40, 41, 40 + 4095 };
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		int fd = channel_open(&t, 0);

		submit_start(&s, &t, SUBMIT_WRITE, 0, 4096);
		CHECK_EQ(channel_read_all(fd, payload, taken[i], 0), 0);
		close(fd);
		CHECK_EQ(submit_wait(&s), -EIO);
	}
	/* and half an answer is none */
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(write(fd, &msg, 40), 40);
	CHECK_EQ(write(fd, payload, 4095), 4095);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_close_leaves_the_undelivered_to_the_next_channel(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	/* nobody is there yet: the request waits */
	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	target_await_queued(&t, 1);
	close(channel_open(&t, 0));
	CHECK_EQ(target_status(&t).queued, 1);
	int fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 4096), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_killed_worker_fails_its_requests_and_a_new_one_goes_on(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	int ready[2];
	char byte;

	target_create(&t, 2048);
	CHECK_EQ(pipe(ready), 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	pid_t worker = fork();
	if (worker == 0) {
		int fd = channel_open(&t, 0);

		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(write(ready[1], "", 1), 1);
		pause();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_EQ(kill(worker, SIGKILL), 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(waitpid(worker, NULL, 0), worker);

	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 4096), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_dup_and_a_child_keep_the_channel_alive(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	int go[2];
	char byte;

	target_create(&t, 2048);
	CHECK_EQ(pipe(go), 0);
	int fd = channel_open(&t, 0), copy = dup(fd);
	submit_start(&s, &t, SUBMIT_READ, 0, 4096);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	pid_t child = fork();
	if (child == 0) {
		close(go[1]);
		CHECK_EQ(read(go[0], &byte, 1), 0);
		_exit(channel_answer(copy, msg.seq, DM_USER_RESP_SUCCESS, payload, 4096) != 0);
	}
	close(fd);
	close(copy);
	CHECK_EQ(target_status(&t).channels, 1);
	CHECK_EQ(target_status(&t).outstanding, 1);
	close(go[1]);
	CHECK_EQ(submit_wait(&s), 0);
	await_exit(child, 0);
	CHECK_EQ(target_status(&t).channels, 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void send_channel(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] __attribute__((aligned(8))) = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(socket, &msg, 0), 1);
	CHECK_EQ(close(fd), 0);
}

static int receive_channel(int socket)
{
	char byte, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(socket, &msg, MSG_CMSG_CLOEXEC), 1);
	CHECK(CMSG_FIRSTHDR(&msg) && CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Each process goes on where the other stopped; between them, only a socket holds the channel. */
static void a_channel_goes_to_another_process_in_mid_stream(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg = { 0 };
	int sockets[2];

	target_create(&t, 2048);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		int mine = receive_channel(sockets[1]);
		CHECK_EQ(channel_read_all(mine, (char *)&msg + 20, 20, 0), 0);
		CHECK_EQ(channel_read_all(mine, payload, 512, 0), 0);
		for (int i = 0; i < 512; i++)
			CHECK_EQ(payload[i], submit_pattern(i));
		CHECK_EQ(msg.len, 512);
		/* seq 0, SUCCESS */
		memset(&msg, 0, sizeof(msg));
		CHECK_EQ(channel_write_all(mine, &msg, 20, 0), 0);
		send_channel(sockets[1], mine);
		_exit(0);
	}
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_read_all(fd, &msg, 20, 0), 0);
	CHECK_EQ(msg.seq, 0);
	send_channel(sockets[0], fd);
	await_exit(child, 0);
	/* the child is gone, and what it sent is with nobody yet */
	CHECK_EQ(target_status(&t).channels, 1);
	CHECK_EQ(target_status(&t).outstanding, 1);
	CHECK(!s.done);
	fd = receive_channel(sockets[0]);
	memset(&msg, 0, sizeof(msg));
	CHECK_EQ(channel_write_all(fd, (char *)&msg + 20, 20, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);

	/* one that nobody ever takes out ends with its socket */
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	send_channel(sockets[0], fd);
	CHECK_EQ(target_status(&t).channels, 1);
	close(sockets[0]);
	close(sockets[1]);
	CHECK_EQ(submit_wait(&s), -EIO);
	TARGET_AWAIT(&t, channels, 0);
	CHECK_EQ(target_remove(&t), 0);
}

static void removal_wakes_a_sleeping_reader_with_ENOTBLK(void)
{
	struct target t;
	struct server server;

	target_create(&t, 2048);
	/* each of its threads sleeps in read(), and checks for ENOTBLK */
	server_start(&server, &t, 4, false, 0);
	CHECK_EQ(target_remove(&t), 0);
	server_join(&server);
}

static void a_channel_of_a_removed_target_says_ENOTBLK_and_hangs_up(void)
{
	struct target t;
	char bytes[40] = { 0 };

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(access(t.node, F_OK), -1);
	CHECK_EQ(channel_events(fd), POLLHUP);
	CHECK_EQ(read(fd, bytes, 40), -1);
	CHECK_EQ(errno, ENOTBLK);
	CHECK_EQ(write(fd, bytes, 40), -1);
	CHECK_EQ(errno, ENOTBLK);
	close(fd);
}

static void removal_is_refused_while_the_device_is_open(void)
{
	struct target t;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	int device = open(t.device, O_RDONLY | O_CLOEXEC);
	CHECK(device >= 0);
	CHECK_EQ(target_remove(&t), -EBUSY);
	CHECK_EQ(channel_events(fd), POLLOUT);
	fixture_end(&t, device);
	close(fd);
}

static void a_name_is_free_again_while_old_channels_are_still_open(void)
{
	struct target t, other;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	target_create(&other, 2048);
	int old = channel_open(&t, 0);
	CHECK_EQ(target_remove(&t), 0);
	/* another device's next table takes it */
	CHECK_EQ(target_load(&other, t.name), 0);
	CHECK_EQ(target_resume(&other), 0);
	strcpy(t.device, other.device);
	strcpy(t.name, other.name);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_next(old, &msg, payload), -ENOTBLK);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.seq, 0);
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, payload, 512), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(old);
	fixture_end(&t, fd);
}

static void an_old_nodes_inode_does_not_lead_to_the_next_target(void)
{
	struct target t;
	char path[64];

	target_create(&t, 2048);
	int inode = open(t.node, O_PATH | O_CLOEXEC);
	CHECK(inode >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode);
	close(channel_open(&t, 0));
	CHECK_EQ(target_remove(&t), 0);
	target_create(&t, 2048);
	CHECK_EQ(open(path, O_RDWR | O_CLOEXEC), -1);
	CHECK_EQ(errno, ENXIO);
	fixture_end(&t, inode);
}

static void *open_and_close(void *userdata)
{
	const struct target *t = userdata;

	for (;;) {
		char byte;
		int fd = open(t->node, O_RDWR | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			return NULL;
		if (read(fd, &byte, 1) < 0)
			CHECK(errno == EAGAIN || errno == ENOTBLK);
		close(fd);
	}
}

static void opens_and_closes_race_with_removal(void)
{
	for (int round = 0; round < 5; round++) {
		struct target t;
		pthread_t threads[4];

		target_create(&t, 2048);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, open_and_close, &t), 0);
		CHECK_EQ(target_remove(&t), 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
	}
}

static void two_hundred_targets_live_at_once(void)
{
	enum { N = 200 };
	static struct target targets[N];
	static int fds[N];
	struct dm_user_message msg;
	struct submit s;

	/* more than there are dynamic misc devices before 6.2 */
	for (int i = 0; i < N; i++) {
		target_create(&targets[i], 8);
		fds[i] = channel_open(&targets[i], 0);
	}
	for (int i = 0; i < N; i++) {
		submit_start(&s, &targets[i], SUBMIT_READ, 0, 512);
		CHECK_EQ(channel_next(fds[i], &msg, payload), 0);
		memset(payload, i, 512);
		CHECK_EQ(channel_answer(fds[i], msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
		CHECK_EQ(submit_wait(&s), 0);
		CHECK_EQ(s.buf[511], (char)i);
		free(s.buf);
	}
	for (int i = 0; i < N; i++) {
		CHECK_EQ(target_remove(&targets[i]), 0);
		CHECK_EQ(channel_events(fds[i]), POLLHUP);
		close(fds[i]);
	}
}

/* Objects in the slabs where a target and a channel, or anything near their size, would be. */
static long objects_of_their_size(void)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512], name[64];
	long sum = 0, active;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &active) == 2 &&
		    strncmp(name, "kmalloc-", 8) == 0 &&
		    (strstr(name, "-1k") || strstr(name, "-2k") || strstr(name, "-4k")))
			sum += active;
	}
	fclose(f);
	return sum;
}

static void no_memory_stays_behind(void)
{
	enum { N = 100 };
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	long before = objects_of_their_size();

	for (int i = 0; i < N; i++) {
		target_create(&t, 8);
		int fd = channel_open(&t, 0), broken = channel_open(&t, 0);
		CHECK_EQ(channel_answer(broken, 0, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
		if (i % 10 == 0) {
			submit_start(&s, &t, SUBMIT_READ, 0, 512);
			CHECK_EQ(channel_next(fd, &msg, payload), 0);
			close(fd);
			CHECK_EQ(submit_wait(&s), -EIO);
			free(s.buf);
			fd = -1;
		}
		CHECK_EQ(target_remove(&t), 0);
		close(fd);
		close(broken);
	}
	/* freed objects linger on each processor; leaked ones would be one a round */
	CHECK(objects_of_their_size() - before < N / 2);
}

const struct test_case death_cases[] = {
	CASE(a_close_fails_what_was_read_and_not_answered),
	CASE(a_close_in_the_middle_of_a_header_or_payload_fails_that_request),
	CASE(a_close_leaves_the_undelivered_to_the_next_channel),
	CASE(a_killed_worker_fails_its_requests_and_a_new_one_goes_on),
	CASE(a_dup_and_a_child_keep_the_channel_alive),
	CASE(a_channel_goes_to_another_process_in_mid_stream),
	CASE(removal_wakes_a_sleeping_reader_with_ENOTBLK),
	CASE(a_channel_of_a_removed_target_says_ENOTBLK_and_hangs_up),
	CASE(removal_is_refused_while_the_device_is_open),
	CASE(a_name_is_free_again_while_old_channels_are_still_open),
	CASE(an_old_nodes_inode_does_not_lead_to_the_next_target),
	CASE(opens_and_closes_race_with_removal),
	CASE(two_hundred_targets_live_at_once),
	CASE(no_memory_stays_behind),
	{ 0 },
};
