// SPDX-License-Identifier: Apache-2.0
/*
 * kmod-cases --list: the cases' names, one a line. kmod-cases NAME: runs one; exits with 0, with 77
 * if it cannot run here, or with what went wrong on stderr.
 *
 * A case runs in a child. One that fails or hangs may leave I/O behind that nobody serves, and
 * could not even die; so its parent tells the targets to fail.
 */
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "target.h"

static const struct test_case *const groups[] = {
	stream_cases, answer_cases, operation_cases, death_cases, suspend_cases, fail_cases,
	wait_cases, memory_cases, commit_cases, option_cases, requeue_cases, timeout_cases,
	fence_cases, flush_cases, many_cases, kill_cases, ioctl_cases,
	batch_cases, stats_cases, wake_cases, ring_cases, opt_in_cases, storm_cases, NULL,
};

/* Far more than any case needs under emulation: only a hang gets there. */
#define DEADLINE_S 180

static void fail_waiting_io(pid_t child)
{
	char pattern[64];
	glob_t nodes;

	snprintf(pattern, sizeof(pattern), "/dev/dm-user/case-%d-*", child);
	if (glob(pattern, 0, NULL, &nodes) != 0)
		return;
	for (size_t i = 0; i < nodes.gl_pathc; i++) {
		struct target t = { 0 };

		/* a device is called as its node, but in the few cases that hand over to another */
		snprintf(t.name, sizeof(t.name), "%s", strrchr(nodes.gl_pathv[i], '/') + 1);
		target_message(&t, "fail");
	}
	globfree(&nodes);
}

static int run(const struct test_case *c)
{
	const char *kills = getenv("DMUSER_KILLS");
	time_t deadline = time(NULL) + DEADLINE_S + (kills ? atoi(kills) / 2 : 0);
	int status;
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		c->run();
		exit(0);
	}
	CHECK(child > 0);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (time(NULL) >= deadline) {
			kill(-child, SIGKILL);
			fail_waiting_io(child);
		}
		poll(NULL, 0, 10);
	}
	/* its own children, if it left any */
	kill(-child, SIGKILL);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s\n", time(NULL) >= deadline ? "no end within its time" :
							 strsignal(WTERMSIG(status)));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: kmod-cases --list | NAME\n");
		return 2;
	}
	bool list = strcmp(argv[1], "--list") == 0;

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
