// SPDX-License-Identifier: Apache-2.0
/*
 * Who else uses an image; see image-users.h. Only looks, and compares paths as the kernel writes them: to look at
 * other people's files would be to wait for other people's servers.
 */
#include "dmuserd/supervisor/image-users.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

const struct image_places image_places_of_machine = {
	.swaps = "/proc/swaps",
	.sys_block = "/sys/block",
};

static bool is_swap(const char *swaps, const char *image)
{
	_cleanup_(fclosep) FILE *f = fopen(swaps, "re");
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;

	while (f && getline(&line, &capacity, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		proc_unescape(line);
		if (strcmp(line, image) == 0)
			return true;
	}
	return false;
}

/* A device's attribute: one line. False: it has none. */
static bool read_attribute(int sys_block, const char *device, const char *attribute, char ret_text[PATH_MAX])
{
	_cleanup_(closep) int fd = -EBADF;
	ssize_t n;

	snprintf(ret_text, PATH_MAX, "%s/%s", device, attribute);
	fd = openat(sys_block, ret_text, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret_text, PATH_MAX - 1);
	if (n <= 0)
		return false;
	ret_text[n] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	return true;
}

/* Two that only read are no danger to each other. */
static bool is_behind(int sys_block, const char *device, const char *image, bool read_only)
{
	char text[PATH_MAX];

	if (!read_attribute(sys_block, device, "loop/backing_file", text) || strcmp(text, image) != 0)
		return false;
	return !read_only || !read_attribute(sys_block, device, "ro", text) || strcmp(text, "1") != 0;
}

static bool is_loop(const char *sys_block, const char *image, bool read_only, size_t size, char *ret_by)
{
	_cleanup_(closedirp) DIR *d = opendir(sys_block);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "loop", 4) != 0 ||
		    !is_behind(dirfd(d), entry->d_name, image, read_only))
			continue;
		snprintf(ret_by, size, "/dev/%s", entry->d_name);
		return true;
	}
	return false;
}

/* QEMU and others lock bytes of an image that they have open. */
static bool is_locked(int fd, bool read_only, size_t size, char *ret_by)
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	if (lock.l_pid > 0)
		snprintf(ret_by, size, "pid %d, which has locked it", lock.l_pid);
	else
		snprintf(ret_by, size, "a program that has locked it");
	return true;
}

bool image_is_used(const struct image_places *places, int fd, bool read_only, size_t size, char *ret_by)
{
	char link[64], image[PATH_MAX];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, image, sizeof(image) - 1);
	if (n < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	image[n] = '\0';
	if (is_swap(places->swaps, image)) {
		snprintf(ret_by, size, "the kernel, as swap space");
		return true;
	}
	return is_loop(places->sys_block, image, read_only, size, ret_by) ||
	       is_locked(fd, read_only, size, ret_by);
}
