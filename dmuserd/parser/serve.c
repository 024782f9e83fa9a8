// SPDX-License-Identifier: Apache-2.0
/*
 * A parser's life: one assignment, then messages until the client or the supervisor is done.
 *
 * Receives, sends, waits, closes: these are the only system calls of a parser at work, and
 * seccomp/parser.json lists them. It holds at most the link, one client and the descriptors of one
 * message, and sends nothing to the client. While the supervisor answers, it reads nothing.
 *
 * The client's socket is shared with the supervisor, file status flags too, so it may block or not:
 * nothing here depends on it.
 */
#include "dmuserd/parser/serve.h"
#include "dmuserd/parser/call.h"
#include "dmuserd/parser/manifest.h"
#include "dmuserd/parser/refusal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Outcomes of waiting for the client, besides those of enum inbox_verdict. */
enum { CLIENT_READY = 16, CLIENT_LATE, CLIENT_CLOSED, CLIENT_TOO_MANY_FDS };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int send_message(struct server *s)
{
	return fd_send(s->link, &s->message, sizeof(s->message), s->inbox.fds, s->message.n_fds, 0);
}

static void close_message_fds(struct server *s)
{
	fd_close_many(s->inbox.fds, s->inbox.n_fds);
	s->inbox.n_fds = 0;
}

/* Forgets the client, so that its connection lives no longer than the supervisor wants it to. */
static void close_client(struct server *s)
{
	close_message_fds(s);
	closep(&s->client);
	s->client = -EBADF;
}

/* An older or newer supervisor sees by it what is wrong, and says that to whoever it serves. */
static int refuse_version(struct server *s)
{
	s->message = (struct parser_message){ .version = PARSER_MESSAGE_VERSION };
	(void)fd_send(s->link, &s->message, sizeof(s->message), NULL, 0, 0);
	return -EPROTO;
}

/* One order; *ret_fd is the caller's, or -EBADF. -ECONNRESET when the supervisor has closed. */
static int recv_order(struct server *s, enum parser_command *ret_command, int *ret_fd)
{
	struct parser_order order;
	_cleanup_(closep) int fd = -EBADF;
	size_t n_fds = 0;
	int r = fd_recv_exact(s->link, &order, sizeof(order), &fd, 1, &n_fds, 0);

	if (r < 0)
		return r;
	if (order.version != PARSER_MESSAGE_VERSION)
		return refuse_version(s);
	*ret_command = order.command;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The supervisor has nothing to say now but that it closes, which ends the parser: -ECONNRESET. */
static int check_link(struct server *s)
{
	char byte;
	ssize_t size = fd_recv(s->link, &byte, sizeof(byte), NULL, 0, NULL, MSG_DONTWAIT);

	if (size == -EAGAIN)
		return 0;
	if (size < 0)
		return (int)size;
	return size == 0 ? -ECONNRESET : -EPROTO;
}

/* Until the client has something to read: CLIENT_READY or CLIENT_LATE; 0: look again. */
static int wait_readable(struct server *s, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = s->link, .events = POLLIN },
		{ .fd = s->client, .events = POLLIN },
	};
	struct timespec left, *timeout = NULL;

	if (deadline >= 0) {
		int64_t ms = deadline - now_ms();

		if (ms <= 0)
			return CLIENT_LATE;
		left = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
		timeout = &left;
	}
	if (ppoll(fds, ARRAY_SIZE(fds), timeout, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents)
		return check_link(s);
	return fds[1].revents ? CLIENT_READY : 0;
}

/* Takes in what the client has sent. 0, an INBOX_ or a CLIENT_ outcome, or a negative errno. */
static int receive(struct server *s)
{
	int fds[PARSER_FDS_MAX];
	size_t n_fds = 0, space;
	char *to = inbox_space(&s->inbox, &space);
	ssize_t size = fd_recv(s->client, to, space, fds, ARRAY_SIZE(fds), &n_fds, MSG_DONTWAIT);
	int r;

	if (size == -EAGAIN)
		return 0;
	if (size == -EPROTO)
		return CLIENT_TOO_MANY_FDS;
	/* ECONNRESET: it closed with our answers unread. */
	if (size == 0 || size == -ECONNRESET) {
		fd_close_many(fds, n_fds);
		return CLIENT_CLOSED;
	}
	if (size < 0)
		return (int)size;
	r = inbox_received(&s->inbox, (size_t)size, fds, n_fds);
	if (r)
		fd_close_many(fds, n_fds);
	return r;
}

/* Until a message is whole, or never will be: an INBOX_ or CLIENT_ outcome, or a negative errno. */
static int wait_message(struct server *s, const char **ret_bytes, size_t *ret_size)
{
	int64_t deadline = -1;

	for (;;) {
		int r = inbox_look(&s->inbox, ret_bytes, ret_size);

		if (r)
			return r;
		if (deadline < 0 && inbox_has_begun(&s->inbox))
			deadline = now_ms() + s->deadline_ms;
		r = wait_readable(s, deadline);
		if (r == CLIENT_READY)
			r = receive(s);
		if (r)
			return r;
	}
}

/* Turns the outcome of a wait into the message for the supervisor. */
static int compose(struct server *s, int outcome, const char *bytes, size_t size)
{
	struct parser_message *message = &s->message;

	memset(message, 0, sizeof(*message));
	switch (outcome) {
	case INBOX_WHOLE:
		return call_parse(&s->text, bytes, size, s->inbox.n_fds, message);
	case INBOX_NOT_ALONE:
	case CLIENT_TOO_MANY_FDS:
		refusal_write(message, PARSER_REFUSED_INVALID_PARAMETER, true, "fds");
		return 0;
	case CLIENT_CLOSED:
		message->version = PARSER_MESSAGE_VERSION;
		message->event = PARSER_END;
		return 0;
	default: /* too large, too late */
		refusal_write(message, PARSER_REFUSED_SYNTAX, true, NULL);
		return 0;
	}
}

static int wait_next(struct server *s)
{
	_cleanup_(closep) int fd = -EBADF;
	enum parser_command command;
	int r = recv_order(s, &command, &fd);

	if (r < 0)
		return r;
	return command == PARSER_NEXT && fd < 0 ? 0 : -EPROTO;
}

static int serve_client(struct server *s)
{
	for (;;) {
		const char *bytes = NULL;
		size_t size = 0;
		int r, outcome = wait_message(s, &bytes, &size);

		if (outcome < 0)
			return outcome;
		r = compose(s, outcome, bytes, size);
		if (r < 0)
			return r;
		r = send_message(s);
		if (r < 0)
			return r;
		if (s->message.event == PARSER_END || s->message.fatal) {
			close_client(s);
			/* Nothing may follow but the supervisor's closing. */
			r = wait_next(s);
			return r == 0 ? -EPROTO : r;
		}
		close_message_fds(s);
		inbox_drop(&s->inbox);
		r = wait_next(s);
		if (r < 0)
			return r;
	}
}

/* A whole file; one of more than a message's size is too large. */
static int serve_manifest(struct server *s)
{
	size_t size = 0;

	for (;;) {
		ssize_t n = read(s->client, s->inbox.bytes + size, sizeof(s->inbox.bytes) - size);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (n > 0 && size < sizeof(s->inbox.bytes))
			continue;
		r = manifest_parse(&s->text, s->inbox.bytes, size, &s->message);
		return r < 0 ? r : send_message(s);
	}
}

static int serve_assignment(struct server *s)
{
	enum parser_command command;
	int r;

	s->client = -EBADF;
	r = recv_order(s, &command, &s->client);
	if (r < 0)
		return r;
	if (s->client < 0)
		return -EPROTO;
	switch (command) {
	case PARSER_ASSIGN_CLIENT:
		return serve_client(s);
	case PARSER_ASSIGN_MANIFEST:
		return serve_manifest(s);
	default:
		return -EPROTO;
	}
}

int serve(struct server *server)
{
	int r = serve_assignment(server);

	close_client(server);
	/* The supervisor closes when it wants no more of this parser, at whatever point that is. */
	return r == -ECONNRESET || r == -EPIPE ? 0 : r;
}
