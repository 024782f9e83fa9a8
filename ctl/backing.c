// SPDX-License-Identifier: Apache-2.0
/* What a volume is to lie in; see backing.h. */
#include "ctl/backing.h"
#include "ctl/shell-word.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <string.h>
#include <sys/sysmacros.h>

#define NEARLY_FULL_BYTES (64 * 1024 * 1024)

enum backing_kind backing_kind_of_mode(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return BACKING_FILE;
	case S_IFBLK:
		return BACKING_BLOCK_DEVICE;
	case S_IFCHR:
		return BACKING_CHARACTER_DEVICE;
	case S_IFDIR:
		return BACKING_DIRECTORY;
	default:
		return BACKING_OTHER;
	}
}

/*
 * Where to look, and how what is found is to begin: that depends on whether it is the whole device.
 */
struct search {
	const char *root;
	const char *prefix;
};

/* In this process's mount namespace. */
static bool find_mount(const struct search *search, dev_t device, struct backing_user *ret)
{
	_cleanup_(freep) char *line = NULL;
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX], where[PATH_MAX], word[SHELL_WORD_SIZE];
	size_t capacity = 0;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", search->root);
	f = fopen(path, "re");
	while (f && getline(&line, &capacity, f) > 0) {
		const char *cursor = line;
		struct proc_mount mount;

		if (proc_next_mount(&cursor, &mount) <= 0 || mount.device != device ||
		    proc_word_path(&mount.point, where, sizeof(where)) < 0)
			continue;
		snprintf(ret->who, sizeof(ret->who), "%smounted at %s", search->prefix, where);
		snprintf(ret->advice, sizeof(ret->advice), "umount %.*s", PATH_MAX,
			 shell_word(where, word, sizeof(word)));
		return true;
	}
	return false;
}

/* The line of a file below the device's folder in /sys; "" if it cannot be read. */
static void read_line(const char *folder, const char *file, char *out, size_t size)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX];

	out[0] = 0;
	snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 300, folder, file);
	f = fopen(path, "re");
	if (f && !fgets(out, (int)size, f))
		out[0] = 0;
	out[strcspn(out, "\n")] = 0;
}

/* A device-mapper or md device, or another that the kernel has put on top. */
static bool find_holder(const struct search *search, const char *folder, struct backing_user *ret)
{
	_cleanup_(closedirp) DIR *d = NULL;
	char path[PATH_MAX], name[160], file[300];
	struct dirent *entry;

	snprintf(path, sizeof(path), "%.*s/holders", PATH_MAX - 16, folder);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "holders/%s/dm/name", entry->d_name);
		read_line(folder, file, name, sizeof(name));
		snprintf(ret->who, sizeof(ret->who), "%spart of /dev/%s%s%s%s", search->prefix,
			 entry->d_name, name[0] ? " (" : "", name, name[0] ? ")" : "");
		if (name[0])
			snprintf(ret->advice, sizeof(ret->advice),
				 "end what uses that, and then: dmsetup remove %s", name);
		else if (strncmp(entry->d_name, "md", 2) == 0)
			snprintf(ret->advice, sizeof(ret->advice),
				 "end what uses that, and then: mdadm --stop /dev/%s",
				 entry->d_name);
		else
			snprintf(ret->advice, sizeof(ret->advice), "end what uses /dev/%s",
				 entry->d_name);
		return true;
	}
	return false;
}

static bool find_swap(const struct search *search, const char *folder, struct backing_user *ret)
{
	_cleanup_(freep) char *line = NULL, *real = realpath(folder, NULL);
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX];
	size_t capacity = 0;

	snprintf(path, sizeof(path), "%s/proc/swaps", search->root);
	f = fopen(path, "re");
	while (f && real && getline(&line, &capacity, f) > 0) {
		line[strcspn(line, " \t\n")] = 0;
		if (strncmp(line, "/dev/", 5) != 0 || strcmp(line + 5, strrchr(real, '/') + 1) != 0)
			continue;
		snprintf(ret->who, sizeof(ret->who), "%sused as swap space", search->prefix);
		snprintf(ret->advice, sizeof(ret->advice), "swapoff %.*s", PATH_MAX, line);
		return true;
	}
	return false;
}

static bool find_at(const struct search *search, dev_t device, struct backing_user *ret)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%.256s/sys/dev/block/%u:%u", search->root, major(device),
		 minor(device));
	return find_mount(search, device, ret) || find_holder(search, folder, ret) ||
	       find_swap(search, folder, ret);
}

/* Who has a partition has the whole. */
static void find_in_partitions(dev_t device, const char *root, struct backing_user *ret)
{
	const struct search search = { .root = root, .prefix = "a partition of it is " };
	_cleanup_(closedirp) DIR *d = NULL;
	char folder[PATH_MAX], file[300], text[32];
	unsigned int major, minor;
	struct dirent *entry;

	snprintf(folder, sizeof(folder), "%.256s/sys/dev/block/%u:%u", root, major(device),
		 minor(device));
	d = opendir(folder);
	while (d && (entry = readdir(d))) {
		snprintf(file, sizeof(file), "%s/dev", entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		read_line(folder, file, text, sizeof(text));
		if (sscanf(text, "%u:%u", &major, &minor) == 2 &&
		    find_at(&search, makedev(major, minor), ret))
			return;
	}
}

void backing_find_user(dev_t device, const char *root, struct backing_user *ret_user)
{
	const struct search search = { .root = root, .prefix = "" };

	*ret_user = (struct backing_user){};
	if (!find_at(&search, device, ret_user))
		find_in_partitions(device, root, ret_user);
}

bool backing_is_short_on(const struct statvfs *fs, const struct stat *st,
			 struct backing_shortage *ret_shortage)
{
	uint64_t has = (uint64_t)st->st_blocks * 512,
		 free_bytes = (uint64_t)fs->f_bavail * fs->f_frsize;

	/* One that has no size, as a tmpfs may, does not tell. */
	if (!S_ISREG(st->st_mode) || fs->f_blocks == 0)
		return false;
	if ((uint64_t)st->st_size <= has || (uint64_t)st->st_size - has <= free_bytes)
		return false;
	ret_shortage->needed_bytes = (uint64_t)st->st_size - has;
	ret_shortage->free_bytes = free_bytes;
	return true;
}

bool backing_is_short(const char *path, struct backing_shortage *ret_shortage)
{
	struct statvfs fs;
	struct stat st;

	return stat(path, &st) == 0 && statvfs(path, &fs) == 0 &&
	       backing_is_short_on(&fs, &st, ret_shortage);
}

/* A hundredth of a large one is still a lot. */
bool backing_is_nearly_full(const struct statvfs *fs)
{
	return fs->f_blocks > 0 && fs->f_bavail <= fs->f_blocks / 100 &&
	       (uint64_t)fs->f_bavail * fs->f_frsize <= NEARLY_FULL_BYTES;
}

const char *backing_path(struct json_object *options)
{
	if (!options)
		return NULL;
	json_object_object_foreach(options, key, value) {
		const char *text = json_object_get_string(value);

		(void)key;
		if (text && text[0] == '/')
			return text;
	}
	return NULL;
}
