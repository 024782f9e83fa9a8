// SPDX-License-Identifier: Apache-2.0
/*
 * Becoming a daemon; see daemon.h. Owns no state. Trusts the environment that root started it in.
 */
#include "dmuserd/spawner/daemon.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Waits for the daemon's byte; if it dies without one, its end of the pipe closes. */
_Noreturn static void wait_for_daemon(int fd)
{
	char byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	_exit(got == 1 ? 0 : 1);
}

/* Twice: the first child leads the new session, the second can never get a terminal. */
int daemon_detach(int *ret_ready_fd)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(fds[1]);
		wait_for_daemon(fds[0]);
	}
	close(fds[0]);
	if (setsid() < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		_exit(0);
	*ret_ready_fd = fds[1];
	return 0;
}

int daemon_ready(int ready_fd, int null_fd)
{
	ssize_t written;

	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null_fd, fd) < 0)
			return -errno;
	written = write(ready_fd, "", 1);
	close(ready_fd);
	/* Whoever waited may have been killed; the daemon is none the worse. */
	return written == 1 || errno == EPIPE ? 0 : -errno;
}

int daemon_notify(void)
{
	static const char state[] = "READY=1";
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = -EBADF;
	socklen_t size;

	if (!path)
		return 0;
	if (strlen(path) >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -EINVAL;
	memcpy(address.sun_path, path, strlen(path));
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	/* An abstract name begins with a NUL, written "@". */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return 0;
}
