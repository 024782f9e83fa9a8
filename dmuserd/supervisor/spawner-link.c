// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisor's end of the spawner's socket; see spawner-link.h.
 *
 * Owns the socket, the requests that wait for an answer, and what is known of each child. Never
 * blocks once it is made: what the socket does not take at once waits in a queue. Trusts the
 * spawner to do its work, but takes nothing from it that it did not ask for: an answer to no
 * question ends the connection.
 *
 * When the connection ends, every question is answered with -ECONNRESET and a new connection is
 * tried once a second. A spawner is of another version if its answer says so, and never because it
 * hangs up: one that dies does that too, and the next one may be well. So a LIST that a spawner has
 * hung up on before it said anything is asked again, until its deadline. The spawner's children are
 * not ended by that, so nothing is said about them.
 *
 *   pending: a request that was sent; see spawner-pending.h.
 *   child:   one that a SPAWN or a LIST told of, until it has been forgotten. One that comes after
 *            its SPAWN's deadline is killed.
 */
#include "dmuserd/supervisor/spawner-link.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/request-queue.h"
#include "dmuserd/supervisor/spawner-pending.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RETRY_USEC UINT64_C(1000000)
/* The spawner answers a LIST from memory. */
#define LIST_USEC UINT64_C(10000000)
/* How many answers are taken before others in the loop get their turn. */
#define BATCH 64

struct child {
	struct child *next;
	struct spawner_link *link;
	char name[SPAWNER_NAME_SIZE];
	bool dead;
	bool held;      /* will be watched */
	bool forgotten; /* nobody asks any more; goes when it is dead */
	bool told;      /* `exited` was called */
	int status;
	spawner_exited_fn exited; /* NULL: nobody watches yet */
	void *userdata;
	sd_event_source *late; /* tells a watcher who came after the death */
};

struct spawner_link {
	sd_event *event;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd; /* -EBADF while there is no connection */
	int lost; /* until it has answered again: -ENOTCONN, -EPROTONOSUPPORT; else 0 */
	bool heard; /* it has answered on this connection */
	sd_event_source *io, *retry;
	uint64_t serial;
	struct pending *pending;
	struct child *children;
	struct request_queue queue;
};

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata);
static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);
static void on_listed_after_loss(void *userdata, int error);

/* Outgoing requests */

static int enqueue(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		   size_t n_fds)
{
	int r = request_queue_add(&link->queue, request, fds, n_fds);

	return r < 0 ? r : sd_event_source_set_io_events(link->io, EPOLLIN | EPOLLOUT);
}

static int send_request(struct spawner_link *link, const struct spawner_request *request,
			const int *fds, size_t n_fds)
{
	int r;

	if (link->fd < 0)
		return link->lost;
	if (link->queue.n > 0)
		return enqueue(link, request, fds, n_fds);
	r = fd_send(link->fd, request, sizeof(*request), fds, n_fds, MSG_DONTWAIT);
	return r == -EAGAIN ? enqueue(link, request, fds, n_fds) : r;
}

static struct spawner_request make_request(struct spawner_link *link, enum spawner_op op,
					   const char *name)
{
	struct spawner_request request = {
		.version = SPAWNER_MESSAGE_VERSION,
		.op = op,
		.serial = ++link->serial,
	};

	snprintf(request.name, sizeof(request.name), "%s", name);
	return request;
}

/* Sends what p stands for, and keeps it; p is consumed. */
static int pending_send(struct spawner_link *link, struct pending *p,
			const struct spawner_request *request, const int *fds, size_t n_fds,
			uint64_t deadline_usec)
{
	int r = 0;

	if (deadline_usec > 0)
		r = pending_set_deadline(p, link->event, deadline_usec);
	if (r == 0)
		r = send_request(link, request, fds, n_fds);
	if (r < 0) {
		pending_free(p);
		return r;
	}
	p->next = link->pending;
	link->pending = p;
	return 0;
}

/* Children */

static void child_free(struct child *c)
{
	sd_event_source_disable_unref(c->late);
	free(c);
}

static struct child *child_find(struct spawner_link *link, const char *name)
{
	for (struct child *c = link->children; c; c = c->next) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

static struct child *child_add(struct spawner_link *link, const char *name)
{
	struct child *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->link = link;
	memcpy(c->name, name, sizeof(c->name));
	c->next = link->children;
	link->children = c;
	return c;
}

static int tell_spawner(struct spawner_link *link, enum spawner_op op, const char *name)
{
	struct spawner_request request = make_request(link, op, name);
	struct pending *p = pending_new(&request);

	return p ? pending_send(link, p, &request, NULL, 0, 0) : -ENOMEM;
}

/* Nobody here knows the child any more; the spawner is told, or will be asked when it is back. */
static void child_drop(struct child *c)
{
	struct spawner_link *link = c->link;
	struct child **at = &link->children;

	tell_spawner(link, SPAWNER_FORGET, c->name);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	child_free(c);
}

static void child_died(struct child *c, int status)
{
	c->dead = true;
	c->status = status;
	if (c->forgotten) {
		child_drop(c);
	} else if (c->exited && !c->told) {
		c->told = true;
		/* May forget, and so free, the child. */
		c->exited(c->userdata, status);
	}
}

static int on_late(sd_event_source *source, void *userdata)
{
	struct child *c = userdata;

	child_died(c, c->status);
	return 0;
}

/* The connection */

static int use_socket(struct spawner_link *link, int fd)
{
	int r = sd_event_add_io(link->event, &link->io, fd, EPOLLIN, on_socket, link);

	if (r >= 0)
		link->fd = fd;
	return r < 0 ? r : 0;
}

static int arm_retry(struct spawner_link *link)
{
	int r;

	if (!link->retry) {
		r = sd_event_add_time_relative(link->event, &link->retry, CLOCK_MONOTONIC,
					       RETRY_USEC, 0, on_retry, link);
		return r < 0 ? r : 0;
	}
	r = sd_event_source_set_time_relative(link->retry, RETRY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(link->retry, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

/* The next connection may answer it. It brings a LIST of the link's own. */
static bool can_wait(const struct pending *p)
{
	return p->op == SPAWNER_LIST && !p->expired && p->listed != on_listed_after_loss;
}

/*
 * Tells everyone who waits, but for each LIST that is kept. What they do in answer finds the link
 * without a connection, and the list already detached.
 */
static void tell_waiting(struct spawner_link *link, int error, bool keeps_lists)
{
	struct pending *waiting = link->pending;

	link->pending = NULL;
	while (waiting) {
		struct pending *p = waiting;

		waiting = p->next;
		if (keeps_lists && can_wait(p)) {
			p->next = link->pending;
			link->pending = p;
			continue;
		}
		pending_tell_error(p, error);
		pending_free(p);
	}
}

/* Ends the connection. Logged once, not for each connection that is tried. */
static void lose(struct spawner_link *link, int error, const char *why)
{
	bool foreign = error == -EPROTONOSUPPORT;
	bool hung_up = (error == -ECONNRESET || error == -EPIPE) && !link->heard;
	int lost = foreign ? -EPROTONOSUPPORT : -ENOTCONN;

	if (lost != link->lost)
		log_print(LOG_ERR,
			  "the spawner has gone (%s: %s); volumes go on, but nothing new can be "
			  "started: %s", why, strerror(-error), spawner_describe_error(lost));
	link->lost = lost;
	link->heard = false;
	link->io = sd_event_source_disable_unref(link->io);
	closep(&link->fd);
	link->fd = -EBADF;
	request_queue_clear(&link->queue);
	tell_waiting(link, foreign ? -EPROTONOSUPPORT : -ECONNRESET, hung_up);
	if (arm_retry(link) < 0)
		log_print(LOG_ERR, "cannot wait for the spawner: no timer");
}

/*
 * After a new connection: watchers hear of those that have died meanwhile. A child that nobody here
 * has ever heard of was started for a request that has been answered with -ECONNRESET.
 */
static void on_child_after_loss(void *userdata, const struct spawner_reply *reply, int pidfd)
{
	struct spawner_link *link = userdata;
	const struct child *c = child_find(link, reply->name);

	closep(&pidfd);
	if (c && !c->exited && !c->held && !c->forgotten) {
		spawner_kill(link, reply->name);
		spawner_forget(link, reply->name);
	}
}

static void on_listed_after_loss(void *userdata, int error)
{
	const struct spawner_link *link = userdata;

	/* A new loss has been told. */
	if (error < 0 && link->fd >= 0)
		log_print(LOG_ERR, "the spawner does not list its children: %s", strerror(-error));
}

/* What an earlier connection has left unanswered. */
static int send_again(struct spawner_link *link)
{
	int r = 0;

	for (const struct pending *p = link->pending; r == 0 && p; p = p->next) {
		struct spawner_request request = make_request(link, p->op, p->name);

		request.serial = p->serial;
		r = send_request(link, &request, NULL, 0);
	}
	return r;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct spawner_link *link = userdata;
	int fd = fd_connect(link->path, SOCK_NONBLOCK), r;

	if (fd < 0) {
		/* Whoever was there has ended, of whatever version it was. */
		link->lost = -ENOTCONN;
		tell_waiting(link, -ECONNRESET, false);
		return arm_retry(link);
	}
	if (use_socket(link, fd) < 0) {
		closep(&fd);
		return arm_retry(link);
	}
	r = send_again(link);
	return r < 0 ? r : spawner_list(link, on_child_after_loss, on_listed_after_loss, link);
}

/* What the spawner says */

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* A child that came after its deadline: nobody wants it, and nobody has it. */
static void take_late_child(struct spawner_link *link, const char *name)
{
	struct child *c = child_add(link, name);

	if (c)
		c->forgotten = true;
	tell_spawner(link, SPAWNER_KILL, name);
}

static int take_spawned(struct spawner_link *link, const struct spawner_reply *reply, int *fds,
			size_t n_fds)
{
	struct pending *p = pending_find(link->pending, reply->serial, SPAWNER_SPAWN);
	struct child *c = NULL;
	int error = reply->error, pidfd;

	if (!p || strcmp(p->name, reply->name) != 0)
		return -EPROTO;
	if (error > 0 || (error == 0) != (n_fds == 1) || (error == 0 && reply->pid <= 1))
		return -EPROTO;

	pidfd = n_fds == 1 ? take_fd(&fds[0]) : -EBADF;
	pending_unlink(&link->pending, p);
	if (error == 0 && !p->expired) {
		c = child_add(link, reply->name);
		error = c ? 0 : -ENOMEM;
	}
	if (c) {
		c->exited = p->exited;
		c->userdata = p->userdata;
		p->spawned(p->userdata, 0, CONFINE_NONE, reply->pid, pidfd);
	} else {
		closep(&pidfd);
		if (reply->error == 0)
			take_late_child(link, reply->name);
		pending_tell_error(p, error);
	}
	pending_free(p);
	return 0;
}

static int take_spawn_error(struct spawner_link *link, const struct spawner_reply *reply)
{
	struct pending *p = pending_find(link->pending, reply->serial, SPAWNER_SPAWN);

	if (!p || strcmp(p->name, reply->name) != 0)
		return -EPROTO;
	pending_unlink(&link->pending, p);
	if (!p->expired)
		p->spawned(p->userdata, reply->error, reply->step, 0, -EBADF);
	pending_free(p);
	return 0;
}

static int take_child(struct spawner_link *link, const struct spawner_reply *reply, int *fds,
		      size_t n_fds)
{
	struct pending *p = pending_find(link->pending, reply->serial, SPAWNER_LIST);
	struct child *c;

	if (!p || reply->alive > 1 || (reply->alive == 1) != (n_fds == 1))
		return -EPROTO;
	c = child_find(link, reply->name);
	if (!c)
		c = child_add(link, reply->name);
	if (!c)
		return -ENOMEM;
	if (!reply->alive && !c->dead) {
		c->dead = true;
		c->status = reply->status;
	}
	if (!p->expired)
		p->child(p->userdata, reply, n_fds == 1 ? take_fd(&fds[0]) : -EBADF);
	/* It may have been forgotten meanwhile. */
	c = child_find(link, reply->name);
	if (c && c->dead && !c->late)
		child_died(c, c->status);
	return 0;
}

static int take_listed(struct spawner_link *link, const struct spawner_reply *reply)
{
	struct pending *p = pending_find(link->pending, reply->serial, SPAWNER_LIST);

	if (!p)
		return -EPROTO;
	pending_unlink(&link->pending, p);
	if (!p->expired)
		p->listed(p->userdata, 0);
	pending_free(p);
	return 0;
}

/* KILL and FORGET ask for nothing that an answer could change: both want a child that is gone. */
static int take_done(struct spawner_link *link, const struct spawner_reply *reply)
{
	struct pending *p = pending_find(link->pending, reply->serial, SPAWNER_KILL);

	if (!p)
		p = pending_find(link->pending, reply->serial, SPAWNER_FORGET);
	if (!p)
		return -EPROTO;
	pending_unlink(&link->pending, p);
	pending_free(p);
	return 0;
}

static int take_exited(struct spawner_link *link, const struct spawner_reply *reply)
{
	struct child *c;

	if (reply->serial != 0)
		return -EPROTO;
	c = child_find(link, reply->name);
	/* One that was there before this connection, and that no LIST has shown yet. */
	if (c && !c->dead)
		child_died(c, reply->status);
	return 0;
}

static void hear(struct spawner_link *link)
{
	if (link->lost)
		log_print(LOG_NOTICE, "the spawner is back");
	link->lost = 0;
	link->heard = true;
}

static int take_reply(struct spawner_link *link, const struct spawner_reply *reply, int *fds,
		      size_t n_fds)
{
	if (!is_terminated(reply->name, sizeof(reply->name)) || reply->step > CONFINE_SEALED)
		return -EPROTO;
	if (n_fds > 0 && reply->event != SPAWNER_SPAWNED && reply->event != SPAWNER_CHILD)
		return -EPROTO;

	switch (reply->event) {
	case SPAWNER_SPAWNED:
		return reply->error < 0 && n_fds == 0 ? take_spawn_error(link, reply) :
							take_spawned(link, reply, fds, n_fds);
	case SPAWNER_CHILD:
		return take_child(link, reply, fds, n_fds);
	case SPAWNER_LISTED:
		return take_listed(link, reply);
	case SPAWNER_DONE:
		return take_done(link, reply);
	case SPAWNER_EXITED:
		return take_exited(link, reply);
	default:
		return -EPROTO;
	}
}

/* Another version's may be of another size, within reason. */
union message {
	struct spawner_reply reply;
	char any[1024];
};

static ssize_t receive_any(int fd, union message *m, int *fds, size_t *ret_n_fds)
{
	return fd_recv(fd, m, sizeof(*m), fds, 1, ret_n_fds, MSG_DONTWAIT);
}

/* 0; -EAGAIN; or why the connection ends. */
static int receive(int fd, struct spawner_reply *ret_reply, int *fds, size_t *ret_n_fds)
{
	union message message;
	ssize_t size = receive_any(fd, &message, fds, ret_n_fds);

	/* That a question stays unread is told before what the spawner had said. */
	if (size == -ECONNRESET)
		size = receive_any(fd, &message, fds, ret_n_fds);
	if (size <= 0)
		return size == 0 ? -ECONNRESET : (int)size;
	if ((size_t)size < sizeof(message.reply.version))
		return -EPROTO;
	if (message.reply.version != SPAWNER_MESSAGE_VERSION)
		return -EPROTONOSUPPORT;
	if (size != sizeof(message.reply))
		return -EPROTO;
	*ret_reply = message.reply;
	return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct spawner_link *link = userdata;

	if (events & EPOLLOUT) {
		int r = request_queue_send(&link->queue, link->fd);

		if (r == 0)
			r = sd_event_source_set_io_events(link->io, EPOLLIN);
		if (r < 0) {
			lose(link, r, "writing");
			return 0;
		}
	}
	for (int i = 0; i < BATCH; i++) {
		struct spawner_reply reply;
		int fds[1] = { -EBADF };
		size_t n_fds = 0;
		int r = receive(link->fd, &reply, fds, &n_fds);

		if (r == -EAGAIN)
			return 0;
		if (r == 0)
			r = take_reply(link, &reply, fds, n_fds);
		fd_close_many(fds, n_fds);
		if (r < 0) {
			lose(link, r, "reading");
			return 0;
		}
		hear(link);
	}
	return 0;
}

/* What others ask for */

int spawner_link_new(sd_event *event, const char *path, struct spawner_link **ret_link)
{
	struct spawner_link *link;
	int fd, r;

	fd = fd_connect(path, 0);
	if (fd < 0)
		return fd;
	link = calloc(1, sizeof(*link));
	if (!link) {
		closep(&fd);
		return -ENOMEM;
	}
	strcpy(link->path, path);
	link->event = sd_event_ref(event);
	link->fd = -EBADF;
	r = use_socket(link, fd);
	if (r < 0) {
		closep(&fd);
		spawner_link_free(link);
		return r;
	}
	*ret_link = link;
	return 0;
}

void spawner_link_free(struct spawner_link *link)
{
	if (!link)
		return;
	sd_event_source_disable_unref(link->io);
	sd_event_source_disable_unref(link->retry);
	closep(&link->fd);
	request_queue_clear(&link->queue);
	while (link->pending) {
		struct pending *p = link->pending;

		link->pending = p->next;
		pending_free(p);
	}
	while (link->children) {
		struct child *c = link->children;

		link->children = c->next;
		child_free(c);
	}
	sd_event_unref(link->event);
	free(link);
}

int spawner_spawn(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		  size_t n_fds, uint64_t deadline_usec, spawner_spawned_fn spawned,
		  spawner_exited_fn exited, void *userdata)
{
	struct spawner_request own = *request;
	struct pending *p;

	if (n_fds < SPAWNER_FD_RESOURCES || n_fds > SPAWNER_FD_RESOURCES + CONFINE_RESOURCES_MAX)
		return -EINVAL;
	own.version = SPAWNER_MESSAGE_VERSION;
	own.op = SPAWNER_SPAWN;
	own.serial = ++link->serial;
	p = pending_new(&own);
	if (!p)
		return -ENOMEM;
	p->spawned = spawned;
	p->exited = exited;
	p->userdata = userdata;
	return pending_send(link, p, &own, fds, n_fds, deadline_usec);
}

int spawner_list(struct spawner_link *link, spawner_child_fn child, spawner_listed_fn listed,
		 void *userdata)
{
	struct spawner_request request = make_request(link, SPAWNER_LIST, "");
	struct pending *p = pending_new(&request);
	uint64_t now;
	int r;

	if (!p)
		return -ENOMEM;
	r = sd_event_now(link->event, CLOCK_MONOTONIC, &now);
	if (r < 0) {
		pending_free(p);
		return r;
	}
	p->child = child;
	p->listed = listed;
	p->userdata = userdata;
	return pending_send(link, p, &request, NULL, 0, now + LIST_USEC);
}

int spawner_watch(struct spawner_link *link, const char *name, spawner_exited_fn exited,
		  void *userdata)
{
	struct child *c = child_find(link, name);

	if (!c)
		return -ESRCH;
	c->exited = exited;
	c->userdata = userdata;
	c->told = false;
	if (c->dead && !c->late) {
		int r = sd_event_add_defer(link->event, &c->late, on_late, c);

		return r < 0 ? r : 0;
	}
	return 0;
}

int spawner_hold(struct spawner_link *link, const char *name)
{
	struct child *c = child_find(link, name);

	if (!c)
		return -ESRCH;
	c->held = true;
	return 0;
}

int spawner_kill(struct spawner_link *link, const char *name)
{
	return tell_spawner(link, SPAWNER_KILL, name);
}

int spawner_forget(struct spawner_link *link, const char *name)
{
	struct child *c = child_find(link, name);

	if (!c)
		return -ESRCH;
	c->forgotten = true;
	c->exited = NULL;
	if (c->dead)
		child_drop(c);
	return 0;
}
