// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier spawner left behind, at the start of a new one.
 *
 * Workers outlive a spawner on purpose, and their volumes go on; a parser, or a child that was
 * caught halfway through its confinement, must not. Whether one is a worker is asked of the kernel:
 * its cgroup's name, and what /proc says of its uid, capabilities and filters. That is not the
 * gate: the supervisor gets the survivors by LIST, and looks again before it trusts one.
 */
#include "dmuserd/spawner/leftovers.h"
#include "util/cleanup.h"
#include "util/name.h"
#include "util/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

/* A killed process that waits for a device may take its time. */
#define KILL_TIMEOUT_MS	     10000
#define SECCOMP_MODE_FILTERS 2

struct sweep {
	const struct cgroups *cgroups;
	struct children *children;
};

static bool is_confined(pid_t pid, uint32_t *ret_uid)
{
	char path[64], text[8192];
	struct proc_status s;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (proc_read(AT_FDCWD, path, text, sizeof(text)) < 0 || proc_parse_status(text, &s) < 0)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (s.uid[i] == 0 || s.uid[i] != s.uid[0] || s.gid[i] != s.uid[0])
			return false;
	if ((s.inheritable | s.permitted | s.effective | s.bounding | s.ambient) != 0)
		return false;
	if (s.no_new_privs != 1 || s.seccomp_mode != SECCOMP_MODE_FILTERS)
		return false;
	*ret_uid = (uint32_t)s.uid[0];
	return true;
}

static bool is_only_one(const struct cgroups *cgroups, const char *group, const char *name,
			pid_t *ret_pid)
{
	size_t n;

	return cgroups_list_pids(cgroups, group, name, ret_pid, 1, &n) == 0 && n == 1 &&
	       *ret_pid > 0;
}

/* 0: taken over. 1: not a worker. */
static int adopt(const struct sweep *sweep, const char *group, const char *name)
{
	_cleanup_(closep) int pidfd = -EBADF;
	struct child_entry *entry;
	uint32_t uid = 0;
	pid_t pid, again;

	if (!name_is_uuid(name) || !is_only_one(sweep->cgroups, group, name, &pid))
		return 1;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	if (pidfd < 0 || !is_confined(pid, &uid))
		return 1;
	/*
	 * Still the one in this cgroup, so the pidfd is not that of a later process of the same
	 * number.
	 */
	if (!is_only_one(sweep->cgroups, group, name, &again) || again != pid)
		return 1;
	if (children_add(sweep->children, name, group, SPAWNER_WORKER, uid, pid, pidfd, &entry) < 0)
		return 1;
	take_fd(&pidfd);
	entry->adopted = true;
	return 0;
}

static int take_one(void *userdata, const char *group, const char *name)
{
	const struct sweep *sweep = userdata;
	int r;

	if (adopt(sweep, group, name) == 0)
		return 0;
	r = cgroups_kill(sweep->cgroups, group, name, KILL_TIMEOUT_MS);
	return r < 0 ? r : cgroups_remove(sweep->cgroups, group, name);
}

int leftovers_take(const struct cgroups *cgroups, struct children *children)
{
	struct sweep sweep = { .cgroups = cgroups, .children = children };

	return cgroups_each(cgroups, take_one, &sweep);
}
