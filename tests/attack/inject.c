// SPDX-License-Identifier: Apache-2.0
/*
 * attack-inject PID NUMBER: makes a running process call the kernel as if it had been taken over.
 *
 * Traces one thread that waits in a call, sets its registers to repeat the call instruction with
 * another number and arguments of 0, and lets it go. What comes of it is for others to see.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

/* What the processor's instruction for a system call takes up. */
#define CALL_BYTES 2

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct user_regs_struct registers;
	pid_t pid;

	if (argc != 3) {
		fprintf(stderr, "Usage: attack-inject PID NUMBER\n");
		return 2;
	}
	pid = (pid_t)atoi(argv[1]);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
		return fail("tracing it");
	if (waitpid(pid, NULL, __WALL) != pid || ptrace(PTRACE_GETREGS, pid, 0, &registers) < 0)
		return fail("stopping it");
	if ((long long)registers.orig_rax < 0) {
		fprintf(stderr, "process %d waits in no call\n", pid);
		return 1;
	}
	registers.rip -= CALL_BYTES;
	registers.rax = strtoull(argv[2], NULL, 0);
	/* No call any more that the kernel would begin anew. */
	registers.orig_rax = (unsigned long long)-1;
	registers.rdi = registers.rsi = registers.rdx = 0;
	registers.r10 = registers.r8 = registers.r9 = 0;
	if (ptrace(PTRACE_SETREGS, pid, 0, &registers) < 0)
		return fail("changing it");
	return ptrace(PTRACE_DETACH, pid, 0, 0) < 0 ? fail("letting it go") : 0;
}
