// SPDX-License-Identifier: Apache-2.0
/*
 * One client; see connection.h.
 *
 * Owns the client's socket, its parser from when it is ready, and the bytes that the client has not read.
 * Never reads from the client: its parser does. Trusts no byte of the parser's either, beyond what
 * parser-message.c lets pass. A client cannot hold up anything: each wait for it has an end.
 */
#include "dmuserd/supervisor/connection.h"
#include "dmuserd/supervisor/dispatch.h"
#include "dmuserd/supervisor/lease.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/outbox.h"
#include "dmuserd/supervisor/parser-message.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/reply.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* A subscriber that is further behind is not reading. About a thousand changes. */
#define SUBSCRIBER_BYTES_MAX (1024 * 1024)

struct connection {
	struct connection *next, **previous; /* in front->connections */
	struct connection *next_closed;      /* in front->closed */
	struct front *front;
	enum connection_state state;
	struct peer peer;
	int fd;
	struct parser *parser;
	sd_event_source *client_io; /* hang-up, and room to write */
	sd_event_source *parser_io;
	sd_event_source *patience;
	struct outbox outbox;
	struct call *call; /* being worked on */
	bool oneway;       /* the client wants no answer to it */
	bool last;         /* nothing comes after this answer */
};

/* Ending */

static void release_parser(struct connection *c)
{
	c->parser_io = sd_event_source_disable_unref(c->parser_io);
	parser_end(c->parser);
	c->parser = NULL;
}

void connection_close(struct connection *c)
{
	struct front *front = c->front;

	if (c->state == CONNECTION_CLOSED)
		return;
	c->state = CONNECTION_CLOSED;
	*c->previous = c->next;
	if (c->next)
		c->next->previous = c->previous;
	front->n_connections--;

	parser_pool_cancel(front->m->parsers, c);
	release_parser(c);
	c->client_io = sd_event_source_disable_unref(c->client_io);
	c->patience = sd_event_source_disable_unref(c->patience);
	outbox_clear(&c->outbox);
	/* The parser may live a moment longer, and with it its copy of this socket. */
	shutdown(c->fd, SHUT_RDWR);
	closep(&c->fd);
	c->fd = -EBADF;
	if (c->call)
		dispatch_abandon(take_ptr(&c->call));
	leases_end(front, c);

	/* c->next still leads on for whoever iterates; see connection_next(). */
	c->next_closed = front->closed;
	front->closed = c;
	front_bury(front);
}

/* Turning away */

void connection_turn_away(const struct front *front, int fd, const struct peer *peer,
			  const struct failure *failure)
{
	const struct reply_subject subject = { .m = front->m };
	char *text = NULL;

	log_limited(LOG_NOTICE, "client of uid %u turned away: %s", (unsigned int)peer->uid,
		    failure->reason);
	if (reply_failure(failure, &subject, &text) == 0 &&
	    send(fd, text, strlen(text) + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_limited(LOG_DEBUG, "and it was not told: %s", strerror(errno));
	free(text);
}

static void give_up_waiting(struct connection *c, int error)
{
	struct failure failure;

	if (error == -ETIMEDOUT)
		failure_set(&failure, FAILURE_TIMED_OUT,
			    "starting a process that reads requests (is the machine overloaded?)",
			    "no process that reads requests was ready in time");
	else
		failure_set(&failure, FAILURE_BACKEND_FAILED, NULL,
			    "no process that reads requests could be started: %s",
			    spawner_describe_error(error));
	connection_turn_away(c->front, c->fd, &c->peer, &failure);
	connection_close(c);
}

/* Its parser is another version's: no client can be served before dmuserd is that, too. */
static void give_up_foreign(struct connection *c)
{
	struct failure failure;

	failure_set(&failure, FAILURE_BACKEND_FAILED, NULL, PARSER_MESSAGE_FOREIGN);
	connection_turn_away(c->front, c->fd, &c->peer, &failure);
	connection_close(c);
}

/* Patience */

static int on_patience_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct connection *c = userdata;

	if (c->state == CONNECTION_WAITING) {
		give_up_waiting(c, -ETIMEDOUT);
		return 0;
	}
	log_limited(LOG_NOTICE, "client of uid %u: did not read in time what it was sent",
		    (unsigned int)c->peer.uid);
	connection_close(c);
	return 0;
}

static int be_patient(struct connection *c, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(c->patience, usec);

	if (r >= 0)
		r = sd_event_source_set_enabled(c->patience, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

/* Writing */

static void ask_next(struct connection *c)
{
	c->state = CONNECTION_READING;
	/* A hang-up now is the parser's to find, behind what the client may have said before it. */
	sd_event_source_set_enabled(c->client_io, SD_EVENT_OFF);
	if (parser_message_order(parser_link(c->parser), PARSER_NEXT, -EBADF) < 0)
		connection_close(c);
}

/* Everything is written. */
static void on_written(struct connection *c)
{
	sd_event_source_set_enabled(c->patience, SD_EVENT_OFF);
	if (c->last)
		connection_close(c);
	else if (c->state == CONNECTION_ANSWERING && !c->call)
		ask_next(c);
}

/* Writes what can be written now; may close the connection. */
static void flush(struct connection *c)
{
	int r = outbox_write(&c->outbox, c->fd), s;

	if (r < 0) {
		connection_close(c);
		return;
	}
	s = sd_event_source_set_io_events(c->client_io, r > 0 ? EPOLLOUT : 0);
	if (s >= 0)
		s = sd_event_source_set_enabled(c->client_io, SD_EVENT_ON);
	if (s < 0)
		connection_close(c);
	else if (r == 0)
		on_written(c);
}

/* The clock for reading starts with the first byte that has to wait. */
static void put(struct connection *c, const char *text)
{
	bool waited = outbox_waiting(&c->outbox) > 0;

	if (outbox_add(&c->outbox, text, strlen(text) + 1) < 0 ||
	    (!waited && be_patient(c, c->front->patience_usec) < 0))
		connection_close(c);
	else
		flush(c);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *c = userdata;

	if (events & (EPOLLHUP | EPOLLERR))
		connection_close(c);
	else if (events & EPOLLOUT)
		flush(c);
	return 0;
}

void connection_answer(struct connection *c, char *text)
{
	_cleanup_(freep) char *own = text;

	if (c->state == CONNECTION_CLOSED)
		return;
	c->call = NULL;
	if (!own)
		connection_close(c);
	else if (c->oneway)
		on_written(c);
	else
		put(c, own);
}

void connection_subscribe(struct connection *c, char *text)
{
	if (c->state != CONNECTION_CLOSED)
		c->state = CONNECTION_SUBSCRIBED;
	connection_answer(c, text);
}

void connection_goes_on_as(struct connection *c, struct call *call)
{
	c->call = NULL;
	if (c->state == CONNECTION_CLOSED)
		dispatch_abandon(call);
	else
		c->call = call;
}

bool connection_is_subscribed(const struct connection *c)
{
	return c->state == CONNECTION_SUBSCRIBED;
}

void connection_tell(struct connection *c, const char *text)
{
	if (outbox_waiting(&c->outbox) + strlen(text) > SUBSCRIBER_BYTES_MAX) {
		log_limited(LOG_NOTICE, "subscriber of uid %u does not read what it is sent",
			    (unsigned int)c->peer.uid);
		connection_close(c);
		return;
	}
	put(c, text);
}

/* The parser's messages */

static void refuse(struct connection *c, const struct parser_message *message)
{
	char *text = NULL;

	c->last = message->fatal;
	if (message->refusal == PARSER_REFUSED_SYNTAX ||
	    reply_refusal(message->refusal, message->text, &text) < 0)
		connection_close(c);
	else
		connection_answer(c, text);
}

static void request(struct connection *c, const struct parser_message *message, int *fds)
{
	struct call *call = NULL;
	int r = dispatch(c, message, fds, &call);

	if (r < 0)
		connection_close(c);
	else if (r > 0)
		connection_goes_on_as(c, call);
}

/* fds: PARSER_FDS_MAX places; what is in them afterwards is closed. */
static void take_message(struct connection *c, const struct parser_message *message, int *fds)
{
	c->state = CONNECTION_ANSWERING;
	c->oneway = message->flags & PARSER_CALL_ONEWAY;
	sd_event_source_set_io_events(c->client_io, 0);
	sd_event_source_set_enabled(c->client_io, SD_EVENT_ON);

	switch (message->event) {
	case PARSER_REQUEST:
		request(c, message, fds);
		break;
	case PARSER_REFUSAL:
		refuse(c, message);
		break;
	default: /* END; and a MANIFEST, which nobody asked it for */
		connection_close(c);
		break;
	}
}

static int on_parser(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *c = userdata;
	struct parser_message message;
	int fds[PARSER_FDS_MAX] = { -EBADF, -EBADF, -EBADF, -EBADF };
	size_t n_fds = 0;
	const char *field = NULL;
	int r = parser_message_receive(fd, &message, fds, &n_fds, &field);

	if (r == -EAGAIN)
		return 0;
	if (r >= 0 && c->state != CONNECTION_READING) {
		r = -EPROTO;
		field = "its turn";
	}
	if (r == -EPROTO)
		log_limited(LOG_WARNING, "parser of a client of uid %u: wrong message (%s)",
			    (unsigned int)c->peer.uid, field);
	if (r >= 0)
		take_message(c, &message, fds);
	else if (r == -EPROTO && parser_message_is_foreign(field))
		give_up_foreign(c);
	else
		connection_close(c);
	fd_close_many(fds, ARRAY_SIZE(fds));
	return 0;
}

/* Beginning */

static int assign(struct connection *c, struct parser *parser)
{
	int r;

	c->parser = parser;
	r = sd_event_add_io(c->front->m->event, &c->parser_io, parser_link(parser), EPOLLIN, on_parser,
			    c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->patience, SD_EVENT_OFF);
	if (r >= 0)
		r = parser_message_order(parser_link(parser), PARSER_ASSIGN_CLIENT, c->fd);
	if (r < 0)
		return r;
	c->state = CONNECTION_READING;
	return 0;
}

static void on_parser_ready(void *userdata, int error, struct parser *parser)
{
	struct connection *c = userdata;

	if (error < 0)
		give_up_waiting(c, error);
	else if (assign(c, parser) < 0)
		connection_close(c);
}

static int find_parser(struct connection *c)
{
	struct parser *parser = NULL;
	int r = parser_pool_take(c->front->m->parsers, on_parser_ready, c, &parser);

	if (r == 0)
		return assign(c, parser);
	return r < 0 ? r : be_patient(c, c->front->queue_patience_usec);
}

static int prepare(struct connection *c)
{
	sd_event *event = c->front->m->event;
	int r = sd_event_add_io(event, &c->client_io, c->fd, 0, on_client, c);

	if (r >= 0)
		r = sd_event_source_set_enabled(c->client_io, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &c->patience, CLOCK_MONOTONIC, 0, 0, on_patience_over, c);
	if (r >= 0)
		r = sd_event_source_set_enabled(c->patience, SD_EVENT_OFF);
	return r < 0 ? r : find_parser(c);
}

int connection_new(struct front *front, int fd, const struct peer *peer)
{
	struct connection *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		closep(&fd);
		return -ENOMEM;
	}
	c->front = front;
	c->state = CONNECTION_WAITING;
	c->peer = *peer;
	c->fd = fd;
	c->next = front->connections;
	c->previous = &front->connections;
	if (c->next)
		c->next->previous = &c->next;
	front->connections = c;
	front->n_connections++;

	r = prepare(c);
	if (r < 0)
		connection_close(c);
	return r;
}

void connection_free_closed(struct front *front)
{
	while (front->closed) {
		struct connection *c = front->closed;

		front->closed = c->next_closed;
		free(c);
	}
}

/* What others see */

const struct peer *connection_peer(const struct connection *c)
{
	return &c->peer;
}

struct front *connection_front(const struct connection *c)
{
	return c->front;
}

struct connection *connection_next(struct front *front, struct connection *previous)
{
	struct connection *c = previous ? previous->next : front->connections;

	/* One that was closed during the iteration leads on, too. */
	while (c && c->state == CONNECTION_CLOSED)
		c = c->next;
	return c;
}
