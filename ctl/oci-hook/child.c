// SPDX-License-Identifier: Apache-2.0
/* Work that may hang, in a process that can be given up; see child.h. */
#include "ctl/oci-hook/child.h"
#include "api/client/deadline.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A killed child that waits for a device does not end at once; it is left to init then. */
#define REAP_MS 1000

__attribute__((noreturn)) static void child_main(pid_t hook, child_work work, void *argument,
						 int link, struct trouble *shared)
{
	int fd = -EBADF, r;

	/* Nothing of this may go on when the hook is gone, or was before this was said. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != hook)
		_exit(1);
	r = work(argument, &fd, shared);
	fd_send(link, &r, sizeof(r), &fd, fd >= 0, 0);
	_exit(0);
}

static void child_end(pid_t pid)
{
	_cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	kill(pid, SIGKILL);
	if (pidfd >= 0 && deadline_wait_fd(pidfd, POLLIN, deadline_after_ms(REAP_MS)) == 0)
		waitpid(pid, NULL, 0);
}

/* The child's answer, or why there is none. */
static int child_wait(int link, uint64_t deadline, int *ret_fd, struct trouble *t)
{
	int result, fd = -EBADF, r;
	size_t n_fds = 0;

	r = deadline_wait_fd(link, POLLIN, deadline);
	if (r < 0) {
		trouble_hint(t, "does the volume's worker answer? see 'dmuserctl show' and the "
				"journal");
		return trouble_set_errno(t, r, "this takes too long");
	}
	r = fd_recv_exact(link, &result, sizeof(result), &fd, 1, &n_fds, 0);
	if (r < 0)
		return trouble_set(t, -ECHILD, "the process that did this died");
	if (result == 0 && ret_fd)
		*ret_fd = take_fd(&fd);
	closep(&fd);
	return result;
}

int child_run(child_work work, void *argument, uint64_t deadline, int *ret_fd, struct trouble *t)
{
	_cleanup_(closep) int ours = -EBADF;
	struct trouble *shared;
	pid_t hook = getpid(), pid;
	int link[2], r;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return trouble_set_errno(t, -errno, "no memory for a child");
	*shared = *t;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0) {
		r = trouble_set_errno(t, -errno, "no link to a child");
		munmap(shared, sizeof(*shared));
		return r;
	}
	ours = link[0];
	pid = fork();
	if (pid == 0) {
		close(link[0]);
		child_main(hook, work, argument, link[1], shared);
	}
	r = pid < 0 ? -errno : 0;
	close(link[1]);
	if (r == 0) {
		r = child_wait(ours, deadline, ret_fd, shared);
		child_end(pid);
	} else {
		trouble_set_errno(shared, r, "no child can be started");
	}
	*t = *shared;
	munmap(shared, sizeof(*shared));
	return r;
}
