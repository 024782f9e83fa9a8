// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the cases: attack-cases BUILD GROUP [PATTERN]. Prints "ok - …" or "not ok - …" for each, and
 * fails if one did. Owns the processes that the cases run in.
 */
#include "tests/attack/case.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_TIMEOUT_S 240

static bool run_case(const struct attack_case *c, const char *build)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(STDOUT_FILENO, STDERR_FILENO);
		alarm(CASE_TIMEOUT_S);
		c->run(build);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	for (const char *at = status == 0 ? "ok - " : "not ok - "; *at; at++)
		putchar(*at);
	for (const char *at = c->name; *at; at++)
		putchar(*at == '_' ? ' ' : *at);
	putchar('\n');
	if (status != 0)
		printf("    (wait status %#x)\n", (unsigned int)status);
	return status == 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const struct attack_case *cases;
	} groups[] = {
		{ "spawner", spawner_cases }, { "service", service_cases },
		{ "inside", inside_cases },   { "missing-steps", step_cases },
		{ "deaths", death_cases },    { "profiles", profile_cases },
	};
	const char *pattern = argc > 3 ? argv[3] : "";
	int n_failed = 0;

	if (argc < 3) {
		fprintf(stderr, "Usage: attack-cases BUILD GROUP [PATTERN]\n");
		return 2;
	}
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		if (strcmp(groups[g].name, argv[2]) != 0)
			continue;
		for (const struct attack_case *c = groups[g].cases; c->name; c++)
			if (strstr(c->name, pattern) && !run_case(c, argv[1]))
				n_failed++;
	}
	return n_failed > 0;
}
