// SPDX-License-Identifier: Apache-2.0
/*
 * The gate: the last thing between a worker and its channel; see gate.h.
 *
 * Owns nothing, changes nothing. Trusts the kernel's account in /proc and the supervisor's own
 * descriptors; never the worker, and never the spawner, whose work this is to check: so it shares
 * no code with it but the reading of /proc. Each thread is looked at by itself, through a directory
 * descriptor of its own, because filters, capabilities, namespaces, root and even descriptors
 * belong to threads. A process that changes while it is looked at is refused: a confined one has no
 * way to.
 *
 * Who notices when a step of confinement (confine-step.h) was left out. "next" is the step after it
 * that then cannot be done, and is reported by its own name. tests/attack/steps has a test for each.
 *
 *	io-flusher	here: flags		bounding-set	here: capabilities
 *	cgroup		here: path		groups		here: gid, groups
 *	clone		here: namespaces	uid		here: uid, or before that the
 *							supervisor by SO_PEERCRED
 *	id-map		next: groups		parent-death	here: session (its other half)
 *	memlock-limit	here: limits, or	no-new-privs	next: landlock, inner-filter
 *			next: mlock		outer-filter	here: count of filters
 *	signals		here: signals, umask	exec		nothing is left to be reported sealed
 *	descriptors	here: descriptors	dumpable	here: owner of /proc files, core limit
 *	root		here: root, mounts	mlock		here: locked memory
 *	listen		the supervisor's connect() is refused
 *	oom-score	here: oom-score, unless the spawner's own is the one that is wanted
 *	rlimits		here: limits		inner-filter	here: count of filters
 *
 *	capabilities	nobody, for nothing is different: exec has left none, and this only makes sure.
 *			Should one ever be left, it shows here
 *	landlock	nobody: /proc does not tell. The root is empty and both filters allow no call
 *			that it would refuse, so that it is a lock behind locked doors; the step itself
 *			reports when the kernel refuses it
 *	setup, prepare, threads		are work to be done, not powers to be given up
 */
#include "dmuserd/supervisor/gate.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

/* A worker has at most 64 request threads, and its main one. */
#define THREADS_MAX 128
/* The kernel's PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE, which is what PR_SET_IO_FLUSHER sets. */
#define IO_FLUSHER_FLAGS     0x180000u
#define SECCOMP_MODE_FILTERS 2
#define UMASK		     0077

static const char *const namespaces[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" };

struct gate {
	const struct gate_expectation *expected;
	struct gate_verdict *verdict;
	char own_namespaces[ARRAY_SIZE(namespaces)][64];
	pid_t tid; /* of the thread being looked at */
	int fd;	   /* its directory: /proc/PID/task/TID */
};

struct threads {
	size_t n;
	pid_t tids[THREADS_MAX];
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct gate *g, const char *what,
							const char *format, ...)
{
	va_list args;

	g->verdict->tid = g->tid;
	snprintf(g->verdict->what, sizeof(g->verdict->what), "%s", what);
	va_start(args, format);
	vsnprintf(g->verdict->detail, sizeof(g->verdict->detail), format, args);
	va_end(args);
	return 1;
}

/*
 * "net:[4026531840]": a namespace's type and inode number, which is what tells two of them apart.
 */
static int read_namespace(int dir_fd, const char *prefix, const char *name, char *link, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", prefix, name);
	length = readlinkat(dir_fd, path, link, size - 1);
	if (length < 0)
		return -errno;
	link[length] = '\0';
	return 0;
}

static int check_ids(const struct gate *g, const struct proc_status *s)
{
	for (size_t i = 0; i < 4; i++)
		if (s->uid[i] != g->expected->uid)
			return refuse(g, "uid", "expected %u four times, found %" PRIu64,
				      g->expected->uid, s->uid[i]);
	for (size_t i = 0; i < 4; i++)
		if (s->gid[i] != g->expected->uid)
			return refuse(g, "gid", "expected %u four times, found %" PRIu64,
				      g->expected->uid, s->gid[i]);
	if (s->n_groups != 0)
		return refuse(g, "groups", "expected none, found %" PRIu64, s->n_groups);
	return 0;
}

static int check_capabilities(const struct gate *g, const struct proc_status *s)
{
	const struct {
		const char *set;
		uint64_t found;
	} sets[] = {
		{ "inheritable", s->inheritable }, { "permitted", s->permitted },
		{ "effective", s->effective },	   { "bounding", s->bounding },
		{ "ambient", s->ambient },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (sets[i].found != 0)
			return refuse(g, "capabilities", "the %s set is %" PRIx64 ", expected 0",
				      sets[i].set, sets[i].found);
	return 0;
}

static int check_filters(const struct gate *g, const struct proc_status *s)
{
	if (s->no_new_privs != 1)
		return refuse(g, "no-new-privs", "not set");
	if (s->seccomp_mode != SECCOMP_MODE_FILTERS)
		return refuse(g, "seccomp", "mode %" PRIu64 ", expected %d", s->seccomp_mode,
			      SECCOMP_MODE_FILTERS);
	if (s->seccomp_filters != g->expected->filters)
		return refuse(g, "seccomp-filters", "found %" PRIu64 ", expected %u",
			      s->seccomp_filters, g->expected->filters);
	return 0;
}

/* What a child keeps of the one that started it unless somebody resets it. */
static int check_inherited(const struct gate *g, const struct proc_status *s)
{
	if (s->signals_ignored != 0 || s->signals_blocked != 0)
		return refuse(g, "signals", "ignored %" PRIx64 ", blocked %" PRIx64 ", expected 0",
			      s->signals_ignored, s->signals_blocked);
	if (s->umask != UMASK)
		return refuse(g, "umask", "%03" PRIo64 ", expected %03o", s->umask, UMASK);
	return 0;
}

static int check_status(const struct gate *g)
{
	char text[8192];
	struct proc_status s;
	int r = proc_read(g->fd, "status", text, sizeof(text));

	if (r == 0)
		r = proc_parse_status(text, &s);
	if (r < 0)
		return r;
	if (s.tgid != (uint64_t)g->expected->pid)
		return refuse(g, "pid", "a thread of process %" PRIu64, s.tgid);
	r = check_ids(g, &s);
	if (r == 0)
		r = check_capabilities(g, &s);
	if (r == 0)
		r = check_filters(g, &s);
	if (r == 0)
		r = check_inherited(g, &s);
	if (r == 0 && s.locked_kb * 1024 < g->expected->memlock_min_bytes)
		r = refuse(g, "locked-memory", "%" PRIu64 " KiB, expected at least %" PRIu64,
			   s.locked_kb, g->expected->memlock_min_bytes / 1024);
	return r;
}

/*
 * A session of its own shares no terminal, and no signal to a group. It is also the one trace of the
 * step that binds a child to its spawner's life: the signal itself stands nowhere in /proc.
 */
static int check_stat(const struct gate *g)
{
	char text[1024];
	struct proc_stat s = {};
	int r = proc_read(g->fd, "stat", text, sizeof(text));

	if (r == 0)
		r = proc_parse_stat(text, &s);
	if (r < 0)
		return r;
	if ((s.flags & IO_FLUSHER_FLAGS) != IO_FLUSHER_FLAGS)
		return refuse(g, "io-flusher", "flags %" PRIx64 " lack some of %x", s.flags,
			      IO_FLUSHER_FLAGS);
	if (s.session != (uint64_t)g->expected->pid)
		return refuse(g, "session", "that of process %" PRIu64 ", expected its own",
			      s.session);
	return 0;
}

static int check_namespaces(const struct gate *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		char link[64], what[32];
		int r = read_namespace(g->fd, "ns", namespaces[i], link, sizeof(link));

		if (r < 0)
			return r;
		snprintf(what, sizeof(what), "namespace-%s", namespaces[i]);
		if (strcmp(link, g->own_namespaces[i]) == 0)
			return refuse(g, what, "shares %s with the supervisor", link);
	}
	return 0;
}

/* A file of a process that is not dumpable belongs to root, any other to the process's uid. */
static int check_dumpable(const struct gate *g)
{
	struct stat st;

	if (fstatat(g->fd, "status", &st, 0) < 0)
		return -errno;
	return st.st_uid == 0 ? 0
			      : refuse(g, "dumpable", "its /proc files belong to uid %u", st.st_uid);
}

static int check_limits(const struct gate *g)
{
	const uint64_t memlock = g->expected->memlock_limit_bytes;
	const struct {
		const char *name, *what;
		uint64_t min, max;
	} limits[] = {
		{ "Max core file size", "core-limit", 0, 0 },
		{ "Max open files", "descriptor-limit", 0, g->expected->nofile_limit },
		{ "Max file size", "file-size-limit", 0, g->expected->fsize_limit_bytes },
		{ "Max locked memory", "locked-memory-limit", memlock == UINT64_MAX ? 0 : memlock,
		  memlock },
	};
	char text[4096];
	int r = proc_read(g->fd, "limits", text, sizeof(text));

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++) {
		uint64_t soft = 0, hard = 0;

		r = proc_parse_limit(text, limits[i].name, &soft, &hard);
		if (r == 0 && (soft < limits[i].min || hard > limits[i].max))
			r = refuse(g, limits[i].what,
				   "%" PRIu64 " and at most %" PRIu64 ", expected %" PRIu64, soft,
				   hard, limits[i].max);
	}
	return r;
}

/* One for all of a process's threads. */
static int check_oom_score(const struct gate *g)
{
	int score, r;

	if (!g->expected->oom_score_known)
		return 0;
	r = proc_get_oom_score(g->fd, &score);
	if (r < 0)
		return r;
	return score == g->expected->oom_score
		       ? 0
		       : refuse(g, "oom-score", "%d, expected %d", score, g->expected->oom_score);
}

static bool ends_with_path(const char *path, const char *tail)
{
	size_t length = strlen(path), tail_length = strlen(tail);

	return length > tail_length && path[length - tail_length - 1] == '/' &&
	       strcmp(path + length - tail_length, tail) == 0;
}

static int check_cgroup(const struct gate *g)
{
	char text[4096], path[1024];
	int r;

	if (!g->expected->cgroup)
		return 0;
	r = proc_read(g->fd, "cgroup", text, sizeof(text));
	if (r == 0)
		r = proc_parse_cgroup(text, path, sizeof(path));
	if (r == 0 && !ends_with_path(path, g->expected->cgroup))
		r = refuse(g, "cgroup", "%.70s does not end in %.70s", path, g->expected->cgroup);
	return r;
}

/* Is descriptor `number` of this thread the file that the supervisor holds as own_fd? */
static int check_same_file(const struct gate *g, const char *number, const struct stat *found,
			   int own_fd)
{
	struct stat own;

	if (own_fd < 0)
		return S_ISSOCK(found->st_mode) ? 0 : refuse(g, "fd", "%s is not a socket", number);
	if (fstat(own_fd, &own) < 0)
		return -errno;
	if (own.st_dev != found->st_dev || own.st_ino != found->st_ino)
		return refuse(g, "fd", "%s is another file than the one it was given", number);
	return 0;
}

static int check_fd(const struct gate *g, int dir_fd, const char *number, bool *seen)
{
	const struct gate_expectation *e = g->expected;
	struct stat st;
	char *end;
	long fd = strtol(number, &end, 10);

	if (*end != '\0' || fd < 0)
		return -EBADMSG;
	/* Through the link: it leads to the open file itself, whatever its path is. */
	if (fstatat(dir_fd, number, &st, 0) < 0)
		return -errno;
	if (fd <= 2) {
		seen[fd] = true;
		return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)
			       ? 0
			       : refuse(g, "fd", "%ld is not /dev/null", fd);
	}
	for (size_t i = 0; i < e->n_fds; i++) {
		if (e->fds[i].fd != fd)
			continue;
		seen[3 + i] = true;
		return check_same_file(g, number, &st, e->fds[i].own_fd);
	}
	return refuse(g, "fd", "%ld is open, and nobody gave it", fd);
}

static int check_fds(const struct gate *g)
{
	_cleanup_(closep) int dir_fd = openat(g->fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = NULL;
	bool seen[3 + GATE_FDS_MAX] = {};
	int own;

	if (dir_fd < 0)
		return -errno;
	dir = fdopendir(dir_fd);
	if (!dir)
		return -errno;
	own = take_fd(&dir_fd);
	for (struct dirent *entry; errno = 0, entry = readdir(dir);) {
		int r = entry->d_name[0] == '.' ? 0 : check_fd(g, own, entry->d_name, seen);

		if (r != 0)
			return r;
	}
	if (errno)
		return -errno;
	for (size_t i = 0; i < 3 + g->expected->n_fds; i++)
		if (!seen[i])
			return refuse(g, "fd", "%d is not open",
				      i < 3 ? (int)i : g->expected->fds[i - 3].fd);
	return 0;
}

static int check_root_listing(const struct gate *g, int root_fd)
{
	_cleanup_(closep) int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = NULL;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	take_fd(&fd);
	for (struct dirent *entry; errno = 0, entry = readdir(dir);)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return refuse(g, "root", "not empty: %.100s", entry->d_name);
	return -errno;
}

/* The only mount of its mount namespace, so that nothing lies behind or below the root. */
static int check_mounts(const struct gate *g)
{
	char text[4096];
	const char *cursor = text;
	struct proc_mount mount, second;
	int r = proc_read(g->fd, "mountinfo", text, sizeof(text));

	if (r == -EFBIG)
		return refuse(g, "root", "many mounts, expected one");
	if (r == 0)
		r = proc_next_mount(&cursor, &mount);
	if (r <= 0)
		return r < 0 ? r : refuse(g, "root", "no mount at all, expected one");
	r = proc_next_mount(&cursor, &second);
	if (r != 0)
		return r < 0 ? r : refuse(g, "root", "a second mount at %.*s", PROC_WORD(second.point, 100));
	if (!proc_word_is(&mount.point, "/") || !proc_word_is(&mount.type, "tmpfs") ||
	    !proc_has_option(&mount.options, "ro"))
		return refuse(g, "root", "%.*s (%.*s) at %.*s", PROC_WORD(mount.type, 40),
			      PROC_WORD(mount.options, 60), PROC_WORD(mount.point, 40));
	return 0;
}

static int check_root(const struct gate *g)
{
	_cleanup_(closep) int root_fd = openat(g->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat root, cwd;
	struct statvfs fs;
	int r;

	if (root_fd < 0)
		return -errno;
	r = check_root_listing(g, root_fd);
	if (r != 0)
		return r;
	if (fstatvfs(root_fd, &fs) < 0 || fstat(root_fd, &root) < 0 ||
	    fstatat(g->fd, "cwd", &cwd, 0) < 0)
		return -errno;
	if (!(fs.f_flag & ST_RDONLY))
		return refuse(g, "root", "can be written to");
	/* A working directory outside of the root is a way out of it. */
	if (cwd.st_dev != root.st_dev || cwd.st_ino != root.st_ino)
		return refuse(g, "cwd", "the working directory is not the root");
	return check_mounts(g);
}

static int check_thread(const struct gate *g)
{
	static int (*const checks[])(const struct gate *g) = {
		check_status, check_stat,   check_namespaces, check_dumpable,
		check_limits, check_cgroup, check_root,	      check_fds,
		check_oom_score,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = checks[i](g);
	return r;
}

/* Ascending, as the kernel lists them. */
static int list_threads(int process_fd, struct threads *ret_threads)
{
	_cleanup_(closep) int fd = openat(process_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = NULL;
	struct threads threads = {};

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	take_fd(&fd);
	for (struct dirent *entry; errno = 0, entry = readdir(dir);) {
		if (entry->d_name[0] == '.')
			continue;
		if (threads.n == THREADS_MAX)
			return -E2BIG;
		threads.tids[threads.n++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (errno)
		return -errno;
	*ret_threads = threads;
	return 0;
}

static int check_threads(struct gate *g, int process_fd)
{
	struct threads before, after;
	int r = list_threads(process_fd, &before);

	for (size_t i = 0; r == 0 && i < before.n; i++) {
		_cleanup_(closep) int fd = -EBADF;
		char path[32];

		snprintf(path, sizeof(path), "task/%d", before.tids[i]);
		fd = openat(process_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		g->tid = before.tids[i];
		g->fd = fd;
		r = check_thread(g);
		g->fd = -EBADF;
	}
	if (r != 0)
		return r;
	g->tid = g->expected->pid;
	r = list_threads(process_fd, &after);
	if (r < 0)
		return r;
	if (before.n == 0 || before.n != after.n ||
	    memcmp(before.tids, after.tids, before.n * sizeof(before.tids[0])) != 0)
		return refuse(g, "threads", "a thread came or went during the check");
	return 0;
}

/* The pid is only a number; the pidfd says whether it is (still) that process's. */
static int check_pidfd(const struct gate *g)
{
	struct pollfd p = { .fd = g->expected->pidfd, .events = POLLIN };
	char path[64], text[1024];
	int64_t pid = 0;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", g->expected->pidfd);
	r = proc_read(AT_FDCWD, path, text, sizeof(text));
	if (r == 0)
		r = proc_parse_pidfd(text, &pid);
	if (r < 0)
		return r;
	if (pid != g->expected->pid)
		return refuse(g, "pid", "the pidfd is that of process %" PRId64, pid);
	r = poll(&p, 1, 0);
	if (r < 0)
		return -errno;
	return r > 0 ? refuse(g, "pid", "the process has ended") : 0;
}

int gate_check(const struct gate_expectation *expected, struct gate_verdict *ret_verdict)
{
	_cleanup_(closep) int process_fd = -EBADF;
	struct gate g = {
		.expected = expected, .verdict = ret_verdict, .tid = expected->pid, .fd = -EBADF
	};
	char path[32];
	int r;

	if (expected->n_fds > GATE_FDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		r = read_namespace(AT_FDCWD, "/proc/self/ns", namespaces[i], g.own_namespaces[i],
				   sizeof(g.own_namespaces[i]));
		if (r < 0)
			return r;
	}
	snprintf(path, sizeof(path), "/proc/%d", expected->pid);
	process_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process_fd < 0)
		return -errno;
	r = check_threads(&g, process_fd);
	return r != 0 ? r : check_pidfd(&g);
}
