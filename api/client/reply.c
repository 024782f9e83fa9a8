// SPDX-License-Identifier: Apache-2.0
/* A reply and what it owns; see reply.h and api/dmuser.h. */
#include "api/client/reply.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>

struct dmuser_reply {
	struct message message;
	size_t n_fds;
	int fds[DMUSER_FDS_MAX]; /* -EBADF: taken */
};

int reply_new_consume(struct message *message, int *fds, size_t n_fds,
		      struct dmuser_reply **ret_reply)
{
	struct dmuser_reply *reply = calloc(1, sizeof(*reply));

	if (!reply) {
		message_clear(message);
		fd_close_many(fds, n_fds);
		return -ENOMEM;
	}
	reply->message = *message;
	reply->n_fds = n_fds;
	memcpy(reply->fds, fds, n_fds * sizeof(*fds));
	*ret_reply = reply;
	return 0;
}

void dmuser_reply_free(struct dmuser_reply *reply)
{
	if (!reply)
		return;
	fd_close_many(reply->fds, reply->n_fds);
	message_clear(&reply->message);
	free(reply);
}

const char *dmuser_reply_error(const struct dmuser_reply *reply)
{
	return reply->message.error;
}

struct json_object *dmuser_reply_parameters(const struct dmuser_reply *reply)
{
	return reply->message.parameters;
}

bool dmuser_reply_continues(const struct dmuser_reply *reply)
{
	return reply->message.continues;
}

int dmuser_reply_take_fd(struct dmuser_reply *reply, size_t index)
{
	if (index >= reply->n_fds || reply->fds[index] < 0)
		return -ENOENT;
	return take_fd(&reply->fds[index]);
}
