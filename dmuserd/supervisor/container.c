// SPDX-License-Identifier: Apache-2.0
/*
 * When a container ends; see container.h.
 *
 * Two things are waited for, in any order: init's pidfd, and its cgroup. The kernel may fold a
 * change of cgroup.events into a later notification and drop that one when the cgroup is removed
 * meanwhile, so once init is dead the file is also read again at intervals, until it says 0 or is
 * gone.
 */
#include "dmuserd/supervisor/container.h"
#include "dmuserd/supervisor/process.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define SWEEP_USEC 200000
/* Looked at one after the other, while all else waits: some ten milliseconds. */
#define CGROUP_PROCESSES_MAX 4096

struct container {
	struct container_identity identity;
	container_ended_fn ended;
	void *userdata;
	int pidfd;  /* -EBADF once init is dead */
	int events; /* cgroup.events; -EBADF: nothing to wait for */
	sd_event_source *init_died, *cgroup_changed, *sweep;
};

/* Where the unified hierarchy is mounted. */
static int find_cgroup_mount(char *ret_path, size_t size)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;

	if (!f)
		return -errno;
	while (getline(&line, &capacity, f) > 0) {
		const char *cursor = line;
		struct proc_mount mount;

		if (proc_next_mount(&cursor, &mount) > 0 && proc_is_cgroup2(&mount))
			return proc_word_path(&mount.point, ret_path, size);
	}
	return -ENOENT;
}

/* The process's cgroup as a directory. -ENOENT if it is none that could be its own. */
static int find_cgroup(pid_t pid, char *ret_path, size_t size)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64], mount[512], line[PATH_MAX];
	int r = find_cgroup_mount(mount, sizeof(mount));

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		/* Outside of what is seen from here, or the root, which has no events. */
		if (strncmp(line, "0::/", 4) != 0 || !line[4] || strstr(line, "/.."))
			continue;
		if ((size_t)snprintf(ret_path, size, "%s%s", mount, line + 3) >= size)
			return -ENAMETOOLONG;
		return 0;
	}
	return -ENOENT;
}

/* 1 and the pid namespace of a process, or 0 if it has ended meanwhile. */
static int pid_namespace(pid_t pid, ino_t *ret_namespace)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (stat(path, &st) < 0)
		return 0;
	*ret_namespace = st.st_ino;
	return 1;
}

/*
 * Whether the cgroup holds this container only. A container that was started in a shell's cgroup,
 * say, must not live as long as the shell. Every process in it is init, or of init's own pid
 * namespace. One with more processes than are looked at counts as not its own: then the container ends with
 * its init, whose death kills all of that pid namespace.
 */
static bool is_own_cgroup(const char *cgroup, pid_t init)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[CONTAINER_CGROUP_SIZE + 32];
	ino_t ours, inits, other;
	size_t n = 0;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "re");
	if (!f || !pid_namespace(getpid(), &ours) || !pid_namespace(init, &inits))
		return false;
	while (fscanf(f, "%d", &pid) == 1) {
		if (n++ == CGROUP_PROCESSES_MAX)
			return false;
		if (pid != init && pid_namespace(pid, &other) && (other == ours || other != inits))
			return false;
	}
	return true;
}

/* Reads the state anew, and so has the next change of it notified. */
static bool is_populated(int events)
{
	char text[256];
	ssize_t n = pread(events, text, sizeof(text) - 1, 0);

	/* ENODEV: the cgroup has been removed, which takes an empty one. */
	if (n < 0)
		return false;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

static bool has_ended(struct container *c)
{
	return c->pidfd < 0 && (c->events < 0 || !is_populated(c->events));
}

static void end(struct container *c)
{
	c->init_died = sd_event_source_disable_unref(c->init_died);
	c->cgroup_changed = sd_event_source_disable_unref(c->cgroup_changed);
	c->sweep = sd_event_source_disable_unref(c->sweep);
	c->ended(c->userdata);
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct container *c = userdata;

	if (has_ended(c)) {
		end(c);
		return 0;
	}
	sd_event_source_set_time_relative(source, SWEEP_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int start_sweep(struct container *c, sd_event *event)
{
	return sd_event_add_time_relative(event, &c->sweep, CLOCK_MONOTONIC, SWEEP_USEC, 0,
					  on_sweep, c);
}

static int on_init_died(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct container *c = userdata;

	c->init_died = sd_event_source_disable_unref(c->init_died);
	closep(&c->pidfd);
	c->pidfd = -EBADF;
	if (has_ended(c)) {
		end(c);
		return 0;
	}
	return start_sweep(c, sd_event_source_get_event(c->cgroup_changed));
}

static int on_cgroup_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct container *c = userdata;

	/* Reading it arms the next notification, also while init lives. */
	if (!is_populated(fd) && c->pidfd < 0)
		end(c);
	return 0;
}

static int open_events(const char *cgroup)
{
	char path[CONTAINER_CGROUP_SIZE + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.events", cgroup);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -EBADF : fd;
}

/* c->identity and c->pidfd are known. */
static int watch(struct container *c, sd_event *event)
{
	int r = 0;

	if (c->identity.cgroup[0])
		c->events = open_events(c->identity.cgroup);
	if (has_ended(c))
		return -ESRCH;
	if (c->events >= 0) {
		is_populated(c->events);
		r = sd_event_add_io(event, &c->cgroup_changed, c->events, EPOLLPRI,
				    on_cgroup_changed, c);
	}
	if (r >= 0 && c->pidfd >= 0)
		r = sd_event_add_io(event, &c->init_died, c->pidfd, EPOLLIN, on_init_died, c);
	if (r >= 0 && c->pidfd < 0)
		r = start_sweep(c, event);
	return r;
}

static struct container *container_alloc(int pidfd, container_ended_fn ended, void *userdata)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->ended = ended;
	c->userdata = userdata;
	c->pidfd = pidfd;
	c->events = -EBADF;
	return c;
}

static int identify(struct container *c)
{
	struct container_identity *id = &c->identity;
	int r = process_pid(c->pidfd, &id->pid);

	if (r < 0)
		return r;
	r = process_start_time(id->pid, &id->start_time);
	if (r < 0)
		return r;
	if (find_cgroup(id->pid, id->cgroup, sizeof(id->cgroup)) < 0 ||
	    !is_own_cgroup(id->cgroup, id->pid))
		id->cgroup[0] = '\0';
	/* All of it was read by pid. If init is alive now, it was init's. */
	return process_is_alive(c->pidfd) ? 0 : -ESRCH;
}

int container_new(sd_event *event, int pidfd, container_ended_fn ended, void *userdata,
		  struct container **ret_container)
{
	_cleanup_(closep) int consumed = pidfd;
	_cleanup_(container_freep) struct container *c = NULL;
	int r;

	if (pidfd < 0)
		return -EBADF;
	c = container_alloc(take_fd(&consumed), ended, userdata);
	if (!c) {
		close(pidfd);
		return -ENOMEM;
	}
	r = identify(c);
	if (r == 0)
		r = watch(c, event);
	if (r < 0)
		return r;
	*ret_container = take_ptr(&c);
	return 0;
}

int container_find(sd_event *event, const struct container_identity *identity,
		   container_ended_fn ended, void *userdata, struct container **ret_container)
{
	_cleanup_(container_freep) struct container *c = NULL;
	int pidfd = -EBADF, r;

	r = process_open(identity->pid, identity->start_time, &pidfd);
	if (r < 0 && r != -ESRCH)
		return r;
	c = container_alloc(pidfd, ended, userdata);
	if (!c) {
		closep(&pidfd);
		return -ENOMEM;
	}
	c->identity = *identity;
	r = watch(c, event);
	if (r < 0)
		return r;
	*ret_container = take_ptr(&c);
	return 0;
}

void container_free(struct container *c)
{
	if (!c)
		return;
	sd_event_source_disable_unref(c->init_died);
	sd_event_source_disable_unref(c->cgroup_changed);
	sd_event_source_disable_unref(c->sweep);
	closep(&c->pidfd);
	closep(&c->events);
	free(c);
}

const struct container_identity *container_identity(const struct container *c)
{
	return &c->identity;
}
