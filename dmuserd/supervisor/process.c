// SPDX-License-Identifier: Apache-2.0
/* Processes by pidfd and start time; see process.h. */
#include "dmuserd/supervisor/process.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

bool process_is_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

int process_pid(int pidfd, pid_t *ret_pid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], line[128];
	int pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pid: %d", &pid) != 1)
			continue;
		if (pid == 0)
			return -EREMOTE;
		if (pid < 0)
			return -ESRCH;
		*ret_pid = pid;
		return 0;
	}
	/* Some other kind of descriptor. */
	return -EBADF;
}

int process_start_time(pid_t pid, uint64_t *ret_start_time)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], text[1024], *field;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	/*
	 * The name, second field, is in parentheses and may hold anything. Start time is the 22nd.
	 */
	field = strrchr(text, ')');
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field || sscanf(field, " %" SCNu64, ret_start_time) != 1)
		return -ESRCH;
	return 0;
}

int process_owner(int pidfd, uid_t *ret_uid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], line[256];
	uid_t uid;
	pid_t pid;
	int r = process_pid(pidfd, &pid);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Uid: %u", &uid) != 1)
			continue;
		/* It was read by pid. */
		if (!process_is_alive(pidfd))
			return -ESRCH;
		*ret_uid = uid;
		return 0;
	}
	return -ESRCH;
}

int process_open(pid_t pid, uint64_t start_time, int *ret_pidfd)
{
	_cleanup_(closep) int pidfd = -EBADF;
	uint64_t found;
	int r;

	if (pid <= 0)
		return -ESRCH;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	/* The pidfd first: then the start time is that of its process, if it is alive after. */
	r = process_start_time(pid, &found);
	if (r < 0)
		return r;
	if (found != start_time || !process_is_alive(pidfd))
		return -ESRCH;
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}
