// SPDX-License-Identifier: Apache-2.0
/*
 * From a request to a child that has been let go.
 *
 * What can be done to a child only from outside is done here: its cgroup, its birth in namespaces
 * of its own, its id maps, the limit that it could not raise itself. The child waits meanwhile, and
 * if the spawner is killed at any point of this, it ends. Trusts the supervisor's descriptors,
 * checks its numbers and names.
 */
#include "dmuserd/spawner/spawn.h"
#include "dmuserd/spawner/child.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Without these the rest of the steps could not be taken. */
#define NAMESPACES_NEEDED (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)
#define NAMESPACES \
	(NAMESPACES_NEEDED | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* A child under way. */
struct birth {
	const struct spawn_context *context;
	const struct spawner_request *request;
	struct child_plan plan;
	int cgroup_fd;
	int go_fds[2];
	pid_t pid;
	int pidfd;
};

/* Uuids and "parser-1": a part of a path, and of no other. */
static bool name_is_child(const char name[SPAWNER_NAME_SIZE])
{
	return memchr(name, '\0', SPAWNER_NAME_SIZE) && name_is_container(name);
}

/* A worker shares its cgroup with its container's others, never with parsers, whatever an id says. */
static bool is_group_of(const char group[NAME_CONTAINER_MAX + 8], uint32_t role)
{
	if (!memchr(group, '\0', NAME_CONTAINER_MAX + 8))
		return false;
	return role == SPAWNER_PARSER ? strcmp(group, SPAWNER_PARSERS) == 0 :
					name_is_container(group);
}

int spawn_check(const struct spawner_request *request, size_t n_fds)
{
	if (!name_is_child(request->name))
		return -EINVAL;
	if (request->role != SPAWNER_WORKER && request->role != SPAWNER_PARSER)
		return -EINVAL;
	if (!is_group_of(request->group, request->role))
		return -EINVAL;
	/* Not root, and not the "no change" of setresuid. */
	if (request->uid == 0 || request->uid == UINT32_MAX || request->holds_memory > 1)
		return -EINVAL;
	if (request->n_resources > CONFINE_RESOURCES_MAX ||
	    n_fds != SPAWNER_FD_RESOURCES + request->n_resources)
		return -EINVAL;
	if (request->pids_max == 0 ||
	    request->nofile_max < CONFINE_FD_RESOURCES + request->n_resources)
		return -EINVAL;
	return 0;
}

/* What the program is called by ps: the name of its file. A name that cannot be had is none. */
static void name_program(int executable_fd, char *program, size_t size)
{
	char path[64], target[256];
	const char *slash;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", executable_fd);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(program, size, "%s", slash ? slash + 1 : "dmuser");
}

static int make_plan(struct birth *b, const int *fds, size_t n_fds)
{
	struct child_plan *plan = &b->plan;

	if (pipe2(b->go_fds, O_CLOEXEC) < 0)
		return -errno;
	plan->uid = b->request->uid;
	plan->nofile_max = b->request->nofile_max;
	memcpy(plan->fds, fds, n_fds * sizeof(fds[0]));
	plan->n_fds = n_fds;
	plan->null_fd = b->context->null_fd;
	plan->spawner_fd = b->context->spawner_fd;
	plan->go_fd = b->go_fds[0];
	plan->go_write_fd = b->go_fds[1];
	plan->outer_filter = &b->context->outer_filter;
	plan->hooks = b->context->hooks;
	name_program(fds[SPAWNER_FD_EXECUTABLE], plan->program, sizeof(plan->program));
	return 0;
}

/* The limits are in place before there is anything that they limit. */
static int make_cgroup(struct birth *b)
{
	const struct spawner_request *q = b->request;

	return cgroups_make(b->context->cgroups, q->group, q->name, q->memory_max_bytes,
			    q->pids_max, &b->cgroup_fd);
}

/*
 * One call, so that the child never exists outside of its namespaces and its cgroup, and its pidfd
 * can never be that of another process. With handlers reset: none of the spawner's may run in the
 * child.
 */
static int clone_child(struct birth *b)
{
	bool whole = !hook_skips(&b->context->hooks, confine_step_name(CONFINE_CLONE));
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
			 (whole ? NAMESPACES : NAMESPACES_NEEDED),
		.pidfd = (uintptr_t)&b->pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (b->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)b->cgroup_fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child_run(&b->plan);
	if (pid < 0)
		return -errno;
	b->pid = (pid_t)pid;
	return 0;
}

static int write_map(pid_t pid, const char *file, uint32_t id)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[64], line[64];
	int length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	length = snprintf(line, sizeof(line), "%" PRIu32 " %" PRIu32 " 1\n", id, id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, line, (size_t)length) < 0 ? -errno : 0;
}

/* Its own id alone: it cannot become another, and root of its namespace is nobody. */
static int write_id_maps(struct birth *b)
{
	int r = write_map(b->pid, "uid_map", b->request->uid);

	return r < 0 ? r : write_map(b->pid, "gid_map", b->request->uid);
}

/*
 * Where memory runs out all the same, who holds much of it goes first, and not the spawner, whose place
 * it was born in. A worker whose volume lies on a disk holds little, so that the kernel's own count keeps
 * it long; but it is confined to be distrusted, and what it can fill itself with is not to be kept before
 * all else on the machine.
 */
static int set_oom_score(struct birth *b)
{
	bool little = b->request->role == SPAWNER_WORKER && !b->request->holds_memory;

	return proc_set_oom_score(b->pid, little ? OOM_SCORE_USUAL : OOM_SCORE_FIRST);
}

/* From outside, for a hard limit cannot be raised from within a user namespace. */
static int set_memlock_limit(struct birth *b)
{
	struct rlimit limit = { b->request->memlock_max_bytes, b->request->memlock_max_bytes };

	return prlimit(b->pid, RLIMIT_MEMLOCK, &limit, NULL) < 0 ? -errno : 0;
}

static const struct {
	enum confine_step step;
	int (*run)(struct birth *b);
	bool needed; /* what follows cannot be done without it */
} steps[] = {
	{ CONFINE_CGROUP, make_cgroup, false },
	{ CONFINE_CLONE, clone_child, true },
	{ CONFINE_ID_MAP, write_id_maps, false },
	{ CONFINE_OOM_SCORE, set_oom_score, false },
	{ CONFINE_MEMLOCK_LIMIT, set_memlock_limit, false },
};

static int take_steps(struct birth *b, enum confine_step *ret_step)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *name = confine_step_name(steps[i].step);
		int r;

		if (hook_skips(&b->context->hooks, name) && !steps[i].needed)
			continue;
		r = hook_enter(&b->context->hooks, steps[i].step, b->plan.fds[SPAWNER_FD_SETUP],
			       b->context->spawner_fd);
		if (r == 0)
			r = steps[i].run(b);
		if (r < 0) {
			*ret_step = steps[i].step;
			return r;
		}
	}
	return 0;
}

static int let_go(struct birth *b)
{
	return write(b->go_fds[1], "", 1) == 1 ? 0 : -EIO;
}

/* The child waits for its go and does nothing but wait, so it is gone at once. */
static void abandon(struct birth *b)
{
	if (b->pid > 0) {
		syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0U);
		while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
			;
		closep(&b->pidfd);
	}
	if (b->cgroup_fd >= 0)
		cgroups_remove(b->context->cgroups, b->request->group, b->request->name);
}

int spawn(const struct spawn_context *context, const struct spawner_request *request,
	  const int *fds, size_t n_fds, pid_t *ret_pid, int *ret_pidfd, enum confine_step *ret_step)
{
	struct birth b = { .context = context,
			   .request = request,
			   .cgroup_fd = -EBADF,
			   .go_fds = { -EBADF, -EBADF },
			   .pidfd = -EBADF };
	enum confine_step step = CONFINE_NONE;
	int r = make_plan(&b, fds, n_fds);

	if (r == 0)
		r = take_steps(&b, &step);
	if (r == 0)
		r = let_go(&b);
	if (r < 0)
		abandon(&b);
	closep(&b.cgroup_fd);
	closep(&b.go_fds[0]);
	closep(&b.go_fds[1]);
	if (r < 0) {
		*ret_step = step;
		return r;
	}
	*ret_pid = b.pid;
	*ret_pidfd = b.pidfd;
	return 0;
}
