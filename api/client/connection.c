// SPDX-License-Identifier: Apache-2.0
/*
 * A connection: a socket, what was read of the next reply, and whether a reply is owed.
 *
 * It owns the socket and every descriptor received until a reply takes them. The socket is non-blocking,
 * and every wait is a poll() with what is left of the caller's deadline. One call at a time: with
 * nothing outstanding, a descriptor can only belong to the message that is being read.
 */
#include "api/client/deadline.h"
#include "api/client/message.h"
#include "api/client/reply.h"
#include "api/dmuser.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_STEP_BYTES 4096

struct dmuser_connection {
	int fd;
	bool broken;          /* the stream cannot be trusted any more */
	bool owed;            /* a reply is to come */
	bool more;            /* …and may be followed by others */
	bool oneway_unproven; /* a one-way call may still wait in the socket, next to what is sent now */
	size_t reply_max_bytes;

	char *buffer; /* bytes received and not yet given out */
	size_t size, capacity;
	size_t searched; /* no NUL before this */
	int fds[DMUSER_FDS_MAX]; /* descriptors of the message at the head of the buffer */
	size_t n_fds;
};

static int address_parse(const char *address, struct sockaddr_un *ret_address, socklen_t *ret_size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t length;

	if (!address)
		address = secure_getenv("DMUSER_ADDRESS");
	if (!address || !address[0])
		address = DMUSER_ADDRESS_DEFAULT;
	if (strncmp(address, "unix:", 5) == 0)
		address += 5;
	length = strlen(address);
	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, address, length + 1);
	*ret_address = sa;
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

/*
 * A non-blocking connect() to a full backlog fails at once and cannot be polled for; a blocking one waits
 * for as long as the socket's send time-out says.
 */
static int socket_connect(int fd, const struct sockaddr_un *sa, socklen_t size, int timeout_ms)
{
	uint64_t deadline = deadline_after_ms(timeout_ms);

	for (;;) {
		int left = deadline_left_ms(deadline);
		/* A time-out of zero would mean none. */
		struct timeval tv = { .tv_sec = left / 1000,
				      .tv_usec = left % 1000 * 1000 + (left == 0) };

		if (left >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)sa, size) == 0)
			return 0;
		if (errno == EAGAIN)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int dmuser_connect(const char *address, int timeout_ms, struct dmuser_connection **ret_connection)
{
	_cleanup_(closep) int fd = -EBADF;
	struct dmuser_connection *c;
	struct sockaddr_un sa;
	socklen_t size;
	int r;

	r = address_parse(address, &sa, &size);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = socket_connect(fd, &sa, size, timeout_ms);
	if (r < 0)
		return r;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = take_fd(&fd);
	c->reply_max_bytes = DMUSER_REPLY_MAX_BYTES;
	*ret_connection = c;
	return 0;
}

void dmuser_connection_free(struct dmuser_connection *c)
{
	if (!c)
		return;
	close(c->fd);
	fd_close_many(c->fds, c->n_fds);
	free(c->buffer);
	free(c);
}

int dmuser_connection_fd(const struct dmuser_connection *c)
{
	return c->fd;
}

void dmuser_set_reply_limit(struct dmuser_connection *c, size_t max_bytes)
{
	c->reply_max_bytes = max_bytes;
}

static int connection_break(struct dmuser_connection *c, int error)
{
	c->broken = true;
	return error;
}

/* One sendmsg(). Returns the count of bytes that went out, or a negative errno. */
static ssize_t send_some(int fd, const char *data, size_t size, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DMUSER_FDS_MAX)];
	} control = {};
	struct iovec iov = { .iov_base = (char *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

/* The descriptors go with the first byte. */
static int send_all(int fd, const char *data, size_t size, const int *fds, size_t n_fds,
		    uint64_t deadline)
{
	while (size > 0) {
		ssize_t sent = send_some(fd, data, size, fds, n_fds);
		int r;

		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
			n_fds = 0;
			continue;
		}
		if (sent < 0 && sent != -EAGAIN && sent != -EINTR)
			return (int)sent;
		r = deadline_wait_fd(fd, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_closed_by_server(int error)
{
	return error == -EPIPE || error == -ECONNRESET;
}

/*
 * A server that turns a client away says why and closes, before or while the client sends its call. What it
 * said is still to be read, and is the answer; without any, the error of the sending is.
 */
static bool has_unread(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int send_by(struct dmuser_connection *c, const char *method, struct json_object *parameters,
		   unsigned int flags, const int *fds, size_t n_fds, uint64_t deadline)
{
	_cleanup_(freep) char *text = NULL;
	bool oneway = flags & DMUSER_CALL_ONEWAY;
	size_t size;
	int r;

	if (c->broken)
		return -ENOTCONN;
	if (c->owed || (n_fds > 0 && c->oneway_unproven))
		return -EBUSY;
	if (n_fds > DMUSER_FDS_MAX || (flags & ~(DMUSER_CALL_MORE | DMUSER_CALL_ONEWAY)) ||
	    (oneway && (flags & DMUSER_CALL_MORE)))
		return -EINVAL;
	r = message_format_call(method, parameters, flags, &text, &size);
	if (r < 0)
		return r;
	r = send_all(c->fd, text, size, fds, n_fds, deadline);
	if (is_closed_by_server(r) && !oneway && has_unread(c->fd))
		r = 0;
	if (r < 0)
		return connection_break(c, r);
	if (oneway) {
		c->oneway_unproven = true;
	} else {
		c->owed = true;
		c->more = flags & DMUSER_CALL_MORE;
	}
	return 0;
}

int dmuser_send(struct dmuser_connection *c, const char *method, struct json_object *parameters,
		unsigned int flags, const int *fds, size_t n_fds, int timeout_ms)
{
	return send_by(c, method, parameters, flags, fds, n_fds, deadline_after_ms(timeout_ms));
}

static int buffer_grow(struct dmuser_connection *c)
{
	size_t capacity = c->capacity ? c->capacity * 2 : READ_STEP_BYTES;
	char *grown;

	if (c->capacity - c->size >= READ_STEP_BYTES / 2)
		return 0;
	grown = realloc(c->buffer, capacity);
	if (!grown)
		return -ENOMEM;
	c->buffer = grown;
	c->capacity = capacity;
	return 0;
}

/*
 * Reads what there is. Descriptors are taken only with the first bytes of a message and only if no
 * second message begins in the same read: the kernel puts bytes that carry none in front of those that do,
 * and then nobody can tell whose they are.
 */
static int read_some(struct dmuser_connection *c)
{
	bool at_start = c->size == 0;
	size_t n_fds = 0;
	ssize_t n;
	int fds[DMUSER_FDS_MAX];
	int r;

	r = buffer_grow(c);
	if (r < 0)
		return r;
	n = fd_recv(c->fd, c->buffer + c->size, c->capacity - c->size, fds, DMUSER_FDS_MAX, &n_fds,
		    MSG_DONTWAIT);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ECONNRESET;
	c->size += (size_t)n;
	if (n_fds > 0) {
		const char *end = memchr(c->buffer, 0, c->size);

		if (!at_start || (end && end != c->buffer + c->size - 1)) {
			fd_close_many(fds, n_fds);
			return -EPROTO;
		}
		memcpy(c->fds, fds, n_fds * sizeof(*fds));
		c->n_fds = n_fds;
	}
	return 0;
}

/* Waits until the buffer holds a whole message; *ret_length is without its NUL. */
static int read_message(struct dmuser_connection *c, uint64_t deadline, size_t *ret_length)
{
	for (;;) {
		const char *end = NULL;
		int r;

		if (c->size > c->searched)
			end = memchr(c->buffer + c->searched, 0, c->size - c->searched);
		if ((end ? (size_t)(end - c->buffer) : c->size) > c->reply_max_bytes)
			return connection_break(c, -EMSGSIZE);
		if (end) {
			*ret_length = (size_t)(end - c->buffer);
			return 0;
		}
		c->searched = c->size;
		r = read_some(c);
		if (r == -EAGAIN) {
			r = deadline_wait_fd(c->fd, POLLIN, deadline);
			if (r == -ETIMEDOUT)
				return r;
		}
		if (r < 0)
			return connection_break(c, r);
	}
}

static void buffer_drop(struct dmuser_connection *c, size_t size)
{
	memmove(c->buffer, c->buffer + size, c->size - size);
	c->size -= size;
	c->searched = 0;
}

static int receive_by(struct dmuser_connection *c, uint64_t deadline,
		      struct dmuser_reply **ret_reply)
{
	struct message message;
	struct dmuser_reply *reply;
	size_t length, n_fds;
	int r;

	if (c->broken)
		return -ENOTCONN;
	if (!c->owed)
		return -EINVAL;
	r = read_message(c, deadline, &length);
	if (r < 0)
		return r;
	r = message_parse_reply(c->buffer, length, &message);
	if (r < 0)
		return connection_break(c, r);
	/* What nobody asked for: a continuation without `more`, or bytes behind the last reply. */
	if (message.continues ? !c->more : c->size > length + 1) {
		message_clear(&message);
		return connection_break(c, -EPROTO);
	}
	n_fds = c->n_fds;
	c->n_fds = 0;
	r = reply_new_consume(&message, c->fds, n_fds, &reply);
	if (r < 0)
		return connection_break(c, r);
	buffer_drop(c, length + 1);
	if (!dmuser_reply_continues(reply)) {
		c->owed = false;
		c->oneway_unproven = false;
	}
	*ret_reply = reply;
	return dmuser_reply_error(reply) ? DMUSER_REFUSED : 0;
}

int dmuser_receive(struct dmuser_connection *c, int timeout_ms, struct dmuser_reply **ret_reply)
{
	return receive_by(c, deadline_after_ms(timeout_ms), ret_reply);
}

int dmuser_call(struct dmuser_connection *c, const char *method, struct json_object *parameters,
		const int *fds, size_t n_fds, int timeout_ms, struct dmuser_reply **ret_reply)
{
	uint64_t deadline = deadline_after_ms(timeout_ms);
	int r;

	r = send_by(c, method, parameters, 0, fds, n_fds, deadline);
	if (r < 0)
		return r;
	return receive_by(c, deadline, ret_reply);
}
