// SPDX-License-Identifier: Apache-2.0
/* Requests that wait for room in the spawner's socket; see request-queue.h. */
#include "dmuserd/supervisor/request-queue.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <sys/socket.h>

/* More than there are volumes by default; each holds four descriptors or more. */
#define QUEUE_MAX 4096

struct queued_request {
	struct queued_request *next;
	struct spawner_request request;
	size_t n_fds;
	int fds[SPAWNER_FD_RESOURCES + CONFINE_RESOURCES_MAX];
};

static void queued_free(struct queued_request *q)
{
	fd_close_many(q->fds, q->n_fds);
	free(q);
}

int request_queue_add(struct request_queue *queue, const struct spawner_request *request,
		      const int *fds, size_t n_fds)
{
	struct queued_request *q;

	if (queue->n >= QUEUE_MAX)
		return -EAGAIN;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->request = *request;
	for (; q->n_fds < n_fds; q->n_fds++) {
		int fd = fcntl(fds[q->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			int r = -errno;

			queued_free(q);
			return r;
		}
		q->fds[q->n_fds] = fd;
	}
	if (queue->last)
		queue->last->next = q;
	else
		queue->first = q;
	queue->last = q;
	queue->n++;
	return 0;
}

static void drop_first(struct request_queue *queue)
{
	struct queued_request *q = queue->first;

	queue->first = q->next;
	if (!queue->first)
		queue->last = NULL;
	queue->n--;
	queued_free(q);
}

int request_queue_send(struct request_queue *queue, int socket)
{
	while (queue->first) {
		struct queued_request *q = queue->first;
		int r = fd_send(socket, &q->request, sizeof(q->request), q->fds, q->n_fds,
				MSG_DONTWAIT);

		if (r == -EAGAIN)
			return 1;
		if (r < 0)
			return r;
		drop_first(queue);
	}
	return 0;
}

void request_queue_clear(struct request_queue *queue)
{
	while (queue->first)
		drop_first(queue);
}
