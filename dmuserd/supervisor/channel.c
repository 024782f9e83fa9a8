// SPDX-License-Identifier: Apache-2.0
/* The character device of one target; see channel.h. */
#include "dmuserd/supervisor/channel.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

void channel_node(const char *uuid, uint64_t generation, char ret_node[static CHANNEL_NODE_SIZE])
{
	snprintf(ret_node, CHANNEL_NODE_SIZE, "%s.%" PRIu64, uuid, generation);
}

static int open_node(const char *node, int flags, int *ret_fd)
{
	_cleanup_(closep) int fd = -EBADF;
	char path[sizeof(DM_USER_DIRECTORY) + CHANNEL_NODE_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", DM_USER_DIRECTORY, node);
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode))
		return -ENOTTY;
	*ret_fd = take_fd(&fd);
	return 0;
}

int channel_open(const char *node, int *ret_fd)
{
	return open_node(node, O_RDWR, ret_fd);
}

int channel_open_path(const char *node, int *ret_fd)
{
	return open_node(node, O_PATH, ret_fd);
}
