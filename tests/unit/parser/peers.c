// SPDX-License-Identifier: Apache-2.0
/* A parser in a process of its own, and the two that it stands between; see peers.h. */
#include "peers.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct peers peers;

void peers_start(void (*be_parser)(int link))
{
	int link[2], client[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
	peers.pid = fork();
	assert_int_not_equal(peers.pid, -1);
	if (peers.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(PATIENCE_MS / 1000);
		be_parser(link[1]);
		_exit(99);
	}
	close(link[1]);
	peers.link = link[0];
	peers.client = client[0];
	peers.peer = client[1];
}

int peers_stop(void **state)
{
	int fds[] = { peers.link, peers.client, peers.peer };

	fd_close_many(fds, ARRAY_SIZE(fds));
	if (peers.pid > 0) {
		kill(peers.pid, SIGKILL);
		waitpid(peers.pid, NULL, 0);
	}
	peers = (struct peers){ .link = -EBADF, .client = -EBADF, .peer = -EBADF };
	return 0;
}

void close_fd(int *fd)
{
	closep(fd);
	*fd = -EBADF;
}

void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

void order_with(uint32_t version, uint32_t command, const int *fd)
{
	struct parser_order order = { .version = version, .command = command };

	assert_int_equal(fd_send(peers.link, &order, sizeof(order), fd, fd ? 1 : 0, 0), 0);
}

void next(void)
{
	order_with(PARSER_MESSAGE_VERSION, PARSER_NEXT, NULL);
}

void assign(void)
{
	order_with(PARSER_MESSAGE_VERSION, PARSER_ASSIGN_CLIENT, &peers.peer);
	close_fd(&peers.peer);
}

void client_sends(const char *bytes, size_t size, const int *fds, size_t n_fds)
{
	assert_int_equal(fd_send(peers.client, bytes, size, fds, n_fds, 0), 0);
}

const struct parser_message *told_with_fds(int *fds, size_t max_fds)
{
	size_t n_fds = 0;

	wait_for(peers.link, POLLIN);
	assert_int_equal(fd_recv_exact(peers.link, &peers.message, sizeof(peers.message), fds,
				       max_fds, &n_fds, 0),
			 0);
	assert_int_equal(n_fds, peers.message.n_fds);
	assert_int_equal(peers.message.version, PARSER_MESSAGE_VERSION);
	return &peers.message;
}

void told_request(enum parser_method method)
{
	assert_int_equal(told_with_fds(NULL, 0)->event, PARSER_REQUEST);
	assert_int_equal(peers.message.method, method);
}

void told_refusal(enum parser_refusal refusal, bool fatal, const char *text)
{
	expect_refusal(told_with_fds(NULL, 0), refusal, fatal, text);
}

void told_end(void)
{
	assert_int_equal(told_with_fds(NULL, 0)->event, PARSER_END);
}

void exits_with(int expected)
{
	int status;

	/* Its own alarm bounds this. */
	assert_int_equal(waitpid(peers.pid, &status, 0), peers.pid);
	peers.pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
}

void ends_well(void)
{
	close_fd(&peers.link);
	exits_with(0);
}

void is_closed(int fd)
{
	char byte;

	wait_for(fd, POLLIN);
	assert_int_equal(read(fd, &byte, 1), 0);
}

void assign_manifest(const char *bytes, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("manifest", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	order_with(PARSER_MESSAGE_VERSION, PARSER_ASSIGN_MANIFEST, &fd);
}

struct witness witness_new(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	return (struct witness){ .seen = fds[0], .sent = fds[1] };
}

void witness_sees_all_closed(struct witness *w)
{
	is_closed(w->seen);
	close(w->seen);
}
