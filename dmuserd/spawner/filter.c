// SPDX-License-Identifier: Apache-2.0
/* Compiled seccomp profiles; see filter.h. The kernel checks what is in them. */
#include "dmuserd/spawner/filter.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int filter_read(const char *path, struct sock_fprog *ret_program)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) struct sock_filter *filter = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (size_t)st.st_size % sizeof(*filter) != 0 ||
	    (size_t)st.st_size / sizeof(*filter) > BPF_MAXINSNS)
		return -ENOEXEC;
	filter = malloc((size_t)st.st_size);
	if (!filter)
		return -ENOMEM;
	got = read(fd, filter, (size_t)st.st_size);
	if (got != st.st_size)
		return got < 0 ? -errno : -EIO;
	ret_program->len = (unsigned short)((size_t)st.st_size / sizeof(*filter));
	ret_program->filter = take_ptr(&filter);
	return 0;
}

int filter_load(const struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0 ? -errno : 0;
}
