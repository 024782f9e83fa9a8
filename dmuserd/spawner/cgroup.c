// SPDX-License-Identifier: Apache-2.0
/*
 * The cgroups of the spawner and its children.
 *
 * The base is the spawner's own cgroup if systemd has delegated it, which systemd marks with an
 * extended attribute; otherwise "dmuser" in the root of the hierarchy. Owns everything below the
 * base and nothing beside it. A cgroup that holds processes may not hand controllers on, so the
 * spawner itself sits in a leaf, "_spawner", whose name no container can have.
 *
 * Paths are short and made of checked names (no slash, no leading dot), and always below base_fd.
 */
#include "dmuserd/spawner/cgroup.h"
#include "dmuserd/messages/spawner.h"
#include "util/cleanup.h"
#include "util/name.h"
#include "util/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#define LEAF	    "_spawner"
#define CONTROLLERS "+memory +pids"
/* A group, a name and the longest file name, with slashes. */
#define PATH_SIZE 256

struct cgroups {
	int base_fd;
};

static int write_text(int dir_fd, const char *path, const char *text)
{
	_cleanup_(closep) int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(int dir_fd, const char *dir, const char *file, uint64_t number)
{
	char path[PATH_SIZE + 16], text[32];

	snprintf(path, sizeof(path), "%.*s/%s", PATH_SIZE - 1, dir, file);
	snprintf(text, sizeof(text), "%" PRIu64, number);
	return write_text(dir_fd, path, text);
}

static int make_dir(int dir_fd, const char *path)
{
	return mkdirat(dir_fd, path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/*
 * ENODEV, ENOENT, EINVAL: how kernels say that a controller is not there, or belongs to cgroup v1.
 */
static int enable_controllers(int dir_fd, const char *path)
{
	int r = write_text(dir_fd, path, CONTROLLERS);

	return r == -ENOENT || r == -ENODEV || r == -EINVAL ? -EOPNOTSUPP : r;
}

/* Opens the place where cgroup2 is mounted whole. */
static int open_root(int *ret_fd)
{
	_cleanup_(freep) char *text = malloc(1024 * 1024);
	char point[PATH_MAX];
	struct proc_mount mount;
	const char *cursor = text;
	int r;

	if (!text)
		return -ENOMEM;
	r = proc_read(AT_FDCWD, "/proc/self/mountinfo", text, 1024 * 1024);
	if (r < 0)
		return r;
	while ((r = proc_next_mount(&cursor, &mount)) > 0) {
		int fd;

		if (!proc_is_cgroup2(&mount) || proc_word_path(&mount.point, point, sizeof(point)) < 0)
			continue;
		fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		*ret_fd = fd;
		return 0;
	}
	return r < 0 ? r : -EOPNOTSUPP;
}

static bool is_delegated(int fd)
{
	return fgetxattr(fd, "trusted.delegate", NULL, 0) >= 0 ||
	       fgetxattr(fd, "user.delegate", NULL, 0) >= 0;
}

static int open_base(int *ret_fd)
{
	_cleanup_(closep) int root_fd = -EBADF, own_fd = -EBADF, fd = -EBADF;
	char text[PATH_MAX], own[PATH_MAX] = "";
	int r = open_root(&root_fd);

	if (r == 0)
		r = proc_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));
	if (r == 0)
		r = proc_parse_cgroup(text, own, sizeof(own));
	if (r < 0)
		return r;
	if (own[1] != '\0') {
		own_fd = openat(root_fd, own + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (own_fd >= 0 && is_delegated(own_fd)) {
			*ret_fd = take_fd(&own_fd);
			return 0;
		}
	}
	r = enable_controllers(root_fd, "cgroup.subtree_control");
	if (r == 0)
		r = make_dir(root_fd, "dmuser");
	if (r < 0)
		return r;
	fd = openat(root_fd, "dmuser", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int is_populated(int base_fd, const char *path, bool *ret_populated)
{
	char text[256];
	int r = proc_read(base_fd, path, text, sizeof(text));

	if (r == 0)
		*ret_populated = strstr(text, "populated 1") != NULL;
	return r;
}

/* Children are born into their own cgroups, so whoever is in the leaf is a spawner. */
static int enter_leaf(int base_fd)
{
	bool populated = false;
	int r = make_dir(base_fd, LEAF);

	if (r == 0)
		r = is_populated(base_fd, LEAF "/cgroup.events", &populated);
	if (r == 0 && populated)
		r = -EBUSY;
	if (r == 0)
		r = write_text(base_fd, LEAF "/cgroup.procs", "0");
	return r;
}

/* Who is in the base itself, beside this process, which has left it. */
static bool is_shared(int base_fd)
{
	char text[4096];
	int r = proc_read(base_fd, "cgroup.procs", text, sizeof(text));

	return r == -EFBIG || (r == 0 && text[0] != '\0');
}

int cgroups_new(struct cgroups **ret_cgroups)
{
	_cleanup_(cgroups_freep) struct cgroups *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->base_fd = -EBADF;
	r = open_base(&c->base_fd);
	if (r == 0)
		r = enter_leaf(c->base_fd);
	if (r == 0) {
		r = enable_controllers(c->base_fd, "cgroup.subtree_control");
		if (r == -EBUSY && is_shared(c->base_fd))
			r = -ENOTEMPTY;
	}
	if (r == 0)
		*ret_cgroups = take_ptr(&c);
	return r;
}

void cgroups_free(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	closep(&cgroups->base_fd);
	free(cgroups);
}

void cgroups_freep(struct cgroups **cgroups)
{
	cgroups_free(*cgroups);
}

static int make_group(int base_fd, const char *group)
{
	char path[PATH_SIZE];
	int r = make_dir(base_fd, group);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", group);
	return enable_controllers(base_fd, path);
}

static int set_limits(int base_fd, const char *dir, uint64_t memory_max_bytes, uint32_t pids_max)
{
	int r = write_number(base_fd, dir, "pids.max", pids_max);

	if (r == 0 && memory_max_bytes > 0)
		r = write_number(base_fd, dir, "memory.max", memory_max_bytes);
	return r;
}

int cgroups_make(const struct cgroups *cgroups, const char *group, const char *name,
		 uint64_t memory_max_bytes, uint32_t pids_max, int *ret_fd)
{
	char path[PATH_SIZE];
	int fd = -EBADF;
	int r = make_group(cgroups->base_fd, group);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", group, name);
	/* One that is there already, and empty, could not be removed when its child ended. */
	if (unlinkat(cgroups->base_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	if (mkdirat(cgroups->base_fd, path, 0755) < 0)
		return -errno;
	r = set_limits(cgroups->base_fd, path, memory_max_bytes, pids_max);
	if (r == 0) {
		fd = openat(cgroups->base_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		cgroups_remove(cgroups, group, name);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int cgroups_remove(const struct cgroups *cgroups, const char *group, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	if (unlinkat(cgroups->base_fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	/* Refused while the group has others, as it should be. */
	(void)unlinkat(cgroups->base_fd, group, AT_REMOVEDIR);
	return 0;
}

bool cgroups_had_oom_kill(const struct cgroups *cgroups, const char *group, const char *name)
{
	char path[PATH_SIZE], text[512];
	uint64_t kills = 0;

	snprintf(path, sizeof(path), "%s/%s/memory.events", group, name);
	return proc_read(cgroups->base_fd, path, text, sizeof(text)) == 0 &&
	       proc_parse_count(text, "oom_kill", &kills) == 0 && kills > 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* cgroup.events raises POLLPRI when "populated" changes after it was read. */
static int wait_until_empty(int base_fd, const char *path, int timeout_ms)
{
	_cleanup_(closep) int fd = openat(base_fd, path, O_RDONLY | O_CLOEXEC);
	struct pollfd change = { .fd = fd, .events = POLLPRI };
	int64_t deadline = now_ms() + timeout_ms;

	if (fd < 0)
		return -errno;
	for (;;) {
		char text[256] = "";
		int64_t left;

		if (pread(fd, text, sizeof(text) - 1, 0) < 0)
			return -errno;
		if (!strstr(text, "populated 1"))
			return 0;
		left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&change, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

int cgroups_kill(const struct cgroups *cgroups, const char *group, const char *name, int timeout_ms)
{
	char path[PATH_SIZE];
	int r;

	snprintf(path, sizeof(path), "%s/%s/cgroup.kill", group, name);
	r = write_text(cgroups->base_fd, path, "1");
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s/cgroup.events", group, name);
	return wait_until_empty(cgroups->base_fd, path, timeout_ms);
}

int cgroups_list_pids(const struct cgroups *cgroups, const char *group, const char *name,
		      pid_t *pids, size_t capacity, size_t *ret_n)
{
	char path[PATH_SIZE], text[4096];
	size_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", group, name);
	r = proc_read(cgroups->base_fd, path, text, sizeof(text));
	if (r < 0)
		return r;
	for (char *line = text; *line != '\0'; n++) {
		long pid = strtol(line, &line, 10);

		if (pid < 0 || *line != '\n')
			return -EBADMSG;
		line++;
		if (n < capacity)
			pids[n] = (pid_t)pid;
	}
	*ret_n = n;
	return 0;
}

static bool is_dir(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int open_dir(int dir_fd, const char *path, DIR **ret_dir)
{
	_cleanup_(closep) int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	take_fd(&fd);
	*ret_dir = dir;
	return 0;
}

static int each_name(const struct cgroups *cgroups, const char *group, cgroups_each_fn fn,
		     void *userdata)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	int r = open_dir(cgroups->base_fd, group, &dir);

	if (r < 0)
		return r;
	for (struct dirent *entry; errno = 0, entry = readdir(dir);) {
		if (entry->d_name[0] == '.' || !is_dir(dirfd(dir), entry->d_name))
			continue;
		r = fn(userdata, group, entry->d_name);
		if (r < 0)
			return r;
	}
	return -errno;
}

/* The leaf's name is not a container's, nor are dots. */
static bool is_group(const char *name)
{
	return strcmp(name, SPAWNER_PARSERS) == 0 || name_is_container(name);
}

int cgroups_each(const struct cgroups *cgroups, cgroups_each_fn fn, void *userdata)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	int r = open_dir(cgroups->base_fd, ".", &dir);

	if (r < 0)
		return r;
	for (struct dirent *entry; errno = 0, entry = readdir(dir);) {
		if (!is_group(entry->d_name) || !is_dir(dirfd(dir), entry->d_name))
			continue;
		r = each_name(cgroups, entry->d_name, fn, userdata);
		if (r < 0)
			return r;
		(void)unlinkat(cgroups->base_fd, entry->d_name, AT_REMOVEDIR);
	}
	return -errno;
}
