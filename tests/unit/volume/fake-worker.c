// SPDX-License-Identifier: Apache-2.0
/*
 * A worker as the supervisor meets it, without confinement and without a volume: its sockets, its
 * channel's end, and every bad manner that a test asks for.
 */
#include "tests/unit/volume/fake-worker.h"
#include "dmuserd/messages/worker.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct self {
	enum worker_manner manner;
	struct worker_setup setup;
	int link, connection, channel;
	int resources[CONFINE_RESOURCES_MAX];
	size_t n_resources;
	bool attached;
};

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void seal(struct self *self, int setup_fd)
{
	struct confine_report report = { .step = CONFINE_SEALED };

	if (fd_recv_exact(setup_fd, &self->setup, sizeof(self->setup), NULL, 0, NULL, 0) < 0)
		_exit(3);
	switch (self->manner) {
	case WORKER_DIES_UNSEALED:
		_exit(7);
	case WORKER_IS_NEVER_SEALED:
		sleep_for_ever();
	case WORKER_FAILS_TO_SEAL:
		report.step = CONFINE_MLOCK;
		report.error = -ENOMEM;
		strcpy(report.detail, "too little");
		fd_send(setup_fd, &report, sizeof(report), NULL, 0, 0);
		_exit(1);
	case WORKER_REPORTS_NONSENSE:
		fd_send(setup_fd, "nonsense", 8, NULL, 0, 0);
		sleep_for_ever();
	case WORKER_DOES_NOT_LISTEN:
		break;
	default:
		if (listen(self->link, 1) < 0)
			_exit(4);
	}
	fd_send(setup_fd, &report, sizeof(report), NULL, 0, 0);
	close(setup_fd);
}

static void answer(struct self *self, uint32_t op, int error)
{
	struct worker_message m = {
		.version = WORKER_MESSAGE_VERSION,
		.op = op,
		.generation = self->setup.generation,
		.error = error,
		.attached = self->attached,
	};
	const int *fds = NULL;
	size_t n_fds = 0;

	memcpy(m.uuid, self->setup.uuid, sizeof(m.uuid));
	if (op == WORKER_HELLO && self->manner == WORKER_IS_ANOTHER)
		m.uuid[0] ^= 1;
	if (op == WORKER_HELLO && self->manner == WORKER_IS_OF_ANOTHER_GENERATION)
		m.generation++;
	if (op == WORKER_HELLO && self->manner == WORKER_SAYS_IT_IS_ATTACHED)
		m.attached = 1;
	if (op == WORKER_RESOURCES) {
		fds = self->resources;
		m.count = (uint32_t)(n_fds = self->n_resources);
	}
	if (op == WORKER_HELLO && self->manner == WORKER_SENDS_DESCRIPTORS) {
		fds = &self->link;
		n_fds = 1;
	}
	fd_send(self->connection, &m, sizeof(m), fds, n_fds, 0);
}

static void on_hello(struct self *self)
{
	if (self->manner == WORKER_DIES_AT_HELLO)
		_exit(8);
	if (self->manner == WORKER_DOES_NOT_SAY_HELLO)
		return;
	answer(self, WORKER_HELLO, 0);
	if (self->manner == WORKER_ANSWERS_TWICE)
		answer(self, WORKER_HELLO, 0);
}

static void on_channel(struct self *self, int fd)
{
	if (self->manner == WORKER_DIES_AT_CHANNEL)
		_exit(9);
	if (self->manner == WORKER_DOES_NOT_TAKE_CHANNEL)
		return;
	if (self->manner == WORKER_REFUSES_CHANNEL) {
		close(fd);
		answer(self, WORKER_CHANNEL, -EBUSY);
		return;
	}
	self->channel = fd;
	self->attached = true;
	answer(self, WORKER_CHANNEL, 0);
}

static void on_message(struct self *self)
{
	struct worker_message m;
	size_t n_fds = 0;
	int fd = -1;

	if (fd_recv_exact(self->connection, &m, sizeof(m), &fd, 1, &n_fds, 0) < 0) {
		close(self->connection);
		self->connection = -1;
		return;
	}
	switch (m.op) {
	case WORKER_HELLO:
		on_hello(self);
		break;
	case WORKER_CHANNEL:
		on_channel(self, fd);
		break;
	case WORKER_RESOURCES:
		answer(self, WORKER_RESOURCES, 0);
		break;
	case WORKER_STOP:
		if (self->manner != WORKER_IGNORES_STOP)
			_exit(0);
		break;
	}
}

static void on_channel_end(struct self *self)
{
	if (self->manner != WORKER_IGNORES_ITS_TARGETS_END && self->manner != WORKER_IGNORES_STOP)
		_exit(0);
	close(self->channel);
	self->channel = -1;
}

static _Noreturn void serve(struct self *self)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = self->connection < 0 ? self->link : -1, .events = POLLIN },
			{ .fd = self->connection, .events = POLLIN },
			{ .fd = self->channel, .events = POLLIN },
		};

		if (self->manner == WORKER_DOES_NOT_LISTEN)
			p[0].fd = -1;
		if (poll(p, 3, -1) < 0)
			_exit(5);
		if (p[0].revents)
			self->connection = accept(self->link, NULL, NULL);
		if (p[1].revents)
			on_message(self);
		if (p[2].revents)
			on_channel_end(self);
	}
}

void fake_worker_run(enum worker_manner manner, uid_t uid, int link, int setup,
		     const int *resources, size_t n_resources)
{
	static struct self self = { .connection = -1, .channel = -1 };
	int high[3 + CONFINE_RESOURCES_MAX];
	size_t n = 0;

	/* cmocka catches it. */
	signal(SIGSYS, SIG_DFL);
	/* Moved up in their order, so that the rest can be closed. */
	high[n++] = fcntl(link, F_DUPFD, 500);
	high[n++] = fcntl(setup, F_DUPFD, 501);
	for (size_t i = 0; i < n_resources; i++)
		high[n++] = fcntl(resources[i], F_DUPFD, 502 + (int)i);
	fd_close_all_but(high, n);
	if (geteuid() == 0 && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
		_exit(2);
	/* After the change of uid, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self.manner = manner;
	self.link = high[0];
	memcpy(self.resources, &high[2], n_resources * sizeof(high[0]));
	self.n_resources = n_resources;
	if (manner == WORKER_GIVES_WRONG_RESOURCES && n_resources > 0)
		self.resources[0] = open("/dev/null", O_RDWR);
	seal(&self, high[1]);
	serve(&self);
}
