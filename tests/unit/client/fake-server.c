// SPDX-License-Identifier: Apache-2.0
/* A scripted Varlink server in a process of its own; see fake-server.h. */
#include "fake-server.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* A script that waits for what never comes ends here, and its test fails. */
#define SCRIPT_MAX_SECONDS 20

static void fail(const char *what)
{
	fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
	_exit(FAKE_SCRIPT_FAILED);
}

/* Of the server's process. */
static int listening;

int fake_accept(void)
{
	int fd = accept(listening, NULL, NULL);

	if (fd < 0)
		fail("accept");
	return fd;
}

static void run_script(int listener, fake_script script)
{
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(SCRIPT_MAX_SECONDS);
	if (!script) {
		pause();
		_exit(0);
	}
	listening = listener;
	fd = fake_accept();
	script(fd);
	close(fd);
	_exit(0);
}

void fake_server_start(struct fake_server *server, fake_script script)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int listener;

	strcpy(server->directory, "/tmp/dmuser-client-XXXXXX");
	if (!mkdtemp(server->directory))
		abort();
	snprintf(server->address, sizeof(server->address), "%s/socket", server->directory);
	strcpy(sa.sun_path, server->address);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A backlog of 0 holds one connection, so that a second one has to wait. */
	if (listener < 0 || bind(listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(listener, 0) < 0)
		abort();
	fflush(NULL);
	server->pid = fork();
	if (server->pid < 0)
		abort();
	if (server->pid == 0)
		run_script(listener, script);
	close(listener);
}

int fake_server_end(struct fake_server *server)
{
	int status = 0;

	waitpid(server->pid, &status, 0);
	unlink(server->address);
	rmdir(server->directory);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *fake_expect_call(int socket, int *fds, size_t *n_fds)
{
	static char text[64 * 1024];
	size_t size = 0;

	if (n_fds)
		*n_fds = 0;
	do {
		size_t came = 0;
		ssize_t n = fd_recv(socket, text + size, sizeof(text) - size, fds,
				    size == 0 && n_fds ? 8 : 0, &came, 0);

		if (n <= 0) {
			errno = (int)-n;
			fail("a call was to come");
		}
		if (size == 0 && n_fds)
			*n_fds = came;
		size += (size_t)n;
	} while (text[size - 1] != 0);
	return text;
}

void fake_expect_text(int socket, const char *text)
{
	const char *call = fake_expect_call(socket, NULL, NULL);

	if (strcmp(call, text) != 0) {
		fprintf(stderr, "came: %s\nnot:  %s\n", call, text);
		_exit(FAKE_SCRIPT_FAILED);
	}
}

void fake_reply(int socket, const char *text, const int *fds, size_t n_fds)
{
	if (fd_send(socket, text, strlen(text) + 1, fds, n_fds, 0) < 0)
		fail("reply");
}

void fake_send(int socket, const char *bytes, size_t size)
{
	if (fd_send(socket, bytes, size, NULL, 0, 0) < 0)
		fail("send");
}

void fake_expect_close(int socket)
{
	char byte;

	if (recv(socket, &byte, 1, 0) != 0)
		fail("the client was to close");
}

void fake_wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, -1) != 1)
		fail("poll");
}
