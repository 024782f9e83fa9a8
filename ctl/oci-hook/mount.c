// SPDX-License-Identifier: Apache-2.0
/* A volume's file system, mounted but nowhere attached; see mount.h. */
#include "ctl/oci-hook/mount.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

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

	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return trouble_set_errno(t, -errno,
					 "its ids cannot be mapped to the container's user namespace");
	return 0;
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
		if (r < 0)
			return r;
	}
	*ret_mount = take_fd(&mount);
	return 0;
}
