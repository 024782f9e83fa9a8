// SPDX-License-Identifier: Apache-2.0
/*
 * faults --list: the cases' names, one a line. faults NAME: runs one; exits with 0, or with what
 * went wrong on stderr. As root, with the module loaded, on a kernel that injects faults as
 * tests/faults/run tells it to.
 *
 * A case runs in a child. One that fails may leave I/O behind that nobody serves, and could not
 * even die; so its parent, at the deadline, tells the target to fail.
 */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "device.h"
#include "prove.h"

static const struct test_case *const groups[] = {
	device_cases, control_cases, channel_cases, read_cases,
	write_cases,  map_cases,     module_cases,  NULL,
};

/* Far more than the longest sweep takes under emulation: only a hang gets there. */
#define DEADLINE_S 900

/* Deeper than any case calls. */
#define STACK_BYTES (256 * 1024)

/* A page that the process itself lacks would be one more point of failure, and in any place. */
static void have_all_pages(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
	CHECK_EQ(mlockall(MCL_CURRENT), 0);
}

static void end_io(void)
{
	struct target t = { .name = PROVE_NAME };

	device_message(&t, "fail");
}

static int run(const struct test_case *c)
{
	time_t deadline = time(NULL) + DEADLINE_S;
	int status;
	pid_t child = fork();

	if (child == 0) {
		have_all_pages();
		c->run();
		exit(0);
	}
	CHECK(child > 0);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (time(NULL) >= deadline) {
			kill(child, SIGKILL);
			end_io();
		}
		poll(NULL, 0, 20);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s\n",
		time(NULL) >= deadline ? "no end within its time" : strsignal(WTERMSIG(status)));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: faults --list | NAME\n");
		return 2;
	}
	bool list = strcmp(argv[1], "--list") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!list)
		device_begin();
	for (int g = 0; groups[g]; g++) {
		for (const struct test_case *c = groups[g]; c->name; c++) {
			if (list)
				puts(c->name);
			else if (strcmp(c->name, argv[1]) == 0)
				return run(c);
		}
	}
	if (!list)
		fprintf(stderr, "no case is called %s\n", argv[1]);
	return list ? 0 : 2;
}
