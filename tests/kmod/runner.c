// SPDX-License-Identifier: Apache-2.0
/*
 * A program of cases. A case runs in a child, so that the parent outlives whatever becomes of it,
 * and sees to it that nothing of it stays: neither its own children, nor I/O that waits.
 */
#include "runner.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t start(const struct runner *r, const struct test_case *c)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	setpgid(0, 0);
	if (r->prepare)
		r->prepare();
	c->run();
	exit(0);
}

static int run(const struct runner *r, const struct test_case *c)
{
	time_t deadline = time(NULL) + r->deadline_s;
	pid_t child = start(r, c);
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		if (time(NULL) >= deadline) {
			kill(-child, SIGKILL);
			r->fail_io(child);
		}
		poll(NULL, 0, 10);
	}
	/* its own children, if it left any */
	kill(-child, SIGKILL);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s\n",
		time(NULL) >= deadline ? "no end within its time" : strsignal(WTERMSIG(status)));
	return 1;
}

static const struct test_case *find(const struct runner *r, const char *name)
{
	for (int g = 0; r->groups[g]; g++) {
		for (const struct test_case *c = r->groups[g]; c->name; c++) {
			if (strcmp(c->name, name) == 0)
				return c;
		}
	}
	return NULL;
}

static void list(const struct runner *r)
{
	for (int g = 0; r->groups[g]; g++) {
		for (const struct test_case *c = r->groups[g]; c->name; c++)
			puts(c->name);
	}
}

int runner_main(const struct runner *r, int argc, char **argv)
{
	const struct test_case *c;

	if (argc != 2) {
		fprintf(stderr, "usage: %s --list | NAME\n", r->program);
		return 2;
	}
	if (strcmp(argv[1], "--list") == 0) {
		list(r);
		return 0;
	}
	c = find(r, argv[1]);
	if (!c) {
		fprintf(stderr, "no case is called %s\n", argv[1]);
		return 2;
	}
	return run(r, c);
}
