// SPDX-License-Identifier: Apache-2.0
/*
 * A short-lived child with a deadline; see errand.h.
 *
 * An errand has two ends: what the child says (its socket closes) and its death (its pidfd). The
 * first one is what the caller waits for; the second belongs to `struct grave`, which lives in the
 * loop as a floating event source until the child can be reaped, however long after the errand is
 * forgotten.
 */
#include "dmuserd/supervisor/errand.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct errand {
	errand_done_fn done;
	void *userdata;
	int link;
	int fd;	   /* the descriptor that came, or -EBADF */
	int pidfd; /* the grave's; valid as long as the child is not reaped */
	struct grave *grave;
	sd_event_source *readable, *deadline;
	char *data;
	size_t size, capacity;
};

struct grave {
	struct errand *errand; /* NULL once it is over */
	int pidfd;
};

int errand_send(int link, const void *data, size_t size, int fd)
{
	const char *bytes = data;
	ssize_t sent;
	int r;

	if (fd >= 0) {
		r = fd_send(link, bytes, 1, &fd, 1, 0);
		if (r < 0)
			return r;
		bytes++;
		size--;
	}
	while (size > 0) {
		sent = send(link, bytes, size, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		}
	}
	return 0;
}

/* Handlers cannot outlive the loop that they serve, and a blocked SIGTERM could not end a child. */
static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(int link, pid_t parent, errand_fn fn, const void *arg)
{
	/*
	 * A child that goes on after its supervisor would change what the next one is looking at.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	reset_signals();

	link = fcntl(link, F_DUPFD_CLOEXEC, 3);
	if (link < 0 || fd_close_all_but(&link, 1) < 0)
		_exit(1);
	/*
	 * 0, 1 and 2 must not become the device-mapper's control node, for a library that prints.
	 */
	for (int i = 0; i < 3; i++)
		if (open("/dev/null", O_RDWR) != i)
			_exit(1);
	fn(link, arg);
	_exit(0);
}

static void grave_destroy(void *userdata)
{
	struct grave *g = userdata;

	if (g->errand) {
		g->errand->grave = NULL;
		g->errand->pidfd = -EBADF;
	}
	closep(&g->pidfd);
	free(g);
}

static int on_child_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid != 0)
		sd_event_source_disable_unref(source);
	return 0;
}

/* Consumes pidfd in every case. */
static int bury(sd_event *event, int pidfd, struct errand *errand)
{
	sd_event_source *source = NULL;
	struct grave *g = calloc(1, sizeof(*g));
	int r;

	if (!g) {
		close(pidfd);
		return -ENOMEM;
	}
	g->pidfd = pidfd;
	r = sd_event_add_io(event, &source, pidfd, EPOLLIN, on_child_ended, g);
	if (r < 0) {
		grave_destroy(g);
		return r;
	}
	sd_event_source_set_destroy_callback(source, grave_destroy);
	g->errand = errand;
	errand->grave = g;
	errand->pidfd = pidfd;
	/*
	 * The loop's own from here on. The loop holds a reference beside the one that is dropped.
	 */
	sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source);
	return 0;
}

static void errand_free(struct errand *e)
{
	sd_event_source_disable_unref(e->readable);
	sd_event_source_disable_unref(e->deadline);
	if (e->grave)
		e->grave->errand = NULL;
	closep(&e->link);
	closep(&e->fd);
	free(e->data);
	free(e);
}

/* Returns 1 when there was something, 0 at the end, or a negative errno (-EAGAIN: nothing now). */
static int receive(struct errand *e)
{
	int fd = -EBADF;
	size_t n_fds = 0;
	ssize_t n;

	if (e->size == e->capacity) {
		size_t capacity = e->capacity ? e->capacity * 2 : 4096;
		char *data = capacity > ERRAND_DATA_MAX ? NULL : realloc(e->data, capacity);

		if (!data)
			return -ENOBUFS;
		e->data = data;
		e->capacity = capacity;
	}
	n = fd_recv(e->link, e->data + e->size, e->capacity - e->size, &fd, 1, &n_fds,
		    MSG_DONTWAIT);
	if (n < 0)
		return (int)n;
	if (n_fds > 0) {
		closep(&e->fd);
		e->fd = fd;
	}
	e->size += (size_t)n;
	return n > 0;
}

/* Everything is freed before the callback runs, so that it may start the next errand. */
static void finish(struct errand *e, int error)
{
	_cleanup_(freep) char *data = take_ptr(&e->data);
	errand_done_fn done = e->done;
	void *userdata = e->userdata;
	size_t size = e->size;
	int fd = take_fd(&e->fd);

	errand_free(e);
	done(userdata, error, data, size, fd);
}

static void kill_child(struct errand *e)
{
	if (e->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, e->pidfd, SIGKILL, NULL, 0);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct errand *e = userdata;
	int r = receive(e);

	if (r > 0 || r == -EAGAIN)
		return 0;
	if (r < 0)
		kill_child(e);
	finish(e, r);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct errand *e = userdata;
	int r;

	do
		r = receive(e);
	while (r > 0);
	if (r < 0)
		kill_child(e);
	finish(e, r < 0 ? -ETIMEDOUT : 0);
	return 0;
}

static int fork_child(sd_event *event, struct errand *e, int child_link, errand_fn fn,
		      const void *arg)
{
	pid_t parent = getpid(), pid = fork();
	int pidfd, r;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_main(child_link, parent, fn, arg);
	/* Nobody else reaps, so the pid is the child's until bury() has its pidfd. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = pidfd < 0 ? -errno : bury(event, pidfd, e);
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return r;
}

int errand_start(sd_event *event, uint64_t timeout_ms, errand_fn fn, const void *arg,
		 errand_done_fn done, void *userdata, struct errand **ret_errand)
{
	_cleanup_(closep) int child_link = -EBADF;
	int pair[2], r;
	struct errand *e;

	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = (struct errand){
		.done = done, .userdata = userdata, .link = -EBADF, .fd = -EBADF, .pidfd = -EBADF
	};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		goto fail;
	}
	e->link = pair[0];
	child_link = pair[1];
	r = sd_event_add_io(event, &e->readable, e->link, EPOLLIN, on_readable, e);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &e->deadline, CLOCK_MONOTONIC,
					       timeout_ms * 1000, 0, on_deadline, e);
	if (r >= 0)
		r = fork_child(event, e, child_link, fn, arg);
	if (r < 0)
		goto fail;
	*ret_errand = e;
	return 0;
fail:
	errand_free(e);
	return r;
}

const void *errand_peek(struct errand *e, size_t *ret_size)
{
	while (receive(e) > 0)
		;
	*ret_size = e->size;
	return e->data;
}

void errand_cancel(struct errand *e)
{
	if (!e)
		return;
	kill_child(e);
	errand_free(e);
}
