// SPDX-License-Identifier: Apache-2.0
/*
 * A backend that has been taken over, and talks to the supervisor without end: a volume that is
 * called "early" before it is sealed, any other at its first read. All that it does its profile
 * allows. Killed, or it goes on for ever.
 */
#include "api/dmuser-worker.h"
#include "dmuserd/messages/confine-step.h"
#include "dmuserd/messages/worker.h"

#include <string.h>
#include <sys/socket.h>

/* Setup socket first, then the supervisor's connection: both lie there. */
_Noreturn static void flood(void *message, size_t size)
{
	struct iovec iov = { .iov_base = message, .iov_len = size };
	const struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (;;)
		(void)sendmsg(CONFINE_FD_SETUP, &header, MSG_NOSIGNAL);
}

static int flood_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	static struct confine_report report = { .step = CONFINE_PREPARE, .detail = "flooding" };

	if (strcmp(dmuser_worker_volume_name(worker), "early") == 0)
		flood(&report, sizeof(report));
	*ret_volume = NULL;
	return 0;
}

static int flood_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		      uint64_t offset)
{
	static struct worker_message message = { .version = WORKER_MESSAGE_VERSION,
						 .op = WORKER_HELLO };

	flood(&message, sizeof(message));
}

static const struct dmuser_worker_ops ops = {
	.type = "flood",
	.summary = "Floods its supervisor.",
	.n_threads = 2,
	.n_resources = 1,
	.resources = { { .kind = DMUSER_RESOURCE_MEMFD } },
	.prepare = flood_prepare,
	.read = flood_read,
};

int main(int argc, char **argv)
{
	return dmuser_worker_run(&ops, argc, argv);
}
