// SPDX-License-Identifier: Apache-2.0
/*
 * The gate and processes that are not confined. (Those that are need a spawner and its powers:
 * tests/attack.)
 */
#include "dmuserd/supervisor/gate.h"
#include "util/cleanup.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static pid_t start_ordinary_process(int *ret_pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	assert_true(*ret_pidfd >= 0);
	return pid;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_gate_refuses_a_process_of_another_uid(void **state)
{
	_cleanup_(closep) int pidfd = -EBADF;
	struct gate_verdict verdict = {};
	pid_t pid = start_ordinary_process(&pidfd);
	struct gate_expectation expected = {
		.pid = pid, .pidfd = pidfd, .uid = getuid() + 1, .filters = 3
	};

	assert_int_equal(gate_check(&expected, &verdict), 1);
	assert_string_equal(verdict.what, "uid");
	assert_int_equal(verdict.tid, pid);
	end_process(pid);
}

static void the_gate_does_not_let_an_ordinary_process_pass(void **state)
{
	_cleanup_(closep) int pidfd = -EBADF;
	struct gate_verdict verdict = {};
	pid_t pid = start_ordinary_process(&pidfd);
	struct gate_expectation expected = { .pid = pid, .pidfd = pidfd, .uid = getuid() };

	assert_int_equal(gate_check(&expected, &verdict), 1);
	assert_true(verdict.detail[0] != '\0');
	end_process(pid);
}

static void the_gate_cannot_look_at_a_process_that_is_gone(void **state)
{
	_cleanup_(closep) int pidfd = -EBADF;
	struct gate_verdict verdict = {};
	pid_t pid = start_ordinary_process(&pidfd);
	struct gate_expectation expected = { .pid = pid, .pidfd = pidfd, .uid = getuid() };

	end_process(pid);
	assert_int_equal(gate_check(&expected, &verdict), -ENOENT);
}

static void the_gate_takes_no_more_descriptors_than_it_has_room_for(void **state)
{
	struct gate_verdict verdict = {};
	struct gate_expectation expected = { .pid = getpid(),
					     .pidfd = -1,
					     .n_fds = GATE_FDS_MAX + 1 };

	assert_int_equal(gate_check(&expected, &verdict), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gate_refuses_a_process_of_another_uid),
		cmocka_unit_test(the_gate_does_not_let_an_ordinary_process_pass),
		cmocka_unit_test(the_gate_cannot_look_at_a_process_that_is_gone),
		cmocka_unit_test(the_gate_takes_no_more_descriptors_than_it_has_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
