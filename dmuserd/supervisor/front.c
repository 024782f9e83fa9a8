// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket; see front.h.
 *
 * Accepts, asks the kernel who came, and turns away who is one too many. What clients say is never read
 * here. At the process's limit of descriptors it stops accepting for a moment instead of spinning.
 */
#include "dmuserd/supervisor/front.h"
#include "dmuserd/supervisor/connection.h"
#include "dmuserd/supervisor/dispatch.h"
#include "dmuserd/supervisor/lease.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PAUSE_USEC UINT64_C(200000)
#define PATIENCE_USEC UINT64_C(10000000)
/*
 * The pool tells by itself when it cannot start any. This is for as many clients as may connect to be served
 * one after the other on a slow machine; past that, a client is better told than kept.
 */
#define QUEUE_PATIENCE_USEC UINT64_C(300000000)

/* Whoever connects */

static int is_in_group(int fd, gid_t group, bool *ret_in_group)
{
	_cleanup_(freep) gid_t *groups = NULL;
	socklen_t size = 0;

	/* The kernel says how much room it needs. */
	*ret_in_group = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0;
	if (errno != ERANGE)
		return -errno;
	groups = malloc(size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return -errno;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		*ret_in_group |= groups[i] == group;
	return 0;
}

static int identify(const struct front *front, int fd, struct peer *ret_peer)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	bool in_group = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	if (front->group != (gid_t)-1 && cred.uid != 0) {
		int r = is_in_group(fd, front->group, &in_group);

		if (r < 0)
			return r;
		in_group |= cred.gid == front->group;
	}
	*ret_peer = (struct peer){ cred.uid, cred.gid, cred.pid, in_group };
	return 0;
}

static struct connection_usage usage_of(struct front *front, uid_t uid)
{
	struct connection_usage usage = { .all = front->n_connections };

	for (struct connection *c = connection_next(front, NULL); c; c = connection_next(front, c))
		usage.of_uid += connection_peer(c)->uid == uid;
	return usage;
}

/* fd is consumed. */
static void welcome(struct front *front, int fd)
{
	struct connection_usage usage;
	struct failure failure = {};
	struct peer peer;
	int r = identify(front, fd, &peer);

	if (r < 0) {
		log_limited(LOG_WARNING, "a client that cannot be identified: %s", strerror(-r));
		closep(&fd);
		return;
	}
	usage = usage_of(front, peer.uid);
	if (policy_connect(&front->m->settings, &peer, &usage, &failure) < 0) {
		connection_turn_away(front, fd, &peer, &failure);
		closep(&fd);
		return;
	}
	r = connection_new(front, fd, &peer);
	if (r < 0)
		log_limited(LOG_WARNING, "client of uid %u cannot be served: %s",
			    (unsigned int)peer.uid, strerror(-r));
}

static int pause_accepting(struct front *front)
{
	int r = sd_event_source_set_enabled(front->accept_io, SD_EVENT_OFF);

	if (r >= 0)
		r = sd_event_source_set_time_relative(front->accept_pause, PAUSE_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(front->accept_pause, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct front *front = userdata;

	return sd_event_source_set_enabled(front->accept_io, SD_EVENT_ON);
}

static int on_accept(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	struct front *front = userdata;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(front, fd);
		return 0;
	}
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
		return 0;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_limited(LOG_ERR, "cannot accept a client now: %s", strerror(errno));
		return pause_accepting(front);
	default:
		return -errno;
	}
}

/* Beginning and end */

static int on_burial(sd_event_source *source, void *userdata)
{
	connection_free_closed(userdata);
	return 0;
}

static int on_second_try(sd_event_source *source, void *userdata)
{
	leases_try_again(userdata);
	return 0;
}

void front_bury(struct front *front)
{
	sd_event_source_set_enabled(front->burial, SD_EVENT_ONESHOT);
}

static void on_volume_event(struct manager *m, const struct volume *volume, bool news)
{
	if (news)
		dispatch_volume_event(m->front, volume);
	/* It may be free to be released now, which nobody is told of. */
	leases_volume_changed(m->front, volume);
}

static int prepare(struct front *front)
{
	sd_event *event = front->m->event;
	int r = sd_event_add_defer(event, &front->burial, on_burial, front);

	if (r >= 0)
		r = sd_event_source_set_enabled(front->burial, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &front->second_try, on_second_try, front);
	if (r >= 0)
		r = sd_event_source_set_enabled(front->second_try, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &front->accept_pause, CLOCK_MONOTONIC, 0, 0,
				      on_accept_again, front);
	if (r >= 0)
		r = sd_event_source_set_enabled(front->accept_pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(event, &front->accept_io, front->listener, EPOLLIN, on_accept,
				    front);
	/* Those who are served come before those who want to be. */
	if (r >= 0)
		r = sd_event_source_set_priority(front->accept_io, SD_EVENT_PRIORITY_NORMAL + 20);
	return r < 0 ? r : 0;
}

int front_new(struct manager *m, int listener, gid_t group, struct front **ret_front)
{
	struct front *front = calloc(1, sizeof(*front));
	int r;

	if (!front)
		return -ENOMEM;
	front->m = m;
	front->listener = listener;
	front->group = group;
	front->patience_usec = PATIENCE_USEC;
	front->queue_patience_usec = QUEUE_PATIENCE_USEC;
	r = prepare(front);
	if (r < 0) {
		front_free(front);
		return r;
	}
	/* The observer looks for it there. */
	*ret_front = front;
	volume_set_observer(m, on_volume_event);
	leases_release_all_unheld(front);
	return 0;
}

void front_free(struct front *front)
{
	if (!front)
		return;
	volume_set_observer(front->m, NULL);
	leases_free(front);
	for (struct connection *c = connection_next(front, NULL); c; c = connection_next(front, c))
		connection_close(c);
	dispatch_forget_all(front);
	connection_free_closed(front);
	sd_event_source_disable_unref(front->accept_io);
	sd_event_source_disable_unref(front->accept_pause);
	sd_event_source_disable_unref(front->second_try);
	sd_event_source_disable_unref(front->burial);
	free(front);
}
