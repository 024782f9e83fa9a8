// SPDX-License-Identifier: Apache-2.0
/*
 * The spawner's socket, and the loop that serves one supervisor on it.
 *
 * Owns the epoll instance and the connection. Trusts a connected peer to be the supervisor once the
 * kernel says that it is root; checks all its numbers nevertheless. Never waits for a child, and
 * for the supervisor at most SEND_TIMEOUT_S: one that does not read is dropped, and will LIST when
 * it is back.
 */
#include "dmuserd/spawner/server.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#define SEND_TIMEOUT_S 5

/* Tags of what is watched; a child is watched with the address of its entry. */
static char tag_listen, tag_connection, tag_signal, tag_let_go;

int server_listen(const char *run_dir, int *ret_fd)
{
	_cleanup_(closep) int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int r;

	if (fd < 0)
		return -errno;
	r = snprintf(address.sun_path, sizeof(address.sun_path), "%s/spawner.sock", run_dir);
	if (r < 0 || (size_t)r >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (unlink(address.sun_path) < 0 && errno != ENOENT)
		return -errno;
	before = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(before);
	if (r < 0)
		return r;
	if (listen(fd, 1) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int watch(const struct server *s, int fd, void *tag)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = tag };

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/*
 * Before closing: the supervisor, or a child on its way to exec, may hold the same open file, and
 * what is closed but still open elsewhere goes on being reported.
 */
static void unwatch(const struct server *s, int fd)
{
	(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static int disconnect(struct server *s)
{
	unwatch(s, s->connection);
	closep(&s->connection);
	s->connection = -EBADF;
	return watch(s, s->listen_fd, &tag_listen);
}

/* A supervisor that cannot be told is dropped; the error is its, not the spawner's. */
static int reply(struct server *s, const struct spawner_reply *message, int fd)
{
	if (s->connection < 0)
		return 0;
	if (fd_send(s->connection, message, sizeof(*message), &fd, fd >= 0 ? 1 : 0, 0) < 0)
		return disconnect(s);
	return 0;
}

static struct spawner_reply new_reply(enum spawner_event event, uint64_t serial, const char *name)
{
	struct spawner_reply message = {
		.version = SPAWNER_MESSAGE_VERSION,
		.event = event,
		.serial = serial,
	};

	snprintf(message.name, sizeof(message.name), "%s", name);
	return message;
}

static void describe(struct spawner_reply *message, const struct child_entry *child)
{
	message->pid = child->pid;
	message->role = child->role;
	message->uid = child->uid;
	message->status = child->status;
	message->alive = child->alive;
}

static int done(struct server *s, const struct spawner_request *request, int error)
{
	struct spawner_reply message = new_reply(SPAWNER_DONE, request->serial, request->name);

	message.error = error;
	return reply(s, &message, -EBADF);
}

/* A newborn that cannot be kept track of may not live. */
static void end_child(struct server *s, const struct spawner_request *q, pid_t pid, int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0U);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)cgroups_remove(s->context->cgroups, q->group, q->name);
}

static int take_in(struct server *s, const struct spawner_request *q, pid_t pid, int pidfd,
		   struct child_entry **ret_child)
{
	struct child_entry *child;
	int r = children_add(s->children, q->name, q->group, q->role, q->uid, pid, pidfd, &child);

	if (r < 0) {
		end_child(s, q, pid, pidfd);
		close(pidfd);
		return r;
	}
	r = watch(s, pidfd, child);
	if (r < 0) {
		end_child(s, q, pid, pidfd);
		children_forget(s->children, child);
		return r;
	}
	*ret_child = child;
	return 0;
}

static int start_child(struct server *s, const struct spawner_request *q, const int *fds,
		       size_t n_fds, struct child_entry **ret_child, enum confine_step *ret_step)
{
	pid_t pid;
	int pidfd;
	int r = spawn_check(q, n_fds);

	if (r < 0)
		return r;
	if (children_find(s->children, q->name))
		return -EEXIST;
	/* Two processes of one uid could signal and trace each other. */
	if (children_have_uid(s->children, q->uid))
		return -EADDRINUSE;
	hooks_read(&s->context->hooks, s->run_fd, q->role == SPAWNER_WORKER ? "worker" : "parser");
	r = spawn(s->context, q, fds, n_fds, &pid, &pidfd, ret_step);
	return r < 0 ? r : take_in(s, q, pid, pidfd, ret_child);
}

static int do_spawn(struct server *s, const struct spawner_request *q, const int *fds, size_t n_fds)
{
	struct spawner_reply message = new_reply(SPAWNER_SPAWNED, q->serial, q->name);
	enum confine_step step = CONFINE_NONE;
	struct child_entry *child = NULL;

	message.error = start_child(s, q, fds, n_fds, &child, &step);
	message.step = step;
	if (child)
		describe(&message, child);
	return reply(s, &message, child ? child->pidfd : -EBADF);
}

static int do_list(struct server *s, const struct spawner_request *q)
{
	struct spawner_reply end = new_reply(SPAWNER_LISTED, q->serial, "");

	for (const struct child_entry *c = s->children->first; c; c = c->next) {
		struct spawner_reply message = new_reply(SPAWNER_CHILD, q->serial, c->name);
		int r;

		describe(&message, c);
		r = reply(s, &message, c->pidfd);
		if (r < 0)
			return r;
	}
	return reply(s, &end, -EBADF);
}

static int do_kill(struct server *s, const struct spawner_request *q)
{
	const struct child_entry *child = children_find(s->children, q->name);

	if (!child)
		return done(s, q, -ESRCH);
	if (child->alive && syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0U) < 0 &&
	    errno != ESRCH)
		return done(s, q, -errno);
	return done(s, q, 0);
}

static int do_forget(struct server *s, const struct spawner_request *q)
{
	struct child_entry *child = children_find(s->children, q->name);

	if (!child)
		return done(s, q, -ESRCH);
	if (child->alive)
		return done(s, q, -EBUSY);
	/* Again, in case its end was seen a moment before its cgroup was empty. */
	(void)cgroups_remove(s->context->cgroups, child->group, child->name);
	children_forget(s->children, child);
	return done(s, q, 0);
}

/* Of another version: it sees by the answer's what is wrong; the rest may mean nothing to it. */
static int refuse(struct server *s)
{
	int r = done(s, &(struct spawner_request){}, -EPROTONOSUPPORT);

	return r < 0 || s->connection < 0 ? r : disconnect(s);
}

static int serve(struct server *s, const struct spawner_request *q, const int *fds, size_t n_fds)
{
	if (q->version != SPAWNER_MESSAGE_VERSION)
		return refuse(s);
	if (!memchr(q->name, '\0', sizeof(q->name)))
		return disconnect(s);
	if (n_fds > 0 && q->op != SPAWNER_SPAWN)
		return disconnect(s);
	switch (q->op) {
	case SPAWNER_SPAWN:
		return do_spawn(s, q, fds, n_fds);
	case SPAWNER_LIST:
		return do_list(s, q);
	case SPAWNER_KILL:
		return do_kill(s, q);
	case SPAWNER_FORGET:
		return do_forget(s, q);
	default:
		return disconnect(s);
	}
}

static int on_connection(struct server *s)
{
	int fds[SPAWNER_FD_RESOURCES + CONFINE_RESOURCES_MAX];
	struct spawner_request request;
	size_t n_fds = 0;
	int r = fd_recv_exact(s->connection, &request, sizeof(request), fds, ARRAY_SIZE(fds),
			      &n_fds, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return 0;
	/* Of another size. */
	if (r == -EPROTO)
		return refuse(s);
	if (r < 0)
		return disconnect(s);
	r = serve(s, &request, fds, n_fds);
	fd_close_many(fds, n_fds);
	return r;
}

/* The socket's mode lets in root alone already; this is the second look. */
static bool is_root(int fd)
{
	struct ucred peer = {};
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static int on_listen(struct server *s)
{
	struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	/* Whoever has gone away again, and want of memory, which may pass. */
	if (fd < 0)
		return 0;
	if (!is_root(fd) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    watch(s, fd, &tag_connection) < 0) {
		close(fd);
		return 0;
	}
	s->connection = fd;
	/* One at a time: the next one waits in the backlog. */
	unwatch(s, s->listen_fd);
	return 0;
}

static int on_child(struct server *s, struct child_entry *child)
{
	struct spawner_reply message = new_reply(SPAWNER_EXITED, 0, child->name);

	if (!children_has_ended(child))
		return 0;
	unwatch(s, child->pidfd);
	if (!children_reap(child))
		return 0;
	if (cgroups_had_oom_kill(s->context->cgroups, child->group, child->name))
		children_note_oom(child);
	(void)cgroups_remove(s->context->cgroups, child->group, child->name);
	describe(&message, child);
	return reply(s, &message, -EBADF);
}

/* Of the children that have ended one was let go of, or none: a signal stands for any number of them. */
static int on_let_go(struct server *s)
{
	struct signalfd_siginfo info;
	int r = 0;

	if (read(s->child_fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
		return -errno;
	for (struct child_entry *c = s->children->first; r == 0 && c; c = c->next)
		if (c->held)
			r = on_child(s, c);
	return r;
}

int server_start(struct server *s)
{
	int r;

	s->connection = -EBADF;
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return -errno;
	r = watch(s, s->listen_fd, &tag_listen);
	if (r == 0)
		r = watch(s, s->signal_fd, &tag_signal);
	if (r == 0)
		r = watch(s, s->child_fd, &tag_let_go);
	for (struct child_entry *c = s->children->first; r == 0 && c; c = c->next)
		r = watch(s, c->pidfd, c);
	return r;
}

int server_run(struct server *s)
{
	for (;;) {
		struct epoll_event event;
		/*
		 * One at a time, so that none can be about an entry that the one before it has
		 * freed.
		 */
		int r = epoll_wait(s->epoll_fd, &event, 1, -1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (event.data.ptr == &tag_signal)
			return 0;
		if (event.data.ptr == &tag_listen)
			r = on_listen(s);
		else if (event.data.ptr == &tag_connection)
			r = on_connection(s);
		else if (event.data.ptr == &tag_let_go)
			r = on_let_go(s);
		else
			r = on_child(s, event.data.ptr);
		if (r < 0)
			return r;
	}
}
