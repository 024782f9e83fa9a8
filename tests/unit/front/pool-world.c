// SPDX-License-Identifier: Apache-2.0
/* A spawner and a gate that are played; see pool-world.h. */
#include "test.h"
#include "pool-world.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct pool_world pool;

/* The spawner */

int spawner_spawn(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		  size_t n_fds, uint64_t deadline_usec, spawner_spawned_fn spawned,
		  spawner_exited_fn exited, void *userdata)
{
	struct start *s = &pool.starts[pool.n_starts];

	if (pool.spawn_error < 0)
		return pool.spawn_error;
	assert_true(pool.n_starts < POOL_CHILDREN_MAX);
	assert_int_equal(n_fds, SPAWNER_FD_RESOURCES);
	pool.n_starts++;
	*s = (struct start){ .request = *request, .spawned = spawned, .userdata = userdata };
	s->link = fcntl(fds[SPAWNER_FD_LINK], F_DUPFD_CLOEXEC, 0);
	s->setup = fcntl(fds[SPAWNER_FD_SETUP], F_DUPFD_CLOEXEC, 0);
	return 0;
}

int spawner_list(struct spawner_link *link, spawner_child_fn child, spawner_listed_fn listed,
		 void *userdata)
{
	if (pool.list_error < 0)
		return pool.list_error;
	pool.child = child;
	pool.listed = listed;
	pool.list_userdata = userdata;
	pool.n_lists++;
	return 0;
}

static struct start *find_start(const char *name)
{
	for (size_t i = 0; i < pool.n_starts; i++) {
		if (strcmp(pool.starts[i].request.name, name) == 0)
			return &pool.starts[i];
	}
	return NULL;
}

int spawner_kill(struct spawner_link *link, const char *name)
{
	struct start *s = find_start(name);

	if (s) {
		s->killed = true;
		if (s->pid > 0)
			kill(s->pid, SIGKILL);
	}
	return 0;
}

int spawner_forget(struct spawner_link *link, const char *name)
{
	struct start *s = find_start(name);

	if (s)
		s->forgotten = true;
	return 0;
}

/* The gate */

int gate_check(const struct gate_expectation *expected, struct gate_verdict *ret_verdict)
{
	pool.n_gate++;
	pool.expected = *expected;
	strcpy(ret_verdict->what, "capabilities");
	strcpy(ret_verdict->detail, "too many");
	return pool.gate;
}

/* The stage */

static void touch(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pool.directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	assert_true(fd >= 0);
	close(fd);
}

void pool_settle(void)
{
	int r;

	do {
		r = sd_event_run(pool.m.event, 0);
		assert_true(r >= 0);
	} while (r > 0);
}

static int begin_with_uids(uint32_t count)
{
	char path[128];

	memset(&pool, 0, sizeof(pool));
	strcpy(pool.directory, "/tmp/dmuser-pool-XXXXXX");
	assert_non_null(mkdtemp(pool.directory));
	snprintf(path, sizeof(path), "%s/seccomp", pool.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	touch("dmuser-parser");
	touch("seccomp/parser.bpf");
	settings_init(&pool.m.settings);
	strcpy(pool.m.settings.libexec_dir, pool.directory);
	pool.m.settings.parser_pool = 2;
	pool.m.settings.parser_uid_base = 500000;
	pool.m.settings.parser_uid_count = count;
	assert_true(sd_event_new(&pool.m.event) >= 0);
	assert_int_equal(parser_pool_new(&pool.m, &pool.m.parsers), 0);
	pool_settle();
	return 0;
}

int pool_begin_unlisted(void **state)
{
	return begin_with_uids(16);
}

void list_ends(int error)
{
	pool.listed(pool.list_userdata, error);
	pool_settle();
}

int pool_begin(void **state)
{
	pool_begin_unlisted(state);
	list_ends(0);
	return 0;
}

int pool_begin_with_two(void **state)
{
	begin_with_uids(2);
	list_ends(0);
	return 0;
}

int pool_end(void **state)
{
	char command[128];

	parser_pool_free(pool.m.parsers);
	for (size_t i = 0; i < pool.n_starts; i++) {
		struct start *s = &pool.starts[i];

		closep(&s->link);
		closep(&s->setup);
		if (s->pid > 0) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
	}
	sd_event_unref(pool.m.event);
	snprintf(command, sizeof(command), "rm -r %s", pool.directory);
	assert_int_equal(system(command), 0);
	return 0;
}

pid_t start_waiter(void)
{
	int pair[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd_close_all_but((int[]){ 0, 1, 2 }, 3);
		for (;;)
			pause();
	}
	close(pair[1]);
	/* The end of it: the child has closed its copies. */
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	return pid;
}

void comes_to_life(size_t i)
{
	struct start *s = &pool.starts[i];
	int pidfd;

	s->pid = start_waiter();
	pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	assert_true(pidfd >= 0);
	s->spawned(s->userdata, 0, CONFINE_NONE, s->pid, pidfd);
	pool_settle();
}

void reports(size_t i, enum confine_step step, int error)
{
	const struct confine_report report = { .step = step, .error = error };

	assert_int_equal(fd_send(pool.starts[i].setup, &report, sizeof(report), NULL, 0, 0), 0);
	pool_settle();
}

void closes_setup(size_t i)
{
	closep(&pool.starts[i].setup);
	pool.starts[i].setup = -1;
	pool_settle();
}

void gets_ready(size_t i)
{
	comes_to_life(i);
	reports(i, CONFINE_SEALED, 0);
	closes_setup(i);
}

void dies(size_t i)
{
	struct pollfd p = { .events = POLLIN };

	kill(pool.starts[i].pid, SIGKILL);
	p.fd = (int)syscall(SYS_pidfd_open, pool.starts[i].pid, 0);
	assert_int_equal(poll(&p, 1, 10000), 1);
	close(p.fd);
	pool_settle();
}

static void on_ready(void *userdata, int error, struct parser *parser)
{
	pool.got.n++;
	pool.got.error = error;
	pool.got.parser = parser;
}

int pool_take(struct parser **ret_parser)
{
	memset(&pool.got, 0, sizeof(pool.got));
	return parser_pool_take(pool.m.parsers, on_ready, &pool.got, ret_parser);
}
