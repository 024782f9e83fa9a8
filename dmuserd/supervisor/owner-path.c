// SPDX-License-Identifier: Apache-2.0
/* A path, walked as the user who named it could walk it; see owner-path.h. */
#include "dmuserd/supervisor/owner-path.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Whose groups are not known here, so both the group's and the others' right are asked for: a directory whose group
 * is shut out is not open to all. (An access list's mask stands in the place of the group's right.)
 */
static int check_searchable(int directory, uid_t uid)
{
	struct stat st;
	mode_t wanted;

	if (fstat(directory, &st) < 0)
		return -errno;
	wanted = st.st_uid == uid ? S_IXUSR : S_IXGRP | S_IXOTH;
	return (st.st_mode & wanted) == wanted ? 0 : -EACCES;
}

static int open_step(int directory, const char *name, bool last, int *ret_fd)
{
	/* O_DIRECTORY has a file system mounted that is mounted at need. */
	int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (last ? 0 : O_DIRECTORY));
	int error = errno;
	struct stat st;

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (error == ENOTDIR && fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return -ELOOP;
	return -error;
}

int owner_path_open(const char *path, uid_t uid, int *ret_fd)
{
	_cleanup_(closep) int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];

	if (at < 0)
		return -errno;
	for (path += strspn(path, "/"); *path;) {
		size_t length = strcspn(path, "/");
		bool last = path[length] == 0;
		int next = -EBADF, r;

		if (length > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, path, length);
		name[length] = 0;
		r = check_searchable(at, uid);
		if (r == 0)
			r = open_step(at, name, last, &next);
		if (r < 0)
			return r;
		closep(&at);
		at = next;
		path += length + strspn(path + length, "/");
	}
	*ret_fd = take_fd(&at);
	return 0;
}
