// SPDX-License-Identifier: Apache-2.0
/* Who has a block device open; see holders.h. All but the last part runs in a child. */
#include "dmuserd/supervisor/holders.h"
#include "dmuserd/supervisor/errand.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A machine with more mount namespaces than this names those of the first ones. */
#define NAMESPACES_MAX 1024

struct scan {
	const struct holders_request *request;
	dev_t devno;
	struct holders found;
	size_t used; /* of its text */
	size_t n_namespaces;
	ino_t namespaces[NAMESPACES_MAX];
};

__attribute__((format(printf, 2, 3))) static void add(struct scan *s, const char *format, ...)
{
	size_t room = sizeof(s->found.text) - s->used;
	va_list args;
	int length;

	if (s->found.n == RELEASE_HOLDERS_MAX)
		return;
	va_start(args, format);
	length = vsnprintf(s->found.text + s->used, room, format, args);
	va_end(args);
	/* Left out rather than cut. */
	if (length < 0 || (size_t)length >= room)
		return;
	s->found.n++;
	s->used += (size_t)length + 1;
}

static void read_comm(int process, char ret_comm[static 32])
{
	_cleanup_(closep) int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_comm, 31);

	if (n > 0 && ret_comm[n - 1] == '\n')
		n--;
	ret_comm[n > 0 ? n : 0] = '\0';
	/* A process chooses its name; a terminal that shows it should not obey it. */
	for (char *c = ret_comm; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

static void scan_descriptors(struct scan *s, int process, const char *pid)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *entry;
	int fd = openat(process, "fd", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		closep(&fd);
		return;
	}
	while ((entry = readdir(d))) {
		char comm[32];
		struct stat st;

		if (fstatat(dirfd(d), entry->d_name, &st, 0) < 0 || !S_ISBLK(st.st_mode) ||
		    st.st_rdev != s->devno)
			continue;
		read_comm(process, comm);
		add(s, "pid %s (%s)", pid, comm);
		return;
	}
}

/* Whether this mount namespace has not been looked at. */
static bool is_new_namespace(struct scan *s, int process)
{
	struct stat st;

	if (fstatat(process, "ns/mnt", &st, 0) < 0 || s->n_namespaces == NAMESPACES_MAX)
		return false;
	for (size_t i = 0; i < s->n_namespaces; i++)
		if (s->namespaces[i] == st.st_ino)
			return false;
	s->namespaces[s->n_namespaces++] = st.st_ino;
	return true;
}

static void scan_mounts(struct scan *s, int process, const char *pid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;
	int fd = openat(process, "mountinfo", O_RDONLY | O_CLOEXEC);

	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f) {
		closep(&fd);
		return;
	}
	while (getline(&line, &capacity, f) > 0) {
		const char *cursor = line;
		struct proc_mount mount;

		if (proc_next_mount(&cursor, &mount) > 0 && mount.device == s->devno)
			add(s, "mount %.*s (pid %s)", PROC_WORD(mount.point, RELEASE_HOLDERS_SIZE), pid);
	}
}

/* Those that are told of as volumes: their workers, and the supervisor, which has what they have. */
static bool is_of_volume(const struct scan *s, const char *pid)
{
	const struct holders_request *r = s->request;
	long number = strtol(pid, NULL, 10);

	for (size_t i = 0; i < r->n_volumes; i++)
		if (number == r->volumes[i].worker || number == getppid())
			return true;
	return false;
}

static void scan_process(struct scan *s, int proc, const char *pid)
{
	_cleanup_(closep) int process = openat(proc, pid, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (process < 0)
		return;
	if (is_new_namespace(s, process))
		scan_mounts(s, process, pid);
	if (!is_of_volume(s, pid))
		scan_descriptors(s, process, pid);
}

/* Device-mapper, md and loop devices on top of this one. */
static void scan_stacked(struct scan *s)
{
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(s->devno),
		 minor(s->devno));
	d = opendir(path);
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			add(s, "device %.80s", entry->d_name);
}

/* The device-mapper's name of the device; "" if it has none. */
static void read_name(dev_t devno, char *ret_name, size_t size)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/name", major(devno), minor(devno));
	f = fopen(path, "re");
	if (!f || !fgets(ret_name, (int)size, f))
		ret_name[0] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
}

/*
 * Once a release has begun, the node by which it was swapped to may be gone, and the kernel says so
 * behind its path.
 */
static bool is_path_of(char *path, dev_t devno, const char *name)
{
	static const char gone[] = " (deleted)", nodes[] = "/dev/mapper/";
	size_t length = strlen(path), tail = sizeof(gone) - 1;
	struct stat st;

	if (length > tail && strcmp(path + length - tail, gone) == 0)
		path[length - tail] = '\0';
	else if (stat(path, &st) == 0)
		return S_ISBLK(st.st_mode) && st.st_rdev == devno;
	return strncmp(path, nodes, strlen(nodes)) == 0 && strcmp(path + strlen(nodes), name) == 0;
}

/*
 * Ends the line behind its path, and returns whether that leads to a device. A file is none, and its
 * file system may not answer.
 */
static bool end_path(char *line)
{
	char *end = line + strcspn(line, " \t\n"), *type = end + strspn(end, " \t");
	bool is_file = strncmp(type, "file", strlen("file")) == 0;

	*end = '\0';
	return !is_file;
}

/*
 * Swap space is open for the kernel alone: no process has it, and no device lies on it. It is told by
 * the node that stays as long as the device does, with which swapoff works.
 */
static void scan_swaps(struct scan *s)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/swaps", "re");
	_cleanup_(freep) char *line = NULL;
	size_t capacity = 0;
	char name[256];

	read_name(s->devno, name, sizeof(name));
	while (f && getline(&line, &capacity, f) > 0) {
		if (!end_path(line))
			continue;
		proc_unescape(line);
		if (is_path_of(line, s->devno, name))
			add(s, "swap /dev/dm-%u", minor(s->devno));
	}
}

static void child(int link, const void *arg)
{
	static struct scan s;
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *entry;

	s.request = arg;
	s.devno = s.request->devno;
	for (size_t i = 0; i < s.request->n_volumes; i++)
		add(&s, "%s", s.request->volumes[i].text);
	scan_stacked(&s);
	while (proc && s.found.n < RELEASE_HOLDERS_MAX && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			scan_process(&s, dirfd(proc), entry->d_name);
	/* Last, as it alone follows paths. */
	scan_swaps(&s);
	errand_send(link, &s.found, sizeof(s.found), -EBADF);
}

/* From here on: in the supervisor. */

struct holders_call {
	struct errand *errand;
	holders_done_fn done;
	void *userdata;
};

static void on_errand_done(void *userdata, int error, const void *data, size_t size, int fd)
{
	_cleanup_(freep) struct holders_call *call = userdata;
	struct holders holders = {};

	closep(&fd);
	if (size == sizeof(holders))
		memcpy(&holders, data, sizeof(holders));
	call->done(call->userdata, &holders);
}

int holders_start(sd_event *event, const struct holders_request *request, uint64_t timeout_ms,
		  holders_done_fn done, void *userdata, struct holders_call **ret_call)
{
	_cleanup_(freep) struct holders_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->done = done;
	call->userdata = userdata;
	r = errand_start(event, timeout_ms, child, request, on_errand_done, call, &call->errand);
	if (r < 0)
		return r;
	*ret_call = take_ptr(&call);
	return 0;
}

void holders_cancel(struct holders_call *call)
{
	if (!call)
		return;
	errand_cancel(call->errand);
	free(call);
}
