// SPDX-License-Identifier: Apache-2.0
/* The container that is being made; see container.h. */
#include "ctl/oci-hook/container.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int container_open(pid_t pid, struct container *ret, struct trouble *t)
{
	int pidfd;

	if (pid <= 0) {
		trouble_hint(t, "use this hook as createRuntime: other stages do not tell the pid");
		return trouble_set(t, -ESRCH, "the state names no process");
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return trouble_set_errno(t, -errno, "the container's init, pid %d, cannot be held",
					 pid);
	*ret = (struct container){ .pidfd = pidfd, .userns = -EBADF };
	return 0;
}

void container_close(struct container *container)
{
	closep(&container->pidfd);
	closep(&container->userns);
	*container = (struct container){ .pidfd = -EBADF, .userns = -EBADF };
}

int container_check(const struct container *container, struct trouble *t)
{
	struct pollfd p = { .fd = container->pidfd, .events = POLLIN };

	if (poll(&p, 1, 0) == 0)
		return 0;
	return trouble_set(t, -ESRCH, "the container's init has ended meanwhile");
}

/* Opens /proc/PID/ns/KIND; *ret_same says whether it is this process's too. */
static int open_namespace(pid_t pid, const char *kind, int *ret_fd, bool *ret_same)
{
	_cleanup_(closep) int fd = -EBADF;
	struct stat theirs, ours;
	char path[48], self[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	snprintf(self, sizeof(self), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &theirs) < 0 || stat(self, &ours) < 0)
		return -errno;
	*ret_same = theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
	*ret_fd = take_fd(&fd);
	return 0;
}

int container_open_namespaces(pid_t pid, struct container *container, struct trouble *t)
{
	_cleanup_(closep) int mnt = -EBADF;
	_cleanup_(closep) int user = -EBADF;
	bool same_mnt = true, same_user = true;
	int r;

	r = open_namespace(pid, "mnt", &mnt, &same_mnt);
	if (r == 0)
		r = open_namespace(pid, "user", &user, &same_user);
	if (r < 0) {
		trouble_hint(t, "the hook needs root on the host; it cannot serve a rootless "
				"runtime");
		return trouble_set_errno(t, r, "the container's namespaces cannot be opened");
	}
	r = container_check(container, t);
	if (r < 0)
		return r;
	if (same_mnt)
		return trouble_set(t, -EINVAL, "the container has no mount namespace of its own");
	container->userns = same_user ? -EBADF : take_fd(&user);
	return 0;
}
