// SPDX-License-Identifier: Apache-2.0
/*
 * Device-mapper operations in short-lived children; see device-mapper.h.
 *
 * Upper half: what runs in the child, with libdevmapper. Lower half: what runs in the supervisor,
 * which calls nothing of libdevmapper. Where udev runs, the library waits for it with a cookie, a
 * System V semaphore that outlives whoever made it; so the child tells its cookie before it does
 * anything, and the supervisor removes the semaphore of a child that did not come to it. Where udev
 * does not run, the library makes and removes the nodes in /dev/mapper by itself.
 */
#include "dmuserd/supervisor/device-mapper.h"
#include "dmuserd/supervisor/errand.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define TARGET	    "user"
#define UUID_PREFIX "DMUSER-"

/* Nothing may look into a device that is one container's: no blkid, no LVM, no multipath, no
 * symlinks. */
#define UDEV_FLAGS                                                            \
	(DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG | \
	 DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG)

/* How long a new device's name in /dev/mapper is worth waiting for. */
#define UDEV_WAIT_SECONDS 3

/* libdevmapper's levels as of syslog: errors and worse are worth a client's reading. */
#define LEVEL_ERROR 3

static void task_freep(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

/*
 * The library's log function has no userdata; this is set in the child only, for its one operation.
 */
static struct dm_result *logged;

static void keep_error(int level, const char *file, int line, int error, const char *format, ...)
{
	va_list args;

	/* The first error is the cause; what follows is its consequence. */
	if ((level & 7) > LEVEL_ERROR || logged->message[0])
		return;
	va_start(args, format);
	vsnprintf(logged->message, sizeof(logged->message), format, args);
	va_end(args);
}

static int task_error(struct dm_task *task)
{
	int error = task ? dm_task_get_errno(task) : ENOMEM;

	return error ? -error : -EIO;
}

static struct dm_task *task_new(int type, const struct dm_request *request)
{
	_cleanup_(task_freep) struct dm_task *task = dm_task_create(type);

	if (!task || !dm_task_set_name(task, request->name))
		return NULL;
	return take_ptr(&task);
}

/*
 * For a device that must be ours, whoever has its name now: by the uuid, which begins with our prefix. The
 * kernel takes a name or a uuid, not both.
 */
static struct dm_task *task_new_by_uuid(int type, const struct dm_request *request)
{
	_cleanup_(task_freep) struct dm_task *task = dm_task_create(type);

	if (!task || strncmp(request->uuid, UUID_PREFIX, strlen(UUID_PREFIX)) != 0 ||
	    !dm_task_set_uuid(task, request->uuid))
		return NULL;
	return take_ptr(&task);
}

static int remove_simply(const struct dm_request *request)
{
	_cleanup_(task_freep) struct dm_task *task = task_new_by_uuid(DM_DEVICE_REMOVE, request);

	return task && dm_task_run(task) ? 0 : task_error(task);
}

static int tell_devno(struct dm_task *task, struct dm_result *result)
{
	struct dm_info info;

	if (!dm_task_get_info(task, &info))
		return -EIO;
	if (!info.exists)
		return -ENXIO;
	result->devno = makedev(info.major, info.minor);
	result->open_count = info.open_count;
	return 0;
}

/* A semaphore that udev did not come to. If udev comes later, it finds nothing of that key, and
 * goes on. */
static void remove_cookie(uint32_t cookie)
{
	int semaphore = semget((key_t)cookie, 1, 0);

	if (semaphore >= 0)
		semctl(semaphore, 0, IPC_RMID, 0);
}

/*
 * Waits until udev has made the device's name, within bounds: the device works without it, and a
 * udev that hangs must not keep a volume from its container. As dm_udev_wait() does, which knows no
 * deadline: the semaphore counts who has not finished, ourselves included.
 */
static void wait_for_udev(uint32_t cookie)
{
	static const struct timespec limit = { .tv_sec = UDEV_WAIT_SECONDS };
	struct sembuf we_have_finished = { .sem_op = -1, .sem_flg = IPC_NOWAIT };
	struct sembuf all_have_finished = { .sem_op = 0 };
	int semaphore = semget((key_t)cookie, 1, 0);

	if (semaphore < 0)
		return;
	if (semop(semaphore, &we_have_finished, 1) == 0)
		semtimedop(semaphore, &all_have_finished, 1, &limit);
	semctl(semaphore, 0, IPC_RMID, 0);
}

/* Runs a task that makes udev act, and waits for udev. The cookie is told first: see the file's
 * head. */
static int run_with_udev(int link, struct dm_task *task)
{
	uint32_t cookie = 0;
	int r = 0;

	if (!dm_task_set_cookie(task, &cookie, UDEV_FLAGS))
		return task_error(task);
	if (cookie != 0)
		r = errand_send(link, &cookie, sizeof(cookie), -EBADF);
	if (r == 0 && !dm_task_run(task))
		r = task_error(task);
	if (cookie != 0)
		wait_for_udev(cookie);
	/* Where there is no udev, the library has put the nodes off until now. */
	dm_task_update_nodes();
	return r;
}

static int do_create(const struct dm_request *request, struct dm_result *result)
{
	_cleanup_(task_freep) struct dm_task *create = task_new(DM_DEVICE_CREATE, request);
	_cleanup_(task_freep) struct dm_task *load = task_new(DM_DEVICE_RELOAD, request);
	int r;

	if (!create || !load || !dm_task_set_uuid(create, request->uuid) || !dm_task_run(create))
		return task_error(create);
	r = tell_devno(create, result);
	if (r == 0 &&
	    (!dm_task_add_target(load, 0, request->size_sectors, TARGET, request->params) ||
	     (request->read_only && !dm_task_set_ro(load)) || !dm_task_run(load)))
		r = task_error(load);
	if (r < 0)
		remove_simply(request);
	return r;
}

static int do_resume(int link, const struct dm_request *request, struct dm_result *result)
{
	_cleanup_(task_freep) struct dm_task *task = task_new(DM_DEVICE_RESUME, request);
	int r;

	if (!task)
		return -ENOMEM;
	r = run_with_udev(link, task);
	return r < 0 ? r : tell_devno(task, result);
}

/* What has the name in /dev/mapper, by way of a link of udev's or not, is that device. */
static bool is_node_of(const char *path, dev_t devno)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == devno;
}

static int find_ours(const struct dm_request *request, dev_t *ret_devno)
{
	_cleanup_(task_freep) struct dm_task *task = task_new_by_uuid(DM_DEVICE_INFO, request);
	struct dm_result found = {};
	int r;

	if (!task || !dm_task_run(task))
		return task_error(task);
	r = tell_devno(task, &found);
	if (r == 0)
		*ret_devno = found.devno;
	return r;
}

/*
 * Without a cookie: udev has nothing to do that anybody waits for, and one that hangs must not keep a device
 * that is gone. The library is told no name, so the one in /dev/mapper is removed here; udev does it again.
 */
static int do_remove(const struct dm_request *request, struct dm_result *result)
{
	bool deferred = request->operation == DM_OP_REMOVE_DEFERRED, has_node;
	_cleanup_(task_freep) struct dm_task *task =
		task_new_by_uuid(DM_DEVICE_REMOVE, request);
	char path[sizeof(request->name) + 64];
	struct dm_info info;
	dev_t devno = 0;
	int r;

	if (!task)
		return -ENOMEM;
	r = find_ours(request, &devno);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", dm_dir(), request->name);
	has_node = is_node_of(path, devno);
	if ((deferred && !dm_task_deferred_remove(task)) || !dm_task_run(task))
		return task_error(task);
	/* The kernel leaves the flag where it was of use. */
	if (deferred && dm_task_get_info(task, &info))
		result->open_count = info.deferred_remove;
	if (has_node)
		unlink(path);
	return 0;
}

static int do_message(const struct dm_request *request)
{
	_cleanup_(task_freep) struct dm_task *task = task_new_by_uuid(DM_DEVICE_TARGET_MSG, request);

	if (!task || !dm_task_set_sector(task, 0) || !dm_task_set_message(task, request->params) ||
	    !dm_task_run(task))
		return task_error(task);
	return 0;
}

static int do_status(const struct dm_request *request, struct dm_result *result)
{
	_cleanup_(task_freep) struct dm_task *task = task_new_by_uuid(DM_DEVICE_STATUS, request);
	uint64_t start, length;
	char *type, *params = NULL;
	int r;

	/* Without no_flush, the kernel could wait for the target, whose worker may be dead. */
	if (!task || !dm_task_no_flush(task) || !dm_task_run(task))
		return task_error(task);
	r = tell_devno(task, result);
	if (r < 0)
		return r;
	dm_get_next_target(task, NULL, &start, &length, &type, &params);
	snprintf(result->status, sizeof(result->status), "%s", params ? params : "");
	return 0;
}

static int do_version(struct dm_result *result)
{
	/* A device of the target's name is not meant: this asks for the target, and loads its
	 * module. */
	struct dm_request about = { .name = TARGET };
	_cleanup_(task_freep) struct dm_task *target =
		task_new(DM_DEVICE_GET_TARGET_VERSION, &about);
	_cleanup_(task_freep) struct dm_task *driver = dm_task_create(DM_DEVICE_VERSION);
	struct dm_versions *versions;
	char text[64];

	if (!driver || !dm_task_run(driver))
		return task_error(driver);
	if (dm_task_get_driver_version(driver, text, sizeof(text)))
		sscanf(text, "%" SCNu32 ".%" SCNu32 ".%" SCNu32, &result->driver_version[0],
		       &result->driver_version[1], &result->driver_version[2]);
	if (!target || !dm_task_run(target))
		return task_error(target);
	versions = dm_task_get_versions(target);
	memcpy(result->target_version, versions->version, sizeof(result->target_version));
	return 0;
}

/*
 * 1 if the device is one of ours and *ret_device was written; 0 if not; it may be gone meanwhile.
 */
static int describe(const struct dm_names *entry, struct dm_device *ret_device)
{
	struct dm_request about = {};
	struct dm_info info;
	_cleanup_(task_freep) struct dm_task *task = NULL;
	const char *uuid;

	snprintf(about.name, sizeof(about.name), "%s", entry->name);
	task = task_new(DM_DEVICE_INFO, &about);
	if (!task || !dm_task_run(task) || !dm_task_get_info(task, &info))
		return task_error(task);
	uuid = info.exists ? dm_task_get_uuid(task) : NULL;
	if (!uuid || strncmp(uuid, UUID_PREFIX, strlen(UUID_PREFIX)) != 0)
		return 0;
	*ret_device = (struct dm_device){ .devno = makedev(info.major, info.minor) };
	snprintf(ret_device->name, sizeof(ret_device->name), "%s", entry->name);
	snprintf(ret_device->uuid, sizeof(ret_device->uuid), "%s", uuid);
	return 1;
}

/* Makes room for one more. What there was stays as it is on failure. */
static int grow(struct dm_device **devices, size_t n)
{
	struct dm_device *grown;

	if (n == DM_LIST_MAX)
		return -E2BIG;
	/* Powers of two: whenever one is reached, what there is has been used up. */
	if (n & (n - 1))
		return 0;
	grown = reallocarray(*devices, n ? n * 2 : 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*devices = grown;
	return 0;
}

/* Volumes of ours have such names; no look is taken at others. */
#define NAME_PREFIX "dmuser-"

/*
 * Its worker did not answer a request in time, or not even read it, or answered badly: BROKEN and TIMED_OUT of a
 * target's status (dm-user(4)). One that is gone meanwhile, or is another's, has none.
 */
static bool is_deaf(const struct dm_names *entry)
{
	struct dm_request about = {};
	_cleanup_(task_freep) struct dm_task *task = NULL;
	char *type = NULL, *params = NULL;
	uint64_t start, length;
	uint64_t broken, timed_out;

	if (strncmp(entry->name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return false;
	snprintf(about.name, sizeof(about.name), "%s", entry->name);
	task = task_new(DM_DEVICE_STATUS, &about);
	if (!task || !dm_task_no_flush(task) || !dm_task_run(task))
		return false;
	dm_get_next_target(task, NULL, &start, &length, &type, &params);
	return type && params && strcmp(type, TARGET) == 0 &&
	       sscanf(params, "%*u %*u %*u %*u %*u %*u %" SCNu64 " %*u %*u %*u %" SCNu64, &broken,
		      &timed_out) == 2 &&
	       (broken > 0 || timed_out > 0);
}

/*
 * As describe(). Of those that are deaf, one that cannot be looked at is none: the look at all others is for those
 * who cannot wait. A list of all is of all, or there is none.
 */
static int describe_listed(bool deaf_alone, const struct dm_names *entry, struct dm_device *ret_device)
{
	int r;

	if (!deaf_alone)
		return describe(entry, ret_device);
	r = is_deaf(entry) ? describe(entry, ret_device) : 0;
	return r < 0 ? 0 : r;
}

/* *devices is allocated, and the caller's also on failure. */
static int do_list(bool deaf_alone, struct dm_result *result, struct dm_device **devices)
{
	_cleanup_(task_freep) struct dm_task *task = dm_task_create(DM_DEVICE_LIST);
	struct dm_names *entry;
	struct dm_device device;

	if (!task || !dm_task_run(task))
		return task_error(task);
	entry = dm_task_get_names(task);
	if (!entry)
		return -EIO;
	if (entry->dev == 0)
		return 0;
	for (;; entry = (void *)((char *)entry + entry->next)) {
		int r = describe_listed(deaf_alone, entry, &device);

		if (r > 0) {
			r = grow(devices, result->n_devices);
			if (r == 0)
				(*devices)[result->n_devices++] = device;
		}
		if (r < 0)
			return r;
		if (entry->next == 0)
			return 0;
	}
}

static int run_operation(int link, const struct dm_request *request, struct dm_result *result,
			 struct dm_device **devices)
{
	switch (request->operation) {
	case DM_OP_VERSION:
		return do_version(result);
	case DM_OP_CREATE:
		return do_create(request, result);
	case DM_OP_RESUME:
		return do_resume(link, request, result);
	case DM_OP_MESSAGE:
		return do_message(request);
	case DM_OP_REMOVE:
	case DM_OP_REMOVE_DEFERRED:
		return do_remove(request, result);
	case DM_OP_STATUS:
		return do_status(request, result);
	case DM_OP_LIST:
	case DM_OP_LIST_DEAF:
		return do_list(request->operation == DM_OP_LIST_DEAF, result, devices);
	}
	return -EINVAL;
}

/*
 * Says [cookie] result [devices]: the size tells which are there, as a result is no 4 bytes long.
 */
static void child(int link, const void *arg)
{
	_cleanup_(freep) struct dm_device *devices = NULL;
	struct dm_result result = {};

	logged = &result;
	dm_log_with_errno_init(keep_error);
	result.error = run_operation(link, arg, &result, &devices);
	errand_send(link, &result, sizeof(result), -EBADF);
	errand_send(link, devices, result.n_devices * sizeof(devices[0]), -EBADF);
}

/* From here on: in the supervisor. */

struct dm_call {
	struct errand *errand;
	dm_done_fn done;
	void *userdata;
};

/* A child that has ended orderly has removed its semaphore; then there is nothing of that key. */
static void remove_told_cookie(const void *data, size_t size)
{
	uint32_t cookie;

	if (size < sizeof(cookie))
		return;
	memcpy(&cookie, data, sizeof(cookie));
	if (cookie >> DM_UDEV_FLAGS_SHIFT == DM_COOKIE_MAGIC)
		remove_cookie(cookie);
}

/* Whether `data` is what a child says that came to its end. The devices stay in `data`. */
static bool parse_result(const void *data, size_t size, struct dm_result *ret_result)
{
	const char *at = data;

	if (size >= sizeof(uint32_t) && (size - sizeof(uint32_t)) == sizeof(*ret_result)) {
		at += sizeof(uint32_t);
		size -= sizeof(uint32_t);
	}
	if (size < sizeof(*ret_result))
		return false;
	memcpy(ret_result, at, sizeof(*ret_result));
	size -= sizeof(*ret_result);
	if (ret_result->n_devices > DM_LIST_MAX ||
	    size != ret_result->n_devices * sizeof(struct dm_device))
		return false;
	ret_result->devices = (const void *)(at + sizeof(*ret_result));
	return true;
}

static void on_errand_done(void *userdata, int error, const void *data, size_t size, int fd)
{
	_cleanup_(freep) struct dm_call *call = userdata;
	struct dm_result result = {};

	closep(&fd);
	if (error < 0 || !parse_result(data, size, &result)) {
		remove_told_cookie(data, size);
		result = (struct dm_result){ .error = error < 0 ? error : -EIO };
		snprintf(result.message, sizeof(result.message), "%s",
			 error == -ETIMEDOUT ? "device-mapper did not answer in time"
					     : "the device-mapper child ended early");
	} else if (result.error < 0 && !result.message[0]) {
		snprintf(result.message, sizeof(result.message), "device-mapper: %s",
			 strerror(-result.error));
	}
	call->done(call->userdata, &result);
}

int dm_start(sd_event *event, const struct dm_request *request, uint64_t timeout_ms,
	     dm_done_fn done, void *userdata, struct dm_call **ret_call)
{
	_cleanup_(freep) struct dm_call *call = calloc(1, sizeof(*call));
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

void dm_cancel(struct dm_call *call)
{
	const void *data;
	size_t size;

	if (!call)
		return;
	data = errand_peek(call->errand, &size);
	if (size == sizeof(uint32_t))
		remove_told_cookie(data, size);
	errand_cancel(call->errand);
	free(call);
}
