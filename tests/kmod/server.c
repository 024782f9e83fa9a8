// SPDX-License-Identifier: Apache-2.0
/*
 * A worker that keeps the volume in memory: the original's kind of client, with threads that share a
 * channel or have one each, and with reads and writes as small as asked for; or one that has whole
 * messages, many a call.
 */
#include "server.h"

#include <fcntl.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"

struct server_thread {
	struct server *server;
	int fd;
};

/* A header and its payload are two reads, so threads that share a channel take turns. */
static int server_next(struct server *s, int fd, struct dm_user_message *ret_msg, char *payload)
{
	if (s->shared)
		CHECK_EQ(pthread_mutex_lock(&s->reading), 0);
	int r = channel_read_all(fd, ret_msg, sizeof(*ret_msg), s->chunk);
	if (r == 0 && ret_msg->type == DM_USER_REQ_MAP_WRITE)
		r = channel_read_all(fd, payload, ret_msg->len, s->chunk);
	if (s->shared)
		CHECK_EQ(pthread_mutex_unlock(&s->reading), 0);
	return r;
}

/* Returns the bytes that the answer carries after its header, put there. */
static size_t server_execute(struct server *s, const struct dm_user_message *msg, char *payload)
{
	char *place = s->store + msg->sector * 512;

	CHECK(msg->type < 16);
	CHECK(msg->sector * 512 + msg->len <= s->size);
	s->counts[msg->type]++;
	switch (msg->type) {
	case DM_USER_REQ_MAP_READ:
		memcpy(payload, place, msg->len);
		return msg->len;
	case DM_USER_REQ_MAP_WRITE:
		s->fua += !!(msg->flags & DM_USER_REQ_MAP_FLAG_FUA);
		memcpy(place, payload, msg->len);
		return 0;
	case DM_USER_REQ_MAP_DISCARD:
	case DM_USER_REQ_MAP_SECURE_ERASE:
	case DM_USER_REQ_MAP_WRITE_ZEROES:
		memset(place, 0, msg->len);
		return 0;
	default:
		CHECK_EQ(msg->type, DM_USER_REQ_MAP_FLUSH);
		CHECK_EQ(msg->len, 0);
		return 0;
	}
}

/* Takes any request and any answer, and so several of those that are not the largest. */
#define SERVER_BATCH_BYTES (sizeof(struct dm_user_message) + PAYLOAD_MAX)

static void server_flush(int fd, const char *out, size_t *filled)
{
	CHECK_EQ(channel_write_all(fd, out, *filled, 0), 0);
	*filled = 0;
}

/* Executes what a read() brought, and answers it in as few calls as `out` has room for. */
static void server_execute_batch(struct server *s, int fd, const char *in, size_t len, char *out)
{
	size_t filled = 0;

	for (size_t done = 0; done < len;) {
		const struct dm_user_message *msg = (const void *)(in + done);
		bool writes = msg->type == DM_USER_REQ_MAP_WRITE;
		size_t answers = msg->type == DM_USER_REQ_MAP_READ ? msg->len : 0;

		CHECK(len - done >= sizeof(*msg));
		CHECK(!writes || len - done - sizeof(*msg) >= msg->len);
		if (filled + sizeof(*msg) + answers > SERVER_BATCH_BYTES)
			server_flush(fd, out, &filled);

		struct dm_user_message *answer = (void *)(out + filled);
		char *data = writes ? (char *)msg->buf : (char *)answer->buf;
		*answer = (struct dm_user_message){ .seq = msg->seq, .len = answers,
						    .type = DM_USER_RESP_SUCCESS };
		CHECK_EQ(server_execute(s, msg, data), answers);
		done += sizeof(*msg) + (writes ? msg->len : 0);
		filled += sizeof(*msg) + answers;
	}
	server_flush(fd, out, &filled);
}

static void *server_thread_batch(void *userdata)
{
	struct server_thread *thread = userdata;
	char *in = malloc(SERVER_BATCH_BYTES), *out = malloc(SERVER_BATCH_BYTES);
	ssize_t n;

	CHECK(in && out);
	while ((n = read(thread->fd, in, SERVER_BATCH_BYTES)) >= 0)
		server_execute_batch(thread->server, thread->fd, in, n, out);
	CHECK_EQ(errno, ENOTBLK);
	free(in);
	free(out);
	free(thread);
	return NULL;
}

static void *server_thread(void *userdata)
{
	struct server_thread *thread = userdata;
	struct server *s = thread->server;
	struct dm_user_message *msg = malloc(sizeof(*msg) + PAYLOAD_MAX);
	static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;
	int r;

	CHECK(msg);
	while ((r = server_next(s, thread->fd, msg, (char *)msg->buf)) == 0) {
		size_t len = server_execute(s, msg, (char *)msg->buf);

		msg->type = DM_USER_RESP_SUCCESS;
		/* in pieces, an answer is no longer one write(), so others must keep out */
		if (s->chunk && s->shared)
			CHECK_EQ(pthread_mutex_lock(&answering), 0);
		CHECK_EQ(channel_write_all(thread->fd, msg, sizeof(*msg) + len, s->chunk), 0);
		if (s->chunk && s->shared)
			CHECK_EQ(pthread_mutex_unlock(&answering), 0);
	}
	CHECK_EQ(r, -ENOTBLK);
	free(msg);
	free(thread);
	return NULL;
}

static void server_begin(struct server *s, const struct target *t)
{
	CHECK(s->threads <= 64);
	s->size = t->sectors * 512;
	s->store = calloc(1, s->size);
	CHECK(s->store);
	for (int i = 0; i < s->threads; i++) {
		struct server_thread *thread = malloc(sizeof(*thread));

		CHECK(thread);
		if (s->shared && i)
			s->fds[i] = s->fds[0];
		else
			s->fds[i] = s->batch ? channel_open_batch(t, 0) : channel_open(t, 0);
		*thread = (struct server_thread){ s, s->fds[i] };
		CHECK_EQ(pthread_create(&s->ids[i], NULL,
					s->batch ? server_thread_batch : server_thread, thread), 0);
	}
}

void server_start(struct server *s, const struct target *t, int threads, bool shared, size_t chunk)
{
	*s = (struct server){ .threads = threads, .shared = shared, .chunk = chunk,
			      .reading = PTHREAD_MUTEX_INITIALIZER };
	server_begin(s, t);
}

void server_start_batch(struct server *s, const struct target *t, int threads, bool shared)
{
	*s = (struct server){ .threads = threads, .shared = shared, .batch = true };
	server_begin(s, t);
}

void server_join(struct server *s)
{
	for (int i = 0; i < s->threads; i++)
		CHECK_EQ(pthread_join(s->ids[i], NULL), 0);
	for (int i = 0; i < (s->shared ? 1 : s->threads); i++)
		CHECK_EQ(close(s->fds[i]), 0);
	free(s->store);
}
