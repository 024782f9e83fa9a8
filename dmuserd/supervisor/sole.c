// SPDX-License-Identifier: Apache-2.0
/*
 * One supervisor at a time; see sole.h. Writes nothing into what it locks.
 *
 * Who holds a lock is told by the kernel (/proc/locks), and which directory it serves by the lock that it has
 * open there: both are hints for a person, and whatever cannot be seen is left out.
 */
#include "dmuserd/supervisor/sole.h"
#include "util/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "7: FLOCK  ADVISORY  WRITE 4711 00:1a:1234 0 EOF"; 0 if it is another lock than on st. */
static pid_t parse_lock(const char *line, const struct stat *st)
{
	unsigned int major, minor;
	uint64_t inode;
	int pid;

	if (sscanf(line, "%*u: FLOCK ADVISORY WRITE %d %x:%x:%" SCNu64, &pid, &major, &minor, &inode) != 4)
		return 0;
	return inode == st->st_ino && makedev(major, minor) == st->st_dev && pid > 0 ? pid : 0;
}

static pid_t find_holder(int fd)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/locks", "re");
	char line[256];
	struct stat st;
	pid_t pid = 0;

	if (!file || fstat(fd, &st) < 0)
		return 0;
	while (pid == 0 && fgets(line, sizeof(line), file))
		pid = parse_lock(line, &st);
	return pid;
}

/* The directory of the lock that `name`, one of a process's descriptors, has open. */
static bool is_of_run_dir(int fds, const char *name, size_t size, char *ret_run_dir)
{
	static const char end[] = "/" SOLE_LOCK;
	char target[PATH_MAX];
	ssize_t n = readlinkat(fds, name, target, sizeof(target));
	size_t length;

	if (n <= (ssize_t)strlen(end) || n == (ssize_t)sizeof(target))
		return false;
	length = (size_t)n - strlen(end);
	if (memcmp(target + length, end, strlen(end)) != 0)
		return false;
	snprintf(ret_run_dir, size, "%.*s", (int)length, target);
	return true;
}

static bool find_run_dir(pid_t pid, size_t size, char *ret_run_dir)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (is_of_run_dir(dirfd(dir), entry->d_name, size, ret_run_dir))
			return true;
	return false;
}

static void describe_holder(int fd, char ret_holder[SOLE_HOLDER_SIZE])
{
	char run_dir[SOLE_HOLDER_SIZE - 32];
	pid_t pid = find_holder(fd);

	if (pid == 0)
		snprintf(ret_holder, SOLE_HOLDER_SIZE, "its pid cannot be seen from here");
	else if (find_run_dir(pid, sizeof(run_dir), run_dir))
		snprintf(ret_holder, SOLE_HOLDER_SIZE, "pid %d, run_dir %s", pid, run_dir);
	else
		snprintf(ret_holder, SOLE_HOLDER_SIZE, "pid %d", pid);
}

static int lock(int dir, const char *path, int flags, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE])
{
	_cleanup_(closep) int fd = openat(dir, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = errno == EWOULDBLOCK ? -EBUSY : -errno;

		if (r == -EBUSY && ret_holder)
			describe_holder(fd, ret_holder);
		return r;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int sole_in_run_dir(const char *run_dir, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE])
{
	_cleanup_(closep) int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : lock(dir, SOLE_LOCK, O_RDWR | O_CREAT, ret_fd, ret_holder);
}

int sole_on_machine(const char *control, int *ret_fd, char ret_holder[SOLE_HOLDER_SIZE])
{
	int r = lock(AT_FDCWD, control, O_RDONLY, ret_fd, ret_holder);

	/* No node, or one that nobody serves yet. */
	return r == -ENOENT || r == -ENXIO ? -ENODEV : r;
}
