// SPDX-License-Identifier: Apache-2.0
/* What the next supervisor has to know of a volume; see journal.h. */
#include "dmuserd/supervisor/journal.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

static const char magic[8] = "dmuserJ";

/* Written here first; no uuid begins with a dot. */
#define TEMPORARY_PREFIX ".new-"

static void freepp(struct journal_entry **entry)
{
	free(*entry);
}

/* As much of one as is read: more than will ever be in one. */
#define SIZE_READ 65536
_Static_assert(sizeof(struct journal_entry) <= SIZE_READ, "an entry is read at once");
/* What supervisors have written from the first one on: a field before `error` would make all of it unsound. */
_Static_assert(JOURNAL_SIZE_MIN == 34760, "new fields come last");

/* FNV-1a: finds a torn or a stray file, which is all that it is for. */
static uint64_t checksum(const void *entry, size_t size)
{
	const unsigned char *bytes = entry;
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = offsetof(struct journal_entry, uuid); i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum;
}

static int open_directory(const char *run_dir, int *ret_fd)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/journal", run_dir);
	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int journal_init(const char *run_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/journal", run_dir);
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_whole(int fd, const void *data, size_t size)
{
	ssize_t n = write(fd, data, size);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}

int journal_write(const char *run_dir, struct journal_entry *entry)
{
	_cleanup_(closep) int dir = -EBADF, fd = -EBADF;
	char temporary[sizeof(TEMPORARY_PREFIX) + sizeof(entry->uuid)];
	int r = open_directory(run_dir, &dir);

	if (r < 0)
		return r;
	memcpy(entry->magic, magic, sizeof(magic));
	entry->version = JOURNAL_VERSION;
	entry->size = sizeof(*entry);
	entry->checksum = checksum(entry, sizeof(*entry));

	snprintf(temporary, sizeof(temporary), TEMPORARY_PREFIX "%s", entry->uuid);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_whole(fd, entry, sizeof(*entry));
	if (r == 0 && renameat(dir, temporary, dir, entry->uuid) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temporary, 0);
	return r;
}

int journal_remove(const char *run_dir, const char *uuid)
{
	_cleanup_(closep) int dir = -EBADF;
	int r = open_directory(run_dir, &dir);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return unlinkat(dir, uuid, 0) < 0 && errno != ENOENT ? -errno : 0;
}

#define TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)

static bool is_whole(const struct journal_entry *e, size_t size)
{
	return memcmp(e->magic, magic, sizeof(magic)) == 0 && e->version == JOURNAL_VERSION &&
	       e->size == size && e->checksum == checksum(e, size);
}

static bool is_sound(const struct journal_entry *e, const char *file_name)
{
	if (!TERMINATED(e->uuid) || !TERMINATED(e->name) || !TERMINATED(e->backend) ||
	    !TERMINATED(e->container) || !TERMINATED(e->container_cgroup) ||
	    !TERMINATED(e->group) || !TERMINATED(e->error))
		return false;
	if (e->stage < JOURNAL_CREATING || e->stage > JOURNAL_RELEASING ||
	    e->n_options > WORKER_OPTIONS_MAX || e->n_resources > CONFINE_RESOURCES_MAX)
		return false;
	for (uint32_t i = 0; i < e->n_options; i++)
		if (!TERMINATED(e->options[i].name) || !TERMINATED(e->options[i].value))
			return false;
	return name_is_uuid(e->uuid) && strcmp(e->uuid, file_name) == 0 &&
	       name_is_volume(e->name) && name_is_backend(e->backend) &&
	       (!e->container[0] || name_is_container(e->container));
}

static int read_entry(int dir, const char *name, struct journal_entry *ret_entry)
{
	_cleanup_(closep) int fd =
		openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_Alignas(struct journal_entry) char bytes[SIZE_READ] = "";
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)JOURNAL_SIZE_MIN ||
	    st.st_size > (off_t)sizeof(bytes))
		return -EBADMSG;
	n = read(fd, bytes, sizeof(bytes));
	if (n != st.st_size || !is_whole((const void *)bytes, (size_t)n))
		return -EBADMSG;
	/* Zeroes follow what an older one wrote. */
	memcpy(ret_entry, bytes, sizeof(*ret_entry));
	return is_sound(ret_entry, name) ? 0 : -EBADMSG;
}

static void drop(int dir, const char *name)
{
	log_print(LOG_WARNING, "journal entry %s is not sound and was dropped", name);
	unlinkat(dir, name, 0);
}

int journal_read_all(const char *run_dir, journal_entry_fn fn, void *userdata)
{
	_cleanup_(freepp) struct journal_entry *entry = malloc(sizeof(*entry));
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *file;
	int dir, r;

	if (!entry)
		return -ENOMEM;
	r = open_directory(run_dir, &dir);
	if (r < 0)
		return r;
	d = fdopendir(dir);
	if (!d) {
		closep(&dir);
		return -ENOMEM;
	}
	while ((file = readdir(d))) {
		if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0)
			continue;
		r = read_entry(dir, file->d_name, entry);
		if (r == -EBADMSG || r == -ELOOP)
			drop(dir, file->d_name);
		else if (r == 0)
			r = fn(userdata, entry);
		if (r < 0 && r != -EBADMSG && r != -ELOOP)
			return r;
	}
	return 0;
}
