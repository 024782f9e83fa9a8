// SPDX-License-Identifier: Apache-2.0
/*
 * From clone3 to exec: what turns a copy of the spawner into an empty, powerless process.
 *
 * Runs in new namespaces, as root of none of them: its uid is not mapped, its capabilities are only
 * those over its own user namespace. Trusts what the spawner decided before the clone (the plan)
 * and nothing else. Allocates no memory, opens no file, and after a failed step does no other but
 * to report it.
 *
 * The order matters, and each step says why it is where it is.
 */
#include "dmuserd/spawner/child.h"
#include "dmuserd/spawner/filter.h"
#include "util/capability.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Above every descriptor that a child is given, so that none is overwritten before it has moved. */
#define FD_ASIDE 64

struct child {
	const struct child_plan *plan;
	int executable_fd, setup_fd, spawner_fd; /* where these are at the moment */
};

/*
 * Handlers belong to the spawner's code, which is about to go; ignored and blocked signals would
 * survive the exec. A worker's files, if it could ever make one, would be its own.
 */
static int reset_signals(struct child *c)
{
	/* The kernel's struct: handler (SIG_DFL is 0), flags, restorer, mask. */
	static const unsigned long standard[4];
	sigset_t none;

	/*
	 * Not by libc: it keeps two signals to itself, which its posix_spawn() leaves ignored in
	 * whom it starts.
	 */
	for (int number = 1; number < NSIG; number++) {
		/* EINVAL: SIGKILL and SIGSTOP. */
		if (syscall(SYS_rt_sigaction, number, standard, NULL, sizeof(standard[3])) < 0 &&
		    errno != EINVAL)
			return -errno;
	}
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	umask(0077);
	return 0;
}

static int set_aside(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_ASIDE);

	return copy < 0 ? -errno : copy;
}

/*
 * Each descriptor to its number. The executable and the spawner's pidfd stay aside until the exec.
 */
static int place_descriptors(struct child *c)
{
	const struct child_plan *plan = c->plan;
	int aside[CHILD_FDS_MAX];
	int null = set_aside(plan->null_fd);

	for (size_t i = 0; i < plan->n_fds; i++) {
		aside[i] = set_aside(plan->fds[i]);
		if (aside[i] < 0)
			return aside[i];
	}
	c->executable_fd = aside[SPAWNER_FD_EXECUTABLE];
	c->setup_fd = aside[SPAWNER_FD_SETUP];
	c->spawner_fd = set_aside(plan->spawner_fd);
	if (null < 0 || c->spawner_fd < 0)
		return null < 0 ? null : c->spawner_fd;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	for (size_t i = SPAWNER_FD_LINK; i < plan->n_fds; i++)
		if (dup2(aside[i], (int)i - SPAWNER_FD_LINK + CONFINE_FD_LINK) < 0)
			return -errno;
	c->setup_fd = CONFINE_FD_SETUP;
	return 0;
}

/*
 * Everything else, O_CLOEXEC or not: whoever started the spawner may have left anything open in it.
 */
static int close_others(struct child *c)
{
	int keep[CONFINE_FD_LINK + CHILD_FDS_MAX + 2];
	size_t n = 0, n_given = CONFINE_FD_LINK + c->plan->n_fds - SPAWNER_FD_LINK;
	struct rlimit limit = { c->plan->nofile_max, c->plan->nofile_max };
	int r;

	while (n < n_given) {
		keep[n] = (int)n;
		n++;
	}
	/* Ascending: the one was set aside before the other. */
	keep[n++] = c->executable_fd;
	keep[n++] = c->spawner_fd;
	r = fd_close_all_but(keep, n);
	if (r < 0)
		return r;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/*
 * An empty root that cannot be written to, with nothing behind it. One inode, which is the root
 * itself, and one page are the least that tmpfs can be told. Mounting and pivoting take a
 * capability, so this comes before they go. Where it is mounted for the moment is hidden by the
 * pivot; every host has /proc. Nothing of this is seen outside: mounts of a user namespace's own
 * mount namespace only ever receive.
 */
static int empty_root(struct child *c)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount("dmuser", "/proc", "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555") < 0)
		return -errno;
	if (chdir("/proc") < 0)
		return -errno;
	/*
	 * The old root comes to lie on top of the new one, and "." is then the old one, to be
	 * detached.
	 */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	if (umount2(".", MNT_DETACH) < 0)
		return -errno;
	return chdir("/") < 0 ? -errno : 0;
}

/*
 * A new user namespace begins with every capability, in the bounding set too. With that empty, and
 * securebits and the ambient set as they are left here, the exec below ends with none.
 */
static int drop_bounding_set(struct child *c)
{
	return capability_limit_bounding(0);
}

/* Groups before the uid, and each read back: a half-done change must not pass for a whole one. */
static int change_groups(struct child *c)
{
	gid_t wanted = c->plan->uid, real, effective, saved;

	if (setgroups(0, NULL) < 0 || setresgid(wanted, wanted, wanted) < 0)
		return -errno;
	if (getresgid(&real, &effective, &saved) < 0)
		return -errno;
	if (real != wanted || effective != wanted || saved != wanted || getgroups(0, NULL) != 0)
		return -EPERM;
	return 0;
}

static int change_uid(struct child *c)
{
	uid_t wanted = c->plan->uid, real, effective, saved;

	if (setresuid(wanted, wanted, wanted) < 0 || getresuid(&real, &effective, &saved) < 0)
		return -errno;
	return real == wanted && effective == wanted && saved == wanted ? 0 : -EPERM;
}

/*
 * Dies with the spawner, until the worker, sealed and served, decides otherwise. After the change
 * of uid, which clears it. A spawner that died before is seen by its pidfd. One that is dying right
 * now holds the kernel's lock on the process tree until it counts as dead, and setsid() waits for
 * that lock: so either the signal comes, or the pidfd tells. (getppid() is 0 in a pid namespace of
 * one's own.)
 */
static int die_with_spawner(struct child *c)
{
	struct pollfd spawner = { .fd = c->spawner_fd, .events = POLLIN };
	int r;

	if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	if (setsid() < 0)
		return -errno;
	r = poll(&spawner, 1, 0);
	if (r < 0)
		return -errno;
	return r > 0 ? -EOWNERDEAD : 0;
}

/*
 * Without it a filter is refused to who has no capability; and no file's set-user-ID bit counts any
 * more.
 */
static int forbid_new_privileges(struct child *c)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ? -errno : 0;
}

/* Before the exec, so that not one instruction of the program runs without it. */
static int load_outer_filter(struct child *c)
{
	return filter_load(c->plan->outer_filter);
}

/*
 * By its descriptor, for there is no file left to name; both descriptors that were set aside close
 * here.
 */
static int execute(struct child *c)
{
	char *argv[3] = { (char *)c->plan->program };
	char *const environment[] = { NULL };
#ifdef DMUSER_TEST_HOOKS
	char option[HOOK_OPTION_SIZE];

	hooks_to_option(&c->plan->hooks, option);
	argv[1] = option;
#endif

	syscall(SYS_execveat, c->executable_fd, "", argv, environment, AT_EMPTY_PATH);
	return -errno;
}

static const struct {
	enum confine_step step;
	int (*run)(struct child *c);
	bool needed; /* what follows cannot run without it; tests skip only the rest of this step */
} steps[] = {
	{ CONFINE_SIGNALS, reset_signals, false },
	{ CONFINE_DESCRIPTORS, place_descriptors, true },
	{ CONFINE_DESCRIPTORS, close_others, false },
	{ CONFINE_ROOT, empty_root, false },
	{ CONFINE_BOUNDING_SET, drop_bounding_set, false },
	{ CONFINE_GROUPS, change_groups, false },
	{ CONFINE_UID, change_uid, false },
	{ CONFINE_PARENT_DEATH, die_with_spawner, false },
	{ CONFINE_NO_NEW_PRIVS, forbid_new_privileges, false },
	{ CONFINE_OUTER_FILTER, load_outer_filter, false },
	{ CONFINE_EXEC, execute, false },
};

/*
 * Until the spawner has written the id maps and limits; it may as well die, or give this child up.
 */
static int wait_for_go(const struct child_plan *plan)
{
	char byte;
	ssize_t got;

	/* First: while this copy of it is open, the end would never come. */
	close(plan->go_write_fd);
	do
		got = read(plan->go_fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : -EOWNERDEAD;
}

_Noreturn static void give_up(const struct child *c, enum confine_step step, int error)
{
	struct confine_report report = { .step = step, .error = error };

	/* Whether or not somebody hears it: there is nothing else to be done. */
	(void)fd_send(c->setup_fd, &report, sizeof(report), NULL, 0, MSG_DONTWAIT);
	_exit(1);
}

_Noreturn void child_run(const struct child_plan *plan)
{
	struct child c = {
		.plan = plan,
		.executable_fd = plan->fds[SPAWNER_FD_EXECUTABLE],
		.setup_fd = plan->fds[SPAWNER_FD_SETUP],
		.spawner_fd = plan->spawner_fd,
	};

	if (wait_for_go(plan) < 0)
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *name = confine_step_name(steps[i].step);
		int r;

		if (hook_skips(&plan->hooks, name) && !steps[i].needed)
			continue;
		r = hook_enter(&plan->hooks, steps[i].step, c.setup_fd, c.spawner_fd);
		if (r == 0)
			r = steps[i].run(&c);
		if (r < 0)
			give_up(&c, steps[i].step, r);
	}
	/* The last step does not come back, unless a test has left it out. */
	give_up(&c, CONFINE_EXEC, -ENOEXEC);
}
