// SPDX-License-Identifier: Apache-2.0
/*
 * The seal alone: each test forks a child that seals itself and then tries what it must not be able
 * to, while the parent reads the report and looks at /proc.
 */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/proc-status.h"

#include "api/worker/seal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

/* All is allowed but getppid(), which nothing else in this program calls. */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

struct fixture {
	pid_t pid;
	int setup;
	int link;
	int profile;
	size_t profile_size;
};

static struct fixture fixture;

static int setup(void **state)
{
	/* Only root can; for others the default limit is enough for a program this small. */
	const struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };
	const struct sockaddr_un unnamed = { .sun_family = AF_UNIX };

	setrlimit(RLIMIT_MEMLOCK, &memlock);
	fixture = (struct fixture){ .setup = -1, .profile_size = sizeof(filter) };
	fixture.profile = memfd_create("profile", MFD_CLOEXEC);
	fixture.link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* An abstract name, chosen by the kernel. */
	return bind(fixture.link, (struct sockaddr *)&unnamed, sizeof(sa_family_t));
}

static int teardown(void **state)
{
	if (fixture.pid > 0) {
		kill(fixture.pid, SIGKILL);
		waitpid(fixture.pid, NULL, 0);
	}
	fd_close_many((int[]){ fixture.setup, fixture.link, fixture.profile }, 3);
	return 0;
}

/* Memory is not locked under a sanitizer, whose shadow is larger than any limit. */
#ifdef __SANITIZE_ADDRESS__
#define LOCK_MEMORY false
#else
#define LOCK_MEMORY true
#endif

static const struct seal default_seal = {
	.lock_memory = LOCK_MEMORY, .nofile_max = 16, .fsize_max = 4096, .listen = true
};

/* Puts the spawner's descriptors in their places and seals; then body() goes on and ends the child.
 */
static void seal_child(const struct seal *seal, void (*body)(void))
{
	int pair[2];

	assert_int_equal(pwrite(fixture.profile, filter, fixture.profile_size, 0),
			 fixture.profile_size);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fixture.setup = pair[0];
	fixture.pid = fork();
	assert_true(fixture.pid >= 0);
	if (fixture.pid == 0) {
		const int high[] = { fcntl(fixture.link, F_DUPFD, 100),
				     fcntl(pair[1], F_DUPFD, 100),
				     fcntl(fixture.profile, F_DUPFD, 100) };

		for (int i = 0; i < 3; i++)
			dup2(high[i], CONFINE_FD_LINK + i);
		close_range(CONFINE_FD_RESOURCES, ~0u, 0);
		alarm(2 * TEST_PATIENCE_S);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		seal_enter();
		seal_finish(seal);
		body();
		_exit(0);
	}
	close(pair[1]);
}

static void expect_report(enum confine_step step, int error)
{
	struct confine_report report;

	assert_int_equal(fd_recv_exact(fixture.setup, &report, sizeof(report), NULL, 0, NULL, 0),
			 0);
	assert_string_equal(confine_step_name(report.step), confine_step_name(step));
	assert_int_equal(report.error, error);
}

static int reap(void)
{
	int status;

	assert_int_equal(waitpid(fixture.pid, &status, 0), fixture.pid);
	fixture.pid = 0;
	return status;
}

static void expect_exit(int wanted)
{
	int status = reap();

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), wanted);
}

static void expect_sigsys(void)
{
	int status = reap();

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void stay(void)
{
	for (;;)
		pause();
}

/* Both threads meet here: what libc does at a thread's start is over then. */
static pthread_barrier_t started;

/* On a small stack, since locked memory counts in full against a limit that is often 8 MiB. */
static int start_thread(void *(*body)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	pthread_barrier_init(&started, NULL, 2);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 * 1024);
	r = pthread_create(&thread, &attributes, body, NULL);
	pthread_attr_destroy(&attributes);
	if (r == 0)
		pthread_barrier_wait(&started);
	return -r;
}

static void *stay_thread(void *unused)
{
	pthread_barrier_wait(&started);
	stay();
	return NULL;
}

static int start_a_thread(void *userdata)
{
	return start_thread(stay_thread);
}

static void every_thread_is_sealed(void **state)
{
	struct seal seal = default_seal;

	seal.start_threads = start_a_thread;
	seal_child(&seal, stay);
	expect_report(CONFINE_SEALED, 0);
	assert_true(proc_count_threads(fixture.pid) >= 2);
	proc_expect_every_thread(fixture.pid, "Seccomp", 2);
	proc_expect_every_thread(fixture.pid, "CapInh", 0);
	proc_expect_every_thread(fixture.pid, "CapPrm", 0);
	proc_expect_every_thread(fixture.pid, "CapEff", 0);
	proc_expect_every_thread(fixture.pid, "CapAmb", 0);
	proc_expect_limit(fixture.pid, "Max core file size", "0");
	proc_expect_limit(fixture.pid, "Max open files", "16");
	proc_expect_limit(fixture.pid, "Max file size", "4096");
	if (LOCK_MEMORY)
		assert_true(proc_value(fixture.pid, "VmLck") > 0);
}

static void call_what_is_not_allowed(void)
{
	getppid();
}

static void a_call_that_is_not_allowed_kills(void **state)
{
	seal_child(&default_seal, call_what_is_not_allowed);
	expect_report(CONFINE_SEALED, 0);
	expect_sigsys();
}

static int violation_pipe[2];

static void *violate_when_told(void *unused)
{
	char byte;

	pthread_barrier_wait(&started);
	if (read(violation_pipe[0], &byte, 1) == 1)
		getppid();
	return NULL;
}

static int start_a_violator(void *userdata)
{
	if (pipe2(violation_pipe, O_CLOEXEC) < 0)
		return -errno;
	return start_thread(violate_when_told);
}

static void let_it_violate(void)
{
	if (write(violation_pipe[1], "", 1) == 1)
		stay();
}

static void a_violation_in_any_thread_kills_all(void **state)
{
	struct seal seal = default_seal;

	seal.start_threads = start_a_violator;
	seal_child(&seal, let_it_violate);
	expect_report(CONFINE_SEALED, 0);
	expect_sigsys();
}

static bool have_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1u) > 0;
}

/* Exits with what is the matter. */
static void try_to_open(void)
{
	static const struct {
		const char *path;
		int flags;
	} tries[] = { { "/", O_RDONLY | O_DIRECTORY },
		      { "/etc/passwd", O_RDONLY },
		      { "/tmp/dmuser-seal-test", O_WRONLY | O_CREAT },
		      { "/dev/null", O_WRONLY } };

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		if (open(tries[i].path, tries[i].flags, 0600) >= 0 || errno != EACCES)
			_exit(10 + (int)i);
	_exit(0);
}

static void nothing_can_be_opened(void **state)
{
	if (!have_landlock()) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	seal_child(&default_seal, try_to_open);
	expect_report(CONFINE_SEALED, 0);
	expect_exit(0);
}

static void exit_with_dumpable(void)
{
	_exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void the_process_is_not_dumpable(void **state)
{
	seal_child(&default_seal, exit_with_dumpable);
	expect_report(CONFINE_SEALED, 0);
	expect_exit(0);
}

static void exit_with_next_descriptor(void)
{
	_exit(dup(CONFINE_FD_LINK));
}

static void setup_and_profile_are_closed(void **state)
{
	seal_child(&default_seal, exit_with_next_descriptor);
	expect_report(CONFINE_SEALED, 0);
	expect_exit(CONFINE_FD_SETUP);
}

static void the_link_names_who_called_listen(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address), credentials_size = sizeof(struct ucred);
	_cleanup_(closep) int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer;

	assert_int_equal(getsockname(fixture.link, (struct sockaddr *)&address, &size), 0);
	seal_child(&default_seal, stay);
	expect_report(CONFINE_SEALED, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &credentials_size), 0);
	assert_int_equal(peer.pid, fixture.pid);
}

static void a_socket_that_cannot_listen_is_reported(void **state)
{
	close(fixture.link);
	fixture.link = memfd_create("no socket", MFD_CLOEXEC);
	seal_child(&default_seal, stay);
	expect_report(CONFINE_LISTEN, -ENOTSOCK);
	expect_exit(1);
}

static int refuse_to_start(void *userdata)
{
	return -EAGAIN;
}

static void threads_that_do_not_start_are_reported(void **state)
{
	struct seal seal = default_seal;

	seal.start_threads = refuse_to_start;
	seal_child(&seal, stay);
	expect_report(CONFINE_THREADS, -EAGAIN);
	expect_exit(1);
}

static void an_empty_profile_is_refused(void **state)
{
	fixture.profile_size = 0;
	seal_child(&default_seal, stay);
	expect_report(CONFINE_INNER_FILTER, -ENOEXEC);
	expect_exit(1);
}

static void a_torn_profile_is_refused(void **state)
{
	fixture.profile_size = sizeof(filter) - 1;
	seal_child(&default_seal, stay);
	expect_report(CONFINE_INNER_FILTER, -ENOEXEC);
	expect_exit(1);
}

static void a_profile_that_is_no_program_is_refused(void **state)
{
	fixture.profile_size = sizeof(filter[0]);
	seal_child(&default_seal, stay);
	expect_report(CONFINE_INNER_FILTER, -EINVAL);
	expect_exit(1);
}

static void memory_that_cannot_be_locked_is_reported(void **state)
{
	struct rlimit before, none;

	if (!LOCK_MEMORY) {
		print_message("the sanitizer makes mlockall() do nothing\n");
		skip();
	}
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	seal_child(&default_seal, stay);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	expect_report(CONFINE_MLOCK, -EPERM);
	expect_exit(1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_thread_is_sealed),
		T(a_call_that_is_not_allowed_kills),
		T(a_violation_in_any_thread_kills_all),
		T(nothing_can_be_opened),
		T(the_process_is_not_dumpable),
		T(setup_and_profile_are_closed),
		T(the_link_names_who_called_listen),
		T(a_socket_that_cannot_listen_is_reported),
		T(threads_that_do_not_start_are_reported),
		T(an_empty_profile_is_refused),
		T(a_torn_profile_is_refused),
		T(a_profile_that_is_no_program_is_refused),
		T(memory_that_cannot_be_locked_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
