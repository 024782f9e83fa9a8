// SPDX-License-Identifier: Apache-2.0
/* See ctl-run.h. */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char output[16384];

int run_on(fake_script script, const char *const *words)
{
	const char *program = getenv("DMUSERCTL");
	struct fake_server server;
	char *argv[32] = { (char *)program, (char *)"--address", server.address };
	int out[2], status, script_status;
	size_t n = 3, size = 0;
	ssize_t got;
	pid_t pid;

	assert_non_null(program);
	for (; *words; words++)
		argv[n++] = (char *)*words;
	/* Before the pipe is there, whose end would otherwise be held by the server. */
	fake_server_start(&server, script);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execv(program, argv);
		_exit(127);
	}
	close(out[1]);
	while (size < sizeof(output) - 1 &&
	       (got = read(out[0], output + size, sizeof(output) - 1 - size)) > 0)
		size += (size_t)got;
	output[size] = 0;
	close(out[0]);
	waitpid(pid, &status, 0);
	if (!script)
		kill(server.pid, SIGKILL);
	script_status = fake_server_end(&server);
	if (script && script_status != 0)
		fail_msg("the server's side failed (%d): %s", script_status, output);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void assert_printed(const char *text)
{
	if (!strstr(output, text))
		fail_msg("not printed: %s\nbut: %s", text, output);
}
