// SPDX-License-Identifier: Apache-2.0
/*
 * What another thread or child is at, as the kernel sees it: /proc shows the system call of one
 * thread that sleeps, and "running" of one that does not.
 */
#include "thread.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "case.h"

static long thread_call(int tid)
{
	char path[64], line[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	ssize_t n = read(file, line, sizeof(line) - 1);
	close(file);
	line[n > 0 ? n : 0] = 0;
	return line[0] >= '0' && line[0] <= '9' ? strtol(line, NULL, 10) : -1;
}

void thread_await_call(const atomic_int *tid, long call)
{
	/* the case's own deadline ends this */
	while (!*tid || thread_call(*tid) != call)
		poll(NULL, 0, 1);
}
