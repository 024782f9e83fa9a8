// SPDX-License-Identifier: Apache-2.0
/*
 * What a worker that has been taken over can try from inside: system calls by every way of making
 * one, other workers, the root.
 */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
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
#include <sys/wait.h>

#define X32_BIT 0x40000000
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

static void load_filter(const char *build, const char *name)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	struct sock_fprog program = { .filter = instructions };
	char path[512];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "%s/seccomp/%s.bpf", build, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	size = read(fd, instructions, sizeof(instructions));
	CHECK(size > 0);
	close(fd);
	program.len = (unsigned short)((size_t)size / sizeof(instructions[0]));
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

/* In a process that has a worker's three filters, in their order, and nothing else of one. */
static int try_in_fork(const char *build, long number)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		load_filter(build, "spawner");
		load_filter(build, "outer");
		load_filter(build, "memory");
		syscall(number, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static void check_killed(const char *build, long number)
{
	int status = try_in_fork(build, number);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
		fprintf(stderr, "call %ld (%#lx): status %#x\n", number, number,
			(unsigned int)status);
		exit(1);
	}
}

static void every_call_number_that_is_not_allowed_kills(const char *build)
{
	for (long number = 0; number < NUMBERS; number++)
		if (!may_be_allowed(number))
			check_killed(build, number);
}

static void every_x32_call_number_kills(const char *build)
{
	for (long number = 0; number < NUMBERS; number++)
		check_killed(build, X32_BIT | number);
	check_killed(build, -1);
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
		SYS_openat,	 SYS_openat2,	SYS_execveat,
		SYS_socket,	 SYS_connect,	SYS_kill,
		SYS_tgkill,	 SYS_ptrace,	SYS_process_vm_writev,
		SYS_clone,	 SYS_clone3,	SYS_fork,
		SYS_unshare,	 SYS_setns,	SYS_mount,
		SYS_chroot,	 SYS_bpf,	SYS_io_uring_setup,
		SYS_userfaultfd, SYS_ioctl,	SYS_mmap,
		SYS_mprotect,	 SYS_setresuid, SYS_capset,
		SYS_seccomp,
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
		syscall_order(SYS_read, 6, 0, 0),
		syscall_order(SYS_read, HIGH_BIT | 5, 0, 0),
		syscall_order(SYS_close, 3, 0, 0),
		syscall_order(SYS_futex, 0, HIGH_BIT | 129, 0),
		syscall_order(SYS_fallocate, HIGH_BIT | 6, 3, 0),
		syscall_order(SYS_fallocate, 6, HIGH_BIT | 3, 0),
		syscall_order(SYS_fallocate, 6, 0, 0),
		syscall_order(SYS_prctl, 1, 9, 0),
		syscall_order(SYS_prctl, HIGH_BIT | 1, 0, 0),
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

/* As if the attacker had broken out of everything but his uid. */
_Noreturn static void attack_as(uid_t uid, const struct worker *victim)
{
	char path[64], target[64];
	int fd;

	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	if (ptrace(PTRACE_SEIZE, victim->pid, 0, 0) == 0)
		_exit(2);
	snprintf(path, sizeof(path), "/proc/%d/mem", victim->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		_exit(3);
	snprintf(path, sizeof(path), "/proc/%d/fd/3", victim->pid);
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || readlink(path, target, sizeof(target)) >= 0)
		_exit(4);
	if (uid != victim->uid && kill(victim->pid, SIGKILL) == 0)
		_exit(5);
	_exit(0);
}

static void nobody_traces_reads_or_signals_another_worker(const char *build)
{
	struct order ping = { .kind = ORDER_PING };
	struct worker attacker, victim;
	struct answer answer;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	start(&attacker);
	start(&victim);
	/* The other's uid, and, for what does not depend on it, the victim's own. */
	for (int own = 0; own < 2; own++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			attack_as(own ? victim.uid : attacker.uid, &victim);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(worker_order(&victim, &ping, &answer), 0);
	/* And the attacker's own means are filtered before they are refused. */
	dies_of(&attacker, syscall_order(SYS_kill, (uint64_t)victim.pid, SIGKILL, 0));
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
