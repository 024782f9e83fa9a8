// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket; see control.h and dmuserd/messages/worker.h.
 *
 * Only the supervisor can connect (the socket lies in its 0700 directory), so requests are obeyed, but a
 * message that is not one ends the connection, and never the worker: the volume matters more. One
 * connection at a time keeps the descriptors where the profile expects them: the connection is 4, the
 * channel 5. Never allocates.
 */
#include "api/worker/control.h"
#include "api/worker/serve.h"
#include "dmuserd/messages/confine-step.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int answer(const struct dmuser_worker *worker, int socket, uint32_t op, int error)
{
	struct worker_message message = {
		.version = WORKER_MESSAGE_VERSION,
		.op = op,
		.generation = worker->setup.generation,
		.error = error,
		.attached = worker->attached,
	};
	size_t n_fds = 0;

	memcpy(message.uuid, worker->setup.uuid, sizeof(message.uuid));
	if (op == WORKER_RESOURCES && error == 0)
		n_fds = message.count = worker->ops->n_resources;
	return fd_send(socket, &message, sizeof(message), worker->resources, n_fds, 0);
}

/* Takes the channel over from *fd. Only this thread attaches, so it may look without the lock. */
static int attach(struct dmuser_worker *worker, const struct worker_message *message, int *fd)
{
	if (*fd < 0)
		return -EBADF;
	if (message->generation != worker->setup.generation)
		return -ESTALE;
	if (worker->attached)
		return -EBUSY;
	/*
	 * Until now a worker whose spawner died was of no use to anybody. From now on it holds a
	 * container's data, and ends with the target.
	 */
	if (prctl(PR_SET_PDEATHSIG, 0L, 0L, 0L, 0L) < 0)
		return -errno;
	serve_attach(worker, take_fd(fd));
	return 0;
}

/* 0, or a negative errno if the connection cannot go on. */
static int handle(struct dmuser_worker *worker, int socket, const struct worker_message *message,
		  int *fd)
{
	if (message->version != WORKER_MESSAGE_VERSION)
		return answer(worker, socket, message->op, -EPROTONOSUPPORT);
	switch (message->op) {
	case WORKER_HELLO:
	case WORKER_RESOURCES:
		return answer(worker, socket, message->op, 0);
	case WORKER_CHANNEL:
		return answer(worker, socket, message->op, attach(worker, message, fd));
	case WORKER_STOP:
		serve_stop(worker);
	default:
		return answer(worker, socket, message->op, -EOPNOTSUPP);
	}
}

void control_serve_connection(struct dmuser_worker *worker, int socket)
{
	int r;

	do {
		_cleanup_(closep) int fd = -EBADF;
		struct worker_message message;

		r = fd_recv_exact(socket, &message, sizeof(message), &fd, 1, NULL, 0);
		if (r == 0)
			r = handle(worker, socket, &message, &fd);
	} while (r == 0);
}

_Noreturn void control_serve(struct dmuser_worker *worker)
{
	static const struct timespec pause = { .tv_sec = 1 };

	for (;;) {
		_cleanup_(closep) int socket = accept4(CONFINE_FD_LINK, NULL, NULL, SOCK_CLOEXEC);

		if (socket >= 0)
			control_serve_connection(worker, socket);
		else if (errno == ENOMEM || errno == ENOBUFS || errno == ENFILE)
			/* The machine is short of something; the volume is served meanwhile. */
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		else if (errno != EINTR && errno != ECONNABORTED)
			worker_die(worker, DMUSER_EXIT_CONTROL, -errno);
	}
}
