// SPDX-License-Identifier: Apache-2.0
/* The machine, as the checks see it; see probe.h. */
#include "ctl/doctor/probe.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_SIZE 65536
#define LAST_SIZE  (64 * 1024 * 1024)

void probe_done(struct probe *probe)
{
	closep(&probe->root_fd);
	probe->root_fd = -EBADF;
	json_object_put(probe->daemon.volumes);
	probe->daemon.volumes = NULL;
}

/* Puts the path together, notes it, and makes it relative: all is looked up from root_fd. */
static const char *take_path(struct probe *probe, char *path, const char *format, va_list arguments)
{
	size_t used = strlen(probe->looked_at);

	vsnprintf(path, PATH_MAX, format, arguments);
	snprintf(probe->looked_at + used, sizeof(probe->looked_at) - used, "%s%s", used ? " " : "",
		 path);
	path += strspn(path, "/");
	return *path ? path : ".";
}

#define TAKE_PATH(probe, format)                                          \
	({                                                                \
		const char *taken_path_;                                  \
		va_list arguments_;                                       \
		va_start(arguments_, format);                             \
		taken_path_ = take_path(probe, path, format, arguments_); \
		va_end(arguments_);                                       \
		taken_path_;                                              \
	})

static int read_text(int root_fd, const char *path, char *text, size_t size)
{
	int r = proc_read(root_fd, path, text, size);
	size_t length;

	if (r < 0)
		return r;
	length = strlen(text);
	if (length > 0 && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return 0;
}

int probe_read(struct probe *probe, char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];

	return read_text(probe->root_fd, TAKE_PATH(probe, format), text, size);
}

int probe_read_number(struct probe *probe, uint64_t *ret_number, const char *format, ...)
{
	char path[PATH_MAX], text[64];
	int r = read_text(probe->root_fd, TAKE_PATH(probe, format), text, sizeof(text));

	if (r < 0)
		return r;
	return quantity_parse_number(text, UINT64_MAX, ret_number) < 0 ? -EBADMSG : 0;
}

/* Files of /proc and /sys do not tell their size: read until the end. */
static int read_to_end(int fd, char **ret_text, size_t *ret_size)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0, capacity = 0;
	ssize_t got = 1;

	while (got > 0) {
		if (size + 1 >= capacity) {
			char *larger;

			capacity = capacity ? 2 * capacity : FIRST_SIZE;
			if (capacity > LAST_SIZE)
				return -EFBIG;
			larger = realloc(text, capacity);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		got = read(fd, text + size, capacity - size - 1);
		if (got < 0 && errno != EINTR)
			return -errno;
		size += got > 0 ? (size_t)got : 0;
		got = got < 0 ? 1 : got;
	}
	text[size] = '\0';
	*ret_text = take_ptr(&text);
	*ret_size = size;
	return 0;
}

int probe_read_all(struct probe *probe, char **ret_text, size_t *ret_size, const char *format, ...)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd =
		openat(probe->root_fd, TAKE_PATH(probe, format), O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : read_to_end(fd, ret_text, ret_size);
}

bool probe_exists(struct probe *probe, const char *format, ...)
{
	char path[PATH_MAX];
	struct stat st;

	return fstatat(probe->root_fd, TAKE_PATH(probe, format), &st, 0) == 0;
}

bool probe_is_roots(struct probe *probe, const char *format, ...)
{
	char path[PATH_MAX];
	struct stat st;

	return fstatat(probe->root_fd, TAKE_PATH(probe, format), &st, 0) == 0 && st.st_uid == 0;
}

static bool is_program(int root_fd, const char *path)
{
	struct stat st;

	return fstatat(root_fd, path, &st, 0) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

bool probe_is_program(struct probe *probe, const char *format, ...)
{
	char path[PATH_MAX];

	return is_program(probe->root_fd, TAKE_PATH(probe, format));
}

DIR *probe_open_dir(struct probe *probe, const char *format, ...)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = openat(probe->root_fd, TAKE_PATH(probe, format),
					  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		take_fd(&fd);
	return dir;
}

bool probe_find_program(struct probe *probe, const char *name, char *ret_path, size_t size)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",	       "/sbin",		 "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (!probe_is_program(probe, "%s", path))
			continue;
		snprintf(ret_path, size, "%s", path);
		return true;
	}
	return false;
}

bool probe_has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	while (*(text += strspn(text, " \t\n")) != '\0') {
		size_t span = strcspn(text, " \t\n");

		if (span == length && memcmp(text, word, length) == 0)
			return true;
		text += span;
	}
	return false;
}
