// SPDX-License-Identifier: Apache-2.0
/* A volume's file system, mounted but nowhere attached; see mount.h. */
#include "ctl/oci-hook/mount.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int mount_is_possible(struct trouble *t)
{
	_cleanup_(closep) int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	unsigned int inside = 0, outside = 0, count = 0;
	char map[256];
	ssize_t n;

	trouble_step(t, NULL, "mounting");
	if (fd < 0)
		return trouble_set_errno(t, -errno, "/proc/self/uid_map cannot be read");
	n = read(fd, map, sizeof(map) - 1);
	if (n < 0)
		return trouble_set_errno(t, -errno, "/proc/self/uid_map cannot be read");
	map[n] = 0;
	/* Only the first user namespace maps every id to itself. */
	if (geteuid() == 0 && sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 &&
	    inside == 0 && outside == 0 && count == UINT32_MAX)
		return 0;
	trouble_hint(t, "run the container as root, with a user namespace if need be");
	return trouble_set(t, -EPERM,
			   "the runtime is rootless: only root on the host can mount a volume");
}

/* The kernel's own words about a failed fsconfig(), the last of them. */
static void read_kernel_words(int fs, char *out, size_t size)
{
	char text[256];
	ssize_t n;

	out[0] = 0;
	while ((n = read(fs, text, sizeof(text) - 1)) > 0) {
		text[n] = 0;
		text[strcspn(text, "\n")] = 0;
		/* "e " for an error, "w " and "i " for others */
		snprintf(out, size, ": %s", strncmp(text, "e ", 2) == 0 ? text + 2 : text);
	}
}

static int refuse(int fs, int error, const char *what, struct trouble *t)
{
	char words[280];

	read_kernel_words(fs, words, sizeof(words));
	trouble_hint(t, "the kernel's log (dmesg) may say more");
	return trouble_set(t, error, "%s: %s%s", what, strerror(-error), words);
}

static int set_string(int fs, const char *key, const char *value, struct trouble *t)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return refuse(fs, -errno, key, t);
	return 0;
}

static int configure(int fs, const struct device *device, const struct request *request,
		     struct trouble *t)
{
	int r;

	r = set_string(fs, "source", device->path, t);
	if (r == 0 && request->fs == REQUEST_FS_EXT4)
		r = set_string(fs, "errors", "remount-ro", t);
	if (r == 0 && request->read_only && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		r = refuse(fs, -errno, "ro", t);
	if (r == 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = refuse(fs, -errno, "the kernel does not mount it", t);
	return r;
}

/* Without it, everything there belongs to 65534 in the container, and nothing can be written. */
static int map_ids(int mount, int userns, struct trouble *t)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		int r = -errno;

		trouble_hint(t, "a kernel from 6.1 on can, for ext4, xfs and btrfs; or leave the "
				"container without a user namespace");
		return trouble_set_errno(t, r,
					 "its ids cannot be mapped to the container's user "
					 "namespace");
	}
	return 0;
}

/* What an id looks like that is mapped to nothing: the kernel's overflowuid. */
#define NOBODY 65534

/*
 * A root that nobody owns can be written by none of the container's processes, its init included.
 */
static int check_owner(int mount, struct trouble *t)
{
	struct stat st;

	if (fstat(mount, &st) < 0)
		return trouble_set_errno(t, -errno, "its root directory cannot be looked at");
	if (st.st_uid != NOBODY && st.st_gid != NOBODY)
		return 0;
	trouble_hint(t, "map the container's id 0, or give the volume a file system whose root "
			"directory is owned by ids that the container has");
	return trouble_set(t, -EOVERFLOW,
			   "its root directory belongs to an id that the container's user "
			   "namespace does not map");
}

int mount_detached(const struct device *device, const struct request *request, int userns,
		   int *ret_mount, struct trouble *t)
{
	_cleanup_(closep) int fs = -EBADF;
	_cleanup_(closep) int mount = -EBADF;
	unsigned int attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	int r;

	trouble_step(t, NULL, "mounting");
	if (request->read_only)
		attributes |= MOUNT_ATTR_RDONLY;
	fs = fsopen(request_fs_name(request->fs), FSOPEN_CLOEXEC);
	if (fs < 0) {
		trouble_hint(t, "is this root, and does the kernel have the file system?");
		return trouble_set_errno(t, -errno, "the kernel offers no %s",
					 request_fs_name(request->fs));
	}
	r = configure(fs, device, request, t);
	if (r < 0)
		return r;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	if (mount < 0)
		return refuse(fs, -errno, "the kernel makes no mount of it", t);
	if (userns >= 0) {
		r = map_ids(mount, userns, t);
		if (r == 0)
			r = check_owner(mount, t);
		if (r < 0)
			return r;
	}
	*ret_mount = take_fd(&mount);
	return 0;
}
