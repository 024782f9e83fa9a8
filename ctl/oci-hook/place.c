// SPDX-License-Identifier: Apache-2.0
/* Mounts, put into the container; see place.h. */
#include "ctl/oci-hook/place.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

/* A path that is renamed while it is walked makes openat2() say EAGAIN. */
#define OPEN_TRIES 16

/* path is relative to root, and stays within it. */
static int open_in_root(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

/* The directory that holds path's last component, and that component. */
static int open_parent(int root, const char *path, const char **ret_name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	*ret_name = slash + 1;
	return open_in_root(root, parent[0] ? parent : "/");
}

/*
 * Makes one directory. mkdirat() follows no link in its last component, and its parent was resolved
 * within the root. It gets the owner of what it is in: in a container with its own ids, root's
 * would be nobody's.
 */
static int make_directory(int root, const char *path, struct trouble *t)
{
	const char *name;
	_cleanup_(closep) int parent = open_parent(root, path, &name);
	struct stat st;

	if (parent < 0)
		return trouble_set_errno(t, parent, "the container's %s cannot be reached", path);
	if (mkdirat(parent, name, 0755) < 0) {
		if (errno == EEXIST) /* what is there leads nowhere: it could not be opened */
			return trouble_set(t, -ELOOP, "the container's %s is a link to nothing",
					   path);
		return trouble_set_errno(t, -errno, "the container's %s cannot be made", path);
	}
	if (fstat(parent, &st) < 0 ||
	    fchownat(parent, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0) {
		int r = trouble_set_errno(t, -errno, "the container's %s cannot be made", path);

		unlinkat(parent, name, AT_REMOVEDIR);
		return r;
	}
	return 0;
}

static void remove_directories(int root, const char *path, size_t count)
{
	char prefix[PATH_MAX];

	snprintf(prefix, sizeof(prefix), "%s", path);
	for (; count > 0; count--) {
		const char *name;
		_cleanup_(closep) int parent = open_parent(root, prefix, &name);

		if (parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) < 0)
			return;
		*strrchr(prefix, '/') = 0;
	}
}

static bool is_same(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* Links may lead to what nobody may cover: runtimes and the kernel rely on it. */
static int check_point(int root, int point, const char *path, struct trouble *t)
{
	_cleanup_(closep) int dev = open_in_root(root, "/dev");
	struct statfs fs;

	if (fstatfs(point, &fs) < 0)
		return trouble_set_errno(t, -errno, "the container's %s cannot be looked at", path);
	if (is_same(root, point) || (dev >= 0 && is_same(dev, point)) ||
	    fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	    fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC)
		return trouble_set(t, -EPERM,
				   "the container's %s leads to its root, /dev, /proc or /sys",
				   path);
	return 0;
}

int place_open_point(int root, const char *path, int *ret_point, size_t *ret_n_made,
		     struct trouble *t)
{
	_cleanup_(closep) int point = -EBADF;
	char prefix[PATH_MAX], deepest_made[PATH_MAX];
	size_t n_made = 0;
	int r = 0;

	for (const char *end = path; r == 0 && *end;) {
		end += 1 + strcspn(end + 1, "/");
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - path), path);
		closep(&point);
		point = open_in_root(root, prefix);
		if (point != -ENOENT)
			continue;
		r = make_directory(root, prefix, t);
		if (r == 0) {
			/* What is below something new is new as well. */
			n_made++;
			strcpy(deepest_made, prefix);
			point = open_in_root(root, prefix);
		}
	}
	if (r == 0 && point < 0)
		r = trouble_set_errno(t, point, "the container's %s cannot be opened", path);
	if (r == 0)
		r = check_point(root, point, path, t);
	if (r < 0) {
		if (n_made > 0)
			remove_directories(root, deepest_made, n_made);
		return r;
	}
	*ret_point = take_fd(&point);
	*ret_n_made = n_made;
	return 0;
}

/* What is undone if a later one fails. */
struct placed {
	const struct placement *placement; /* NULL: it was there before */
	size_t n_made;
};

static void unplace(int root, const struct placed *placed)
{
	char path[64];

	if (!placed->placement)
		return;
	/* The descriptor is the mount's root; the link to it needs no path in the container. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", placed->placement->mount);
	if (umount2(path, MNT_DETACH) == 0)
		remove_directories(root, placed->placement->path, placed->n_made);
}

static int place_one(int root, const struct placement *p, struct placed *ret_placed,
		     struct trouble *t)
{
	_cleanup_(closep) int point = -EBADF;
	size_t n_made;
	int r;

	trouble_step(t, p->volume, "attaching");
	r = place_open_point(root, p->path, &point, &n_made, t);
	if (r < 0)
		return r;
	/*
	 * The same root directory of the same file system: the hook was run before, and this is its
	 * mount.
	 */
	if (is_same(point, p->mount))
		return 0;
	if (move_mount(p->mount, "", point, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
		r = trouble_set_errno(t, -errno, "it cannot be attached at the container's %s",
				      p->path);
		remove_directories(root, p->path, n_made);
		return r;
	}
	*ret_placed = (struct placed){ .placement = p, .n_made = n_made };
	return 0;
}

int place_here(const char *rootfs, const struct placement *placements, size_t n_placements,
	       struct trouble *t)
{
	_cleanup_(closep) int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(freep) struct placed *placed = calloc(n_placements, sizeof(*placed));
	int r = 0;
	size_t n;

	if (root < 0)
		return trouble_set_errno(t, -errno, "the container's root %s cannot be opened",
					 rootfs);
	if (!placed)
		return -ENOMEM;
	for (n = 0; n < n_placements; n++) {
		r = place_one(root, &placements[n], &placed[n], t);
		if (r < 0)
			break;
	}
	while (r < 0 && n-- > 0)
		unplace(root, &placed[n]);
	return r;
}

int place_all(int pidfd, const char *rootfs, const struct placement *placements,
	      size_t n_placements, struct trouble *t)
{
	/* By the pidfd, so that it is the container's namespace or none. */
	if (setns(pidfd, CLONE_NEWNS) < 0)
		return trouble_set_errno(t, -errno, "the container's mounts cannot be entered");
	return place_here(rootfs, placements, n_placements, t);
}
