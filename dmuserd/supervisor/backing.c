// SPDX-License-Identifier: Apache-2.0
/* What a volume's bytes lie in; see backing.h. */
#include "dmuserd/supervisor/backing.h"
#include "dmuserd/supervisor/errand.h"
#include "dmuserd/supervisor/image-users.h"
#include "dmuserd/supervisor/owner-path.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

uint64_t backing_memory_total(void)
{
	_cleanup_(closep) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[64];
	uint64_t kib;
	/* Its first line. */
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return sscanf(text, "MemTotal: %" SCNu64 " kB", &kib) == 1 ? kib * 1024 : 0;
}

/* No image has them: without them it can be cut short. */
#define MEMORY_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int backing_open_memory(const char *name, uint64_t size_bytes, int *ret_fd)
{
	_cleanup_(closep) int fd = -EBADF;

	/* Never executable where the kernel knows of it (6.3). */
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (size_bytes > INT64_MAX)
		return -EFBIG;
	if (ftruncate(fd, (off_t)size_bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, MEMORY_SEALS) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

bool backing_is_memory(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & MEMORY_SEALS) == MEMORY_SEALS;
}

/* Magic links lead to what other processes have open; a symlink as the last step to what was
 * swapped in. */
static int open_path(const char *path, uint64_t flags, mode_t mode)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

#define REFUSE(...) failure_set(failure, FAILURE_INVALID_OPTION, request->option, __VA_ARGS__)
#define IN_USE(...) failure_set(failure, FAILURE_BACKING_IN_USE, request->option, __VA_ARGS__)

/* What may be opened at all, judged on an O_PATH descriptor, which touches nothing. */
static int check_kind(const struct backing_request *request, const struct stat *st,
		      struct failure *failure)
{
	mode_t wanted;

	if (S_ISLNK(st->st_mode))
		return REFUSE("%s is a symbolic link; name the file itself", request->path);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return REFUSE("%s is neither a regular file nor a block device", request->path);
	if (request->owner != 0 && st->st_uid != request->owner)
		return REFUSE("%s does not belong to uid %u", request->path, request->owner);
	wanted = request->read_only ? S_IRUSR : S_IRUSR | S_IWUSR;
	if (request->owner != 0 && (st->st_mode & wanted) != wanted)
		return REFUSE("%s may not be %s by its owner", request->path,
			      request->read_only ? "read" : "read and written");
	return 0;
}

/* Opens what `path_fd` stands for, not what now has its name. */
static int reopen(const struct backing_request *request, int path_fd, const struct stat *st,
		  int *ret_fd, struct failure *failure)
{
	int flags = (request->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	char link[64];
	int fd;

	/* For a block device O_EXCL means: by no file system, no other volume, no one else
	 * exclusively. */
	if (S_ISBLK(st->st_mode))
		flags |= O_EXCL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, flags);
	if (fd < 0 && errno == EBUSY)
		return IN_USE("%s is in use: mounted, part of another device, or a volume's",
			      request->path);
	if (fd < 0)
		return REFUSE("cannot open %s: %s", request->path, strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* root's own paths may lead anywhere, over links too; see owner-path.h for others'. */
static int find(const struct backing_request *request, int *ret_path_fd)
{
	int fd;

	if (request->owner != 0)
		return owner_path_open(request->path, request->owner, ret_path_fd);
	fd = open_path(request->path, O_PATH, 0);
	if (fd < 0)
		return fd;
	*ret_path_fd = fd;
	return 0;
}

static const char *explain(const struct backing_request *request, int error)
{
	if (request->owner != 0 && error == -EACCES)
		return "each directory on the way must be your own, or one that all may search";
	if (request->owner != 0 && error == -ELOOP)
		return "a directory on the way is a symbolic link; name what it leads to";
	return strerror(-error);
}

static int open_existing(const struct backing_request *request, int *ret_fd,
			 struct failure *failure)
{
	_cleanup_(closep) int path_fd = -EBADF;
	struct stat st;
	int r = find(request, &path_fd);

	if (r == 0 && fstat(path_fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		REFUSE("cannot open %s: %s", request->path, explain(request, r));
		return r;
	}
	r = check_kind(request, &st, failure);
	return r < 0 ? r : reopen(request, path_fd, &st, ret_fd, failure);
}

/*
 * The lock belongs to the open file, which the worker shares: it is held until both the supervisor
 * and the worker are done with it, also when one of them dies.
 */
static int lock(const struct backing_request *request, int fd, struct failure *failure)
{
	struct stat st;
	char by[64];

	if (flock(fd, (request->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return IN_USE("%s is in use by another volume", request->path);
		return REFUSE("cannot lock %s: %s", request->path, strerror(errno));
	}
	/* Whoever made it has taken it back, between the opening and the locking. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0)
		return IN_USE("%s is being removed", request->path);
	if (image_is_used(&image_places_of_machine, fd, request->read_only, sizeof(by), by))
		return IN_USE("%s is in use by %s", request->path, by);
	return 0;
}

static int allocate(const struct backing_request *request, int fd)
{
	if (request->size_bytes > INT64_MAX)
		return -EFBIG;
	return ftruncate(fd, (off_t)request->size_bytes) < 0 ? -errno : 0;
}

/* Where a file would be one of memory, and the name is a mistyped device's. /dev/shm is meant for files. */
static bool is_among_devices(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0;
}

/*
 * Made and locked. Until the maker has its lock the image is empty, which no other takes: one who has opened
 * and locked it first lets go at once, and is waited for. What is removed again is therefore nobody else's.
 */
static int make(const struct backing_request *request, int *ret_fd, struct failure *failure)
{
	_cleanup_(closep) int fd = -EBADF;
	int r;

	if (request->read_only)
		return REFUSE("%s does not exist, and a read-only volume needs its content",
			      request->path);
	if (is_among_devices(request->path))
		return REFUSE("%s does not exist: there is no such device, and files are not made in /dev",
			      request->path);
	fd = open_path(request->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return REFUSE("cannot make %s: %s", request->path, strerror(-fd));
	r = flock(fd, LOCK_EX) < 0 ? -errno : allocate(request, fd);
	if (r < 0) {
		backing_unlink(request->path, fd);
		return REFUSE("cannot make %s %" PRIu64 " bytes long: %s", request->path,
			      request->size_bytes, strerror(-r));
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int measure(int fd, uint64_t *ret_size_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, ret_size_bytes) < 0 ? -errno : 0;
	*ret_size_bytes = (uint64_t)st.st_size;
	return 0;
}

static int check_size(const struct backing_request *request, int fd, uint64_t *ret_size_bytes,
		      struct failure *failure)
{
	uint64_t found, size;
	int r = measure(fd, &found);

	if (r < 0)
		return REFUSE("cannot tell the size of %s: %s", request->path, strerror(-r));
	size = request->size_bytes == PARSER_UNSET ? found : request->size_bytes;
	if (found == 0)
		return REFUSE("%s is empty", request->path);
	/* No size that could be asked for instead would be taken. */
	if (found - found % request->block_size < request->min_size_bytes &&
	    (size > found || found % request->block_size != 0))
		return REFUSE("%s has %" PRIu64 " bytes, and a volume of this backend has at least %" PRIu64,
			      request->path, found, request->min_size_bytes);
	if (size > found)
		return REFUSE("%s has %" PRIu64 " bytes, fewer than the %" PRIu64 " asked for",
			      request->path, found, size);
	if (found < request->block_size)
		return REFUSE("%s has %" PRIu64 " bytes, fewer than one block of %u", request->path,
			      found, request->block_size);
	if (size % request->block_size != 0)
		return REFUSE("%s has %" PRIu64 " bytes, which is no multiple of the block size %u; "
			      "the size %" PRIu64 " can be asked for", request->path, size,
			      request->block_size, size - size % request->block_size);
	*ret_size_bytes = size;
	return 0;
}

int backing_open_image(const struct backing_request *request, struct backing *ret_backing,
		       struct failure *failure)
{
	_cleanup_(closep) int fd = -EBADF;
	uint64_t size_bytes = 0;
	bool made;
	int r;

	if (request->path[0] != '/')
		return REFUSE("%s is not an absolute path", request->path);
	r = open_existing(request, &fd, failure);
	made = r == -ENOENT && request->owner == 0 && request->size_bytes != PARSER_UNSET;
	if (made)
		r = make(request, &fd, failure);
	else if (r == 0)
		r = lock(request, fd, failure);
	if (r < 0)
		return r;
	r = check_size(request, fd, &size_bytes, failure);
	if (r < 0) {
		if (made)
			backing_unlink(request->path, fd);
		return r;
	}
	*ret_backing =
		(struct backing){ .fd = take_fd(&fd), .size_bytes = size_bytes, .made = made };
	return 0;
}

void backing_unlink(const char *path, int fd)
{
	struct stat ours, there;

	if (fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	    ours.st_ino == there.st_ino)
		unlink(path);
}

/* What the child sends, together with the descriptor. */
struct answer {
	int error;
	struct failure failure;
	struct backing backing;
};

struct backing_call {
	struct errand *errand;
	backing_done_fn done;
	void *userdata;
	char option[NAME_OPTION_MAX + 1];
};

static void child(int link, const void *arg)
{
	struct answer answer = {};

	answer.backing.fd = -EBADF;
	answer.error = backing_open_image(arg, &answer.backing, &answer.failure);
	errand_send(link, &answer, sizeof(answer), answer.backing.fd);
}

static void on_errand_done(void *userdata, int error, const void *data, size_t size, int fd)
{
	_cleanup_(freep) struct backing_call *call = userdata;
	_cleanup_(closep) int received = fd;
	struct failure failure;
	struct answer answer;

	if (error == 0 && size == sizeof(answer)) {
		memcpy(&answer, data, sizeof(answer));
		if (answer.error == 0 && received >= 0) {
			answer.backing.fd = take_fd(&received);
			call->done(call->userdata, &answer.backing, NULL);
			return;
		}
		failure = answer.failure;
	} else if (error == -ETIMEDOUT) {
		failure_set(&failure, FAILURE_TIMED_OUT, "backing",
			    "the file system did not answer in time");
	} else {
		failure_set(&failure, FAILURE_INVALID_OPTION, call->option,
			    "the child that opens it ended early");
	}
	call->done(call->userdata, NULL, &failure);
}

int backing_start(sd_event *event, const struct backing_request *request, uint64_t timeout_ms,
		  backing_done_fn done, void *userdata, struct backing_call **ret_call)
{
	_cleanup_(freep) struct backing_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->done = done;
	call->userdata = userdata;
	snprintf(call->option, sizeof(call->option), "%s", request->option);
	r = errand_start(event, timeout_ms, child, request, on_errand_done, call, &call->errand);
	if (r < 0)
		return r;
	*ret_call = take_ptr(&call);
	return 0;
}

void backing_cancel(struct backing_call *call)
{
	if (!call)
		return;
	errand_cancel(call->errand);
	free(call);
}
