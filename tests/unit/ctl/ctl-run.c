// SPDX-License-Identifier: Apache-2.0
/* See ctl-run.h. */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char output[16384];

int run_program(const char *const *argv, const char *input)
{
	int in[2], out[2], status;
	size_t size = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	/* Less than a pipe holds. */
	assert_int_equal(write(in[1], input, strlen(input)), strlen(input));
	close(in[1]);
	while (size < sizeof(output) - 1 &&
	       (got = read(out[0], output + size, sizeof(output) - 1 - size)) > 0)
		size += (size_t)got;
	output[size] = 0;
	close(out[0]);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int run_with_server(fake_script script, int (*run)(const char *address, void *argument),
		    void *argument)
{
	struct fake_server server;
	int status, script_status;

	/* Before there is a pipe, whose end would otherwise be held by the server. */
	fake_server_start(&server, script);
	status = run(server.address, argument);
	if (!script)
		kill(server.pid, SIGKILL);
	script_status = fake_server_end(&server);
	if (script && script_status != 0)
		fail_msg("the server's side failed (%d): %s", script_status, output);
	return status;
}

static int run_dmuserctl(const char *address, void *argument)
{
	const char *const *words = *(const char *const **)argument;
	const char *argv[32] = { getenv("DMUSERCTL"), "--address", address };

	assert_non_null(argv[0]);
	for (size_t n = 3; *words; words++)
		argv[n++] = *words;
	return run_program(argv, "");
}

int run_on(fake_script script, const char *const *words)
{
	return run_with_server(script, run_dmuserctl, &words);
}

void answer_the_rest(int s, const char *reply)
{
	char byte;

	while (recv(s, &byte, 1, MSG_PEEK) > 0) {
		fake_expect_call(s, NULL, NULL);
		fake_reply(s, reply, NULL, 0);
	}
}

void assert_printed(const char *text)
{
	if (!strstr(output, text))
		fail_msg("not printed: %s\nbut: %s", text, output);
}
