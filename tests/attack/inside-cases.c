// SPDX-License-Identifier: Apache-2.0
/*
 * What a worker that has been taken over can try from inside: system calls by every way of making
 * one, other workers, the root.
 */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
#include "tests/attack/profile.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define X32_BIT 0x40000000
#define URETPROBE 335
/* Beyond the highest number that the kernel knows. */
#define NUMBERS	 512
#define HIGH_BIT (UINT64_C(1) << 32)

static struct rig rig;

/* What the memory profile lets through, written down a second time on purpose. */
static bool may_be_allowed(long number)
{
	static const long numbers[] = {
		SYS_read,	SYS_writev,    SYS_futex, SYS_accept4,	       SYS_recvmsg,
		SYS_sendmsg,	SYS_close,     SYS_prctl, SYS_clock_nanosleep, SYS_restart_syscall,
		SYS_exit_group, SYS_fallocate,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* A worker's three filters, in their order. */
static struct sock_fprog filters[3];

static void read_filters(const char *build)
{
	static const char *const names[] = { "spawner", "outer", "memory" };
	static struct sock_filter instructions[ARRAY_SIZE(names)][BPF_MAXINSNS];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		profile_read_program(build, names[i], instructions[i], &filters[i]);
}

/* In a process that has these filters, and nothing else of a worker. */
static int try_in_fork(long number)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL), 0);
		for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
			CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filters[i]), 0);
		syscall(number, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static void check_killed(long number)
{
	int status = try_in_fork(number);
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

	/* Newer kernels take it past every filter, and answer all but their own trampoline so. */
	if (number == URETPROBE)
		killed = killed || (WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
	if (!killed) {
		fprintf(stderr, "call %ld (%#lx): status %#x\n", number, number,
			(unsigned int)status);
		exit(1);
	}
}

static void every_call_number_that_is_not_allowed_kills(const char *build)
{
	read_filters(build);
	for (long number = 0; number < NUMBERS; number++)
		if (!may_be_allowed(number))
			check_killed(number);
}

static void every_x32_call_number_kills(const char *build)
{
	read_filters(build);
	for (long number = 0; number < NUMBERS; number++)
		check_killed(X32_BIT | number);
	check_killed(-1);
}

/* The order's call, from inside: it must not come back, and nothing of the process may stay. */
static void dies_of(struct worker *w, struct order order)
{
	CHECK_EQ(fd_send(w->control, &order, sizeof(order), NULL, 0, 0), 0);
	check_ends(&rig, w, SIGSYS);
	CHECK(!worker_has_process(w));
}

static void start(struct worker *w)
{
	CHECK_EQ(worker_start(&rig, w), 0);
	check_gate(w, "");
}

static struct order syscall_order(long number, uint64_t first, uint64_t second, uint64_t third)
{
	return (struct order){ .kind = ORDER_SYSCALL,
			       .number = number,
			       .arguments = { first, second, third } };
}

static void a_worker_dies_of_each_call_that_reaches_out(const char *build)
{
	static const long numbers[] = {
		/* Of each kind one; all the numbers are tried in processes that cost less. */
		SYS_openat, SYS_socket, SYS_ptrace, SYS_clone3, SYS_mmap, SYS_seccomp,
	};

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct worker w;

		start(&w);
		dies_of(&w, syscall_order(numbers[i], 0, 0, 0));
	}
}

static void a_worker_dies_of_the_32_bit_convention(const char *build)
{
	/* 3 is read there, 252 exit_group: allowed calls, wrong convention. */
	static const int numbers[] = { 3, 252 };

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct worker w;

		start(&w);
		dies_of(&w, (struct order){ .kind = ORDER_INT80, .number = numbers[i] });
	}
}

static void a_worker_dies_of_an_x32_call(const char *build)
{
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start(&w);
	dies_of(&w, syscall_order(X32_BIT | SYS_exit_group, 0, 0, 0));
}

/* Each checked argument once as it should be, which comes back, and once wrong, which does not. */
static void arguments_are_checked_in_all_their_bits(const char *build)
{
	const struct {
		struct order order;
		long long result; /* of the right one */
	} right[] = {
		{ syscall_order(SYS_read, 5, 0, 0), -EBADF },
		{ syscall_order(SYS_close, 5, 0, 0), -EBADF },
		{ syscall_order(SYS_futex, 1, 129, 0), -EINVAL },
		{ syscall_order(SYS_fallocate, 6, 3, 0), -EINVAL },
		{ syscall_order(SYS_prctl, 1, 0, 0), 0 },
	};
	const struct order wrong[] = {
		/* Of each kind one; all arguments of all entries: profile-cases.c. */
		syscall_order(SYS_read, 6, 0, 0),
		syscall_order(SYS_fallocate, 6, HIGH_BIT | 3, 0),
	};
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		struct answer answer;

		CHECK_EQ(worker_order(&w, &right[i].order, &answer), 0);
		CHECK_EQ(answer.result, right[i].result);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct worker victim;

		start(&victim);
		dies_of(&victim, wrong[i]);
	}
}

static void a_violation_in_the_second_thread_ends_all_threads(const char *build)
{
	struct order order = syscall_order(SYS_openat, 0, 0, 0);
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start(&w);
	order.kind = ORDER_THREAD_SYSCALL;
	dies_of(&w, order);
}

/* What there is to be tried from outside of a process. */
_Noreturn static void attack(const struct worker *victim, bool may_signal)
{
	char path[64], target[64];
	struct iovec here = { target, sizeof(target) }, there = { (void *)0x400000, 1 };
	int fd;

	if (ptrace(PTRACE_SEIZE, victim->pid, 0, 0) == 0)
		_exit(2);
	if (process_vm_readv(victim->pid, &here, 1, &there, 1, 0) >= 0 || errno != EPERM)
		_exit(6);
	if (syscall(SYS_pidfd_getfd, victim->pidfd, CONFINE_FD_LINK, 0U) >= 0 || errno != EPERM)
		_exit(7);
	snprintf(path, sizeof(path), "/proc/%d/mem", victim->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		_exit(3);
	snprintf(path, sizeof(path), "/proc/%d/fd/3", victim->pid);
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || readlink(path, target, sizeof(target)) >= 0)
		_exit(4);
	if (!may_signal && kill(victim->pid, SIGKILL) == 0)
		_exit(5);
	_exit(0);
}

/* As if the attacker had broken out of everything but his uid. */
_Noreturn static void attack_as(uid_t uid, const struct worker *victim)
{
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	attack(victim, uid == victim->uid);
}

/* As if he had also become root of his own namespace, with every capability there is in it. */
_Noreturn static void attack_from_namespace_of(const struct worker *attacker,
					       const struct worker *victim)
{
	if (setns(attacker->pidfd, CLONE_NEWUSER) < 0 ||
	    setresgid(attacker->uid, attacker->uid, attacker->uid) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) < 0 ||
	    setresuid(attacker->uid, attacker->uid, attacker->uid) < 0)
		_exit(1);
	attack(victim, false);
}

static void start_backend(struct worker *w, const char *type)
{
	CHECK_EQ(worker_start_backend(&rig, w, type), 0);
}

static void check_attack(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void nobody_traces_reads_or_signals_another_worker(const char *build)
{
	struct worker attacker, victim, taken_over;
	pid_t pid;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start_backend(&attacker, "file");
	start_backend(&victim, "memory");
	/* The other's uid, and, for what does not depend on it, the victim's own. */
	for (int own = 0; own < 2; own++) {
		pid = fork();
		if (pid == 0)
			attack_as(own ? victim.uid : attacker.uid, &victim);
		check_attack(pid);
	}
	pid = fork();
	if (pid == 0)
		attack_from_namespace_of(&attacker, &victim);
	check_attack(pid);
	/* And a worker's own means are filtered before they are refused. */
	start(&taken_over);
	dies_of(&taken_over, syscall_order(SYS_kill, (uint64_t)victim.pid, SIGKILL, 0));
	CHECK(!process_is_gone(victim.pidfd, 0));
	CHECK(!process_is_gone(attacker.pidfd, 0));
}

/*
 * Even with root's powers over the worker's namespaces there is nothing in its root, and nothing
 * behind it.
 */
_Noreturn static void look_around_in(const struct worker *w)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct stat root, above;

	if (setns(w->pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0)
		_exit(1);
	dir = opendir("/");
	if (!dir)
		_exit(2);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			_exit(3);
	if (stat("/", &root) < 0 || chdir("/") < 0 || stat("../../..", &above) < 0)
		_exit(4);
	if (root.st_dev != above.st_dev || root.st_ino != above.st_ino)
		_exit(5);
	if (umount2("/", MNT_DETACH) == 0)
		_exit(6);
	if (mkdir("/x", 0700) == 0 || open("/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
		_exit(7);
	_exit(0);
}

static void the_root_is_empty_and_has_nothing_behind_it(const char *build)
{
	struct worker w;
	int status;
	pid_t pid;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start(&w);
	pid = fork();
	if (pid == 0)
		look_around_in(&w);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

const struct attack_case inside_cases[] = {
	CASE(every_call_number_that_is_not_allowed_kills),
	CASE(every_x32_call_number_kills),
	CASE(a_worker_dies_of_each_call_that_reaches_out),
	CASE(a_worker_dies_of_the_32_bit_convention),
	CASE(a_worker_dies_of_an_x32_call),
	CASE(arguments_are_checked_in_all_their_bits),
	CASE(a_violation_in_the_second_thread_ends_all_threads),
	CASE(nobody_traces_reads_or_signals_another_worker),
	CASE(the_root_is_empty_and_has_nothing_behind_it),
	{},
};
