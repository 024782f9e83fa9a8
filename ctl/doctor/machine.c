// SPDX-License-Identifier: Apache-2.0
/* The facts of this machine that no file tells; see machine.h. */
#include "ctl/doctor/machine.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* What a worker is born into; see the spawner. */
#define NAMESPACES                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)
#define LANDLOCK_VERSION_FLAG 1UL

/* Called with what it must refuse: an answer other than ENOSYS says that it is there. */
static const struct trial {
	const char *name;
	long number;
	long arguments[5];
} trials[] = {
	{ "clone3", SYS_clone3, { 0, 0 } },
	{ "close_range", SYS_close_range, { 1, 0, 0 } },
	{ "openat2", SYS_openat2, { -1, 0, 0, 0 } },
	{ "pidfd_open", SYS_pidfd_open, { 0, 0 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, { -1, 0, 0, 0 } },
	{ "memfd_create", SYS_memfd_create, { 0, -1 } },
	{ "seccomp", SYS_seccomp, { -1, 0, 0 } },
	{ "fsopen", SYS_fsopen, { 0, -1 } },
	{ "fsconfig", SYS_fsconfig, { -1, -1, 0, 0, 0 } },
	{ "fsmount", SYS_fsmount, { -1, -1, 0 } },
	{ "move_mount", SYS_move_mount, { -1, 0, -1, 0, -1 } },
	{ "mount_setattr", SYS_mount_setattr, { -1, 0, -1, 0, 0 } },
};

static void try_calls(char *missing, size_t size)
{
	missing[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		const long *a = trials[i].arguments;
		size_t used = strlen(missing);

		if (syscall(trials[i].number, a[0], a[1], a[2], a[3], a[4]) < 0 && errno == ENOSYS)
			snprintf(missing + used, size - used, "%s%s", used ? ", " : "",
				 trials[i].name);
	}
}

static int try_namespaces(void)
{
	long pid = syscall(SYS_clone, (unsigned long)(NAMESPACES | SIGCHLD), 0UL, 0UL, 0UL, 0UL);

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(0);
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static int try_landlock(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, LANDLOCK_VERSION_FLAG);

	return version < 0 ? -errno : (int)version;
}

static void see_caller(struct probe *probe)
{
	struct rlimit limit = {};
	int n;

	probe->uid = geteuid();
	n = getgroups(PROBE_GROUPS_MAX - 1, probe->groups);
	probe->n_groups = n > 0 ? (size_t)n : 0;
	probe->groups[probe->n_groups++] = getegid();
	getrlimit(RLIMIT_NOFILE, &limit);
	probe->nofile_max = limit.rlim_max;
}

int machine_probe(struct probe *ret_probe)
{
	struct probe probe = { .root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	struct utsname name;

	if (probe.root_fd < 0)
		return -errno;
	if (uname(&name) == 0)
		snprintf(probe.release, sizeof(probe.release), "%s", name.release);
	see_caller(&probe);
	try_calls(probe.missing_calls, sizeof(probe.missing_calls));
	probe.namespaces_error = try_namespaces();
	probe.landlock_version = try_landlock();
	*ret_probe = probe;
	return 0;
}
