// SPDX-License-Identifier: Apache-2.0
/* A backend started as the spawner does; see confined.h. */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/confined.h"
#include "tests/unit/worker/kernel-side.h"

#include "util/cleanup.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

const char *confined_build;

void confined_fill_setup(struct worker_setup *ret_setup)
{
	*ret_setup = (struct worker_setup){
		.version = WORKER_MESSAGE_VERSION,
		.block_size = 512,
		.size_bytes = CONFINED_SIZE_BYTES,
		.generation = CONFINED_GENERATION,
		.uuid = "01234567-89ab-cdef-0123-456789abcdef",
		.volume = "confined",
		.n_resources = 1,
	};
}

static void set_patience(int socket)
{
	const struct timeval patience = { .tv_sec = TEST_PATIENCE_S };

	setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void bind_link(struct confined *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(c->path, sizeof(c->path), "/tmp/dmuser-link.%d", getpid());
	unlink(c->path);
	memcpy(address.sun_path, c->path, sizeof(c->path));
	c->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(c->link >= 0);
	assert_int_equal(bind(c->link, (struct sockaddr *)&address, sizeof(address)), 0);
}

static int open_in_build(const char *format, const char *type)
{
	char name[64], path[512];
	int fd;

	snprintf(name, sizeof(name), format, type);
	snprintf(path, sizeof(path), "%s/%s", confined_build, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The child: everything moves out of the way first, so that no number is overwritten too early. */
_Noreturn static void become_worker(int program, const int *descriptors, size_t count,
				    const char *argument)
{
	char name[] = "worker", *const arguments[] = { name, (char *)argument, NULL };
	char *const environment[] = { NULL };
	const struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };
	int high[16];

	for (size_t i = 0; i < count; i++)
		high[i] = fcntl(descriptors[i], F_DUPFD, 100);
	program = fcntl(program, F_DUPFD_CLOEXEC, 100);
	for (size_t i = 0; i < count; i++)
		dup2(high[i], (int)i);
	if (program != 200)
		dup3(program, 200, O_CLOEXEC);
	close_range(count, 199, 0);
	close_range(201, ~0u, 0);
	/* Only root may; others have what they have, which the volumes of these tests fit in. */
	setrlimit(RLIMIT_MEMLOCK, &memlock);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	alarm(2 * TEST_PATIENCE_S);
	fexecve(200, arguments, environment);
	_exit(98);
}

void confined_start(struct confined *c, const char *type, const struct worker_setup *setup,
		    int resource, const char *argument)
{
	_cleanup_(closep) int program = open_in_build("backends/%1$s/dmuser-backend-%1$s", type);
	_cleanup_(closep) int profile = open_in_build("seccomp/%s.bpf", type);
	_cleanup_(closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pair[2];

	*c = (struct confined){ .control = -1, .channel = -1 };
	bind_link(c);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	c->setup = pair[0];
	set_patience(c->setup);
	assert_int_equal(fd_send(c->setup, setup, sizeof(*setup), NULL, 0, 0), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0)
		become_worker(program,
			      (int[]){ null, null, null, c->link, pair[1], profile, resource },
			      resource < 0 ? 6 : 7, argument);
	close(pair[1]);
}

void confined_take_report(struct confined *c, struct confine_report *ret_report)
{
	assert_int_equal(fd_recv_exact(c->setup, ret_report, sizeof(*ret_report), NULL, 0, NULL, 0),
			 0);
}

void confined_ask(struct confined *c, uint32_t op, const int *fds, size_t n_fds,
		  struct worker_message *ret_answer)
{
	const struct worker_message request = { .version = WORKER_MESSAGE_VERSION,
						.op = op,
						.generation = CONFINED_GENERATION };

	assert_int_equal(fd_send(c->control, &request, sizeof(request), fds, n_fds, 0), 0);
	assert_int_equal(
		fd_recv_exact(c->control, ret_answer, sizeof(*ret_answer), NULL, 0, NULL, 0), 0);
}

void confined_attach(struct confined *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct worker_message answer;
	int pair[2];

	memcpy(address.sun_path, c->path, sizeof(c->path));
	c->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c->control, (struct sockaddr *)&address, sizeof(address)), 0);
	set_patience(c->control);
	confined_ask(c, WORKER_HELLO, NULL, 0, &answer);
	assert_int_equal(answer.error, 0);
	kernel_side_pair(pair);
	c->channel = pair[0];
	confined_ask(c, WORKER_CHANNEL, &pair[1], 1, &answer);
	close(pair[1]);
	assert_int_equal(answer.error, 0);
}

int confined_reap(struct confined *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	return status;
}

void confined_end(struct confined *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	fd_close_many((int[]){ c->link, c->setup, c->control, c->channel }, 4);
	unlink(c->path);
}
