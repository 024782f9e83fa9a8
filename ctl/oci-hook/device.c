// SPDX-License-Identifier: Apache-2.0
/* A volume's device, opened, and looked at so that it is the right one; see device.h. */
#include "ctl/oci-hook/device.h"
#include "ctl/object.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEVICE_PREFIX "/dev/dm-"
#define UUID_PREFIX   "DMUSER-"

int device_from_reply(struct json_object *volume, struct device *ret, struct trouble *t)
{
	const char *path = object_string(volume, "device", "");
	const char *uuid = object_string(volume, "uuid", "");
	int64_t size = object_int(volume, "size_bytes", 0);
	uint64_t number;

	if (strncmp(path, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) != 0 ||
	    quantity_parse_number(path + strlen(DEVICE_PREFIX), 1 << 20, &number) < 0 ||
	    !name_is_uuid(uuid) || size <= 0)
		return trouble_set(t, -EPROTO, "dmuserd's answer names no device");
	*ret = (struct device){
		.size_bytes = (uint64_t)size,
		.blank = object_bool(volume, "blank"),
		.fd = -EBADF,
	};
	snprintf(ret->path, sizeof(ret->path), DEVICE_PREFIX "%u", (unsigned int)number);
	strcpy(ret->uuid, uuid);
	return 0;
}

static int read_dm_uuid(dev_t number, char *out, size_t size)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(number), minor(number));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	if (n < 0)
		return -errno;
	out[n] = 0;
	out[strcspn(out, "\n")] = 0;
	return 0;
}

int device_open(struct device *device, struct trouble *t)
{
	char uuid[160], expected[NAME_UUID_LEN + sizeof(UUID_PREFIX)];
	_cleanup_(closep) int fd = -EBADF;
	uint64_t size_bytes;
	struct stat st;
	int r;

	fd = open(device->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return trouble_set_errno(t, -errno, "%s cannot be opened", device->path);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
		return trouble_set(t, -ENOTBLK, "%s is no block device", device->path);
	r = read_dm_uuid(st.st_rdev, uuid, sizeof(uuid));
	if (r < 0)
		return trouble_set_errno(t, r, "%s has no device-mapper uuid", device->path);
	snprintf(expected, sizeof(expected), UUID_PREFIX "%s", device->uuid);
	if (strcmp(uuid, expected) != 0)
		return trouble_set(t, -ESTALE, "%s belongs to another volume", device->path);
	if (ioctl(fd, BLKGETSIZE64, &size_bytes) < 0)
		return trouble_set_errno(t, -errno, "%s has no size", device->path);
	if (size_bytes != device->size_bytes)
		return trouble_set(t, -ESTALE, "%s has another size than its volume", device->path);
	device->fd = take_fd(&fd);
	return 0;
}
