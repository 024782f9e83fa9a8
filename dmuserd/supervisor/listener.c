// SPDX-License-Identifier: Apache-2.0
/*
 * The socket that clients connect to; see listener.h.
 *
 * Called with the run directory's lock held: an old socket there is of a supervisor that has ended.
 */
#include "dmuserd/supervisor/listener.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#define SOCKET_NAME "io.dmuser"
/* The kernel cuts it to net.core.somaxconn. Clients that come at once wait there. */
#define BACKLOG 4096

static int take_passed_on(int n, int *ret_fd)
{
	int fd = SD_LISTEN_FDS_START, flags;

	if (n != 1 || sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int bind_privately(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	return r;
}

/* Nobody can connect before listen(), and by then mode and group are right. */
static int listen_at(const char *path, gid_t group, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	r = bind_privately(fd, &address);
	if (r < 0)
		return r;
	if (group != (gid_t)-1 && (chown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0))
		return -errno;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int listener_open(const char *run_dir, gid_t group, struct listener *ret_listener)
{
	struct listener l = { .fd = -EBADF };
	int n = sd_listen_fds(1), r;

	if (n < 0)
		return n;
	snprintf(l.path, sizeof(l.path), "%s/%s", run_dir, SOCKET_NAME);
	l.own = n == 0;
	r = l.own ? listen_at(l.path, group, &l.fd) : take_passed_on(n, &l.fd);
	if (r < 0)
		return r;
	*ret_listener = l;
	return 0;
}

void listener_close(struct listener *listener)
{
	if (listener->fd >= 0 && listener->own)
		unlink(listener->path);
	closep(&listener->fd);
	listener->fd = -EBADF;
}
