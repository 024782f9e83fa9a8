// SPDX-License-Identifier: Apache-2.0
/* One supervisor at a time; see sole.h. Writes nothing into what it locks. */
#include "dmuserd/supervisor/sole.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sys/file.h>

static int lock(int dir, const char *path, int flags, int *ret_fd)
{
	_cleanup_(closep) int fd = openat(dir, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int sole_in_run_dir(const char *run_dir, int *ret_fd)
{
	_cleanup_(closep) int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : lock(dir, "dmuserd.lock", O_RDWR | O_CREAT, ret_fd);
}

int sole_on_machine(const char *control, int *ret_fd)
{
	int r = lock(AT_FDCWD, control, O_RDONLY, ret_fd);

	/* No node, or one that nobody serves yet. */
	return r == -ENOENT || r == -ENXIO ? -ENODEV : r;
}
