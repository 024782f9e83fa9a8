// SPDX-License-Identifier: Apache-2.0
/* The run directory; see run-dir.h. Follows no symlink, and takes nothing that others could have made. */
#include "dmuserd/supervisor/run-dir.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>

int run_dir_prepare(const char *run_dir)
{
	_cleanup_(closep) int fd = -EBADF;
	struct stat st;

	/* Clients pass through it to the socket. */
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) ? 0 : -EPERM;
}
