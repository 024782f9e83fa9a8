// SPDX-License-Identifier: Apache-2.0
/* Who else uses an image; see image-users.h. Only looks. */
#include "dmuserd/supervisor/image-users.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

const struct image_places image_places_of_machine = {
	.swaps = "/proc/swaps",
	.sys_block = "/sys/block",
};

static bool is_at(const char *path, const struct stat *image)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == image->st_dev && st.st_ino == image->st_ino;
}

/* The kernel writes blanks and the like as \ and three octal digits. */
static void unescape(char *path)
{
	unsigned int byte;
	char *to = path;

	for (; *path; path++) {
		if (sscanf(path, "\\%3o", &byte) == 1) {
			*to++ = (char)byte;
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

static bool is_swap(const char *swaps, const struct stat *image)
{
	_cleanup_(fclosep) FILE *f = fopen(swaps, "re");
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;

	while (f && getline(&line, &capacity, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		unescape(line);
		if (line[0] == '/' && is_at(line, image))
			return true;
	}
	return false;
}

static bool is_behind(int sys_block, const char *device, const struct stat *image)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/loop/backing_file", device);
	fd = openat(sys_block, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	path[strcspn(path, "\n")] = '\0';
	return is_at(path, image);
}

static bool is_loop(const char *sys_block, const struct stat *image, size_t size, char *ret_by)
{
	_cleanup_(closedirp) DIR *d = opendir(sys_block);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, "loop", 4) != 0 ||
		    !is_behind(dirfd(d), entry->d_name, image))
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
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (is_swap(places->swaps, &st)) {
		snprintf(ret_by, size, "the kernel, as swap space");
		return true;
	}
	return is_loop(places->sys_block, &st, size, ret_by) ||
	       is_locked(fd, read_only, size, ret_by);
}
