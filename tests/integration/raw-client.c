// SPDX-License-Identifier: Apache-2.0
/*
 * A client without manners: sends what stdin holds, byte for byte, and prints what comes back, a message a
 * line.
 *
 *   raw-client [OPTION]… ADDRESS
 *
 *   --replies N     end when N messages have come; otherwise when the peer closes
 *   --chunk N       so many bytes a send
 *   --fd PATH       opened, and sent with the first byte of every chunk (repeatable)
 *   --pidfd PID     the same with a pidfd
 *   --dead-pidfd    the same with that of a process which has ended
 *   --times N       each of these descriptors N times
 *   --endless       what stdin holds over and over, until the peer closes; then says how many bytes that took
 *   --besides N     open so many other connections first, and keep them, whatever the peer does with them
 *   --deaf          read nothing until the peer has closed
 *   --hold          at the end stay connected until a signal comes
 *   --timeout S     for all of it but --hold (20)
 *
 * Exit status: 0 it went so; 3 the peer closed before; 6 the time is over; 1 something here.
 */
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { EXIT_CLOSED = 3, EXIT_LATE = 6 };

struct client {
	int fd;
	long replies; /* to come; < 0: no matter how many */
	size_t chunk;
	long times;
	long besides;
	bool deaf, hold, endless;
	int fds[FD_MESSAGE_MAX];
	size_t n_fds;
	char input[4 * 1024 * 1024];
	size_t size, sent;
	unsigned long long rounds; /* endless: that are over */
};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "raw-client: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void on_alarm(int signal)
{
	_exit(EXIT_LATE);
}

static void take_fd_option(struct client *c, int fd)
{
	if (fd < 0)
		fail("a descriptor");
	if (c->n_fds == FD_MESSAGE_MAX) {
		errno = E2BIG;
		fail("descriptors");
	}
	c->fds[c->n_fds++] = fd;
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0U);
}

/* Not reaped, so that its pid stays its own. */
static int open_dead_pidfd(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		fail("a child");
	return open_pidfd(pid);
}

static void multiply_fds(struct client *c)
{
	size_t n = c->n_fds;

	for (long i = 1; i < c->times; i++)
		for (size_t k = 0; k < n; k++)
			take_fd_option(c, c->fds[k]);
}

/* Waits while the peer's backlog is full. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail(path);
	return fd;
}

static void read_input(struct client *c)
{
	ssize_t n;

	while ((n = read(STDIN_FILENO, c->input + c->size, sizeof(c->input) - c->size)) > 0)
		c->size += (size_t)n;
	if (n < 0 || c->size == sizeof(c->input))
		fail("stdin");
}

/* What the peer takes now; whether it has closed shows in poll. Chunks with descriptors go as a whole. */
static void send_chunk(struct client *c)
{
	size_t size = c->size - c->sent < c->chunk ? c->size - c->sent : c->chunk;
	const char *from = c->input + c->sent;
	ssize_t n;

	if (c->n_fds > 0)
		n = fd_send(c->fd, from, size, c->fds, c->n_fds, 0) == 0 ? (ssize_t)size : -1;
	else
		n = send(c->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		c->sent += (size_t)n;
	if (c->endless && c->sent == c->size) {
		c->sent = 0;
		c->rounds++;
	}
}

/* False: the peer has closed. */
static bool receive(struct client *c)
{
	char text[65536];
	ssize_t n = recv(c->fd, text, sizeof(text), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	for (ssize_t i = 0; i < n; i++) {
		if (text[i] == '\0' && c->replies > 0)
			c->replies--;
		putchar(text[i] ? text[i] : '\n');
	}
	fflush(stdout);
	return true;
}

static bool is_done(const struct client *c)
{
	return c->sent == c->size && c->replies == 0;
}

static int talk(struct client *c)
{
	while (!is_done(c)) {
		struct pollfd p = { .fd = c->fd };

		if (!c->deaf)
			p.events |= POLLIN;
		if (c->sent < c->size)
			p.events |= POLLOUT;
		if (poll(&p, 1, -1) < 0)
			fail("poll");
		if (p.revents & POLLOUT)
			send_chunk(c);
		/* One that has closed may have said something before. */
		if (p.revents & (POLLIN | POLLHUP | POLLERR) && !receive(c))
			return c->replies < 0 ? EXIT_SUCCESS : EXIT_CLOSED;
	}
	return EXIT_SUCCESS;
}

static void take_options(struct client *c, int argc, char **argv, unsigned int *ret_timeout)
{
	static const struct option known[] = {
		{ "replies", required_argument, NULL, 'r' },
		{ "chunk", required_argument, NULL, 'c' },
		{ "fd", required_argument, NULL, 'f' },
		{ "pidfd", required_argument, NULL, 'p' },
		{ "dead-pidfd", no_argument, NULL, 'd' },
		{ "times", required_argument, NULL, 't' },
		{ "endless", no_argument, NULL, 'e' },
		{ "besides", required_argument, NULL, 'b' },
		{ "deaf", no_argument, NULL, 'D' },
		{ "hold", no_argument, NULL, 'h' },
		{ "timeout", required_argument, NULL, 'T' },
		{},
	};

	for (int option; (option = getopt_long(argc, argv, "", known, NULL)) >= 0;) {
		switch (option) {
		case 'r':
			c->replies = strtol(optarg, NULL, 10);
			break;
		case 'c':
			c->chunk = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			take_fd_option(c, open(optarg, O_RDONLY | O_CLOEXEC));
			break;
		case 'p':
			take_fd_option(c, open_pidfd((pid_t)strtol(optarg, NULL, 10)));
			break;
		case 'd':
			take_fd_option(c, open_dead_pidfd());
			break;
		case 't':
			c->times = strtol(optarg, NULL, 10);
			break;
		case 'e':
			c->endless = true;
			break;
		case 'b':
			c->besides = strtol(optarg, NULL, 10);
			break;
		case 'D':
			c->deaf = true;
			break;
		case 'h':
			c->hold = true;
			break;
		case 'T':
			*ret_timeout = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			exit(EXIT_FAILURE);
		}
	}
}

int main(int argc, char **argv)
{
	static struct client c = { .replies = -1, .chunk = SIZE_MAX, .times = 1 };
	unsigned int timeout = 20;
	int status;

	take_options(&c, argc, argv, &timeout);
	if (optind + 1 != argc) {
		fputs("usage: raw-client [OPTION]... ADDRESS\n", stderr);
		return EXIT_FAILURE;
	}
	multiply_fds(&c);
	signal(SIGALRM, on_alarm);
	alarm(timeout);
	read_input(&c);
	for (; c.besides > 0; c.besides--)
		connect_to(argv[optind]);
	c.fd = connect_to(argv[optind]);
	status = talk(&c);
	alarm(0);
	if (c.endless)
		printf("%llu\n", c.rounds * c.size + c.sent);
	if (status == EXIT_SUCCESS && c.hold)
		pause();
	return status;
}
