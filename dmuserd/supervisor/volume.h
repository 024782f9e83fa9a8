/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume: its specification, its state, and the steps from asked-for to gone.
 *
 *   created → attached → active ⇄ degraded → releasing → gone
 *
 * Every call returns at once; what takes time goes on in the event loop and ends in one call of the
 * caller's callback, never from within the call that took it. One thread, no locks.
 */
#pragma once

#include "dmuserd/messages/parser.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct manager; /* manager.h: everything that belongs to one supervisor */
struct backend; /* backend.h: an installed backend */
struct volume;

enum volume_state {
	VOLUME_CREATED = 1,
	VOLUME_ATTACHED,
	VOLUME_ACTIVE,
	VOLUME_DEGRADED,
	VOLUME_RELEASING,
	VOLUME_GONE, /* the last event of a volume shows it so */
};

/*
 * What a volume is asked to be. Two Creates are the same if these are, and `keep` too unless a
 * container is named.
 */
struct volume_spec {
	char name[NAME_VOLUME_MAX + 1];
	uid_t owner;
	gid_t owner_gid;
	const struct backend *backend;
	uint64_t size_bytes; /* PARSER_UNSET: as large as its backing */
	uint32_t block_size;
	bool read_only;
	bool keep;
	size_t n_options;
	struct worker_option options[WORKER_OPTIONS_MAX]; /* validated, in the manifest's order */
};

/* Why an operation failed, as the interface names it. Written by whoever fails first. */
enum failure_kind {
	FAILURE_NONE,
	FAILURE_NO_SUCH_VOLUME,
	FAILURE_SPECIFICATION_MISMATCH, /* subject: field */
	FAILURE_AMBIGUOUS_NAME,
	FAILURE_VOLUME_EXISTS,          /* subject: container */
	FAILURE_VOLUME_BOUND,           /* subject: container */
	FAILURE_VOLUME_BUSY,
	FAILURE_NO_SUCH_BACKEND,        /* subject: backend */
	FAILURE_INVALID_OPTION,         /* subject: option; reason */
	FAILURE_INVALID_PARAMETER,      /* subject: parameter (org.varlink.service) */
	FAILURE_INVALID_SIZE,           /* reason; min, max of the backend */
	FAILURE_BACKING_IN_USE,         /* subject: option; reason */
	FAILURE_BACKEND_FAILED,         /* reason */
	FAILURE_OPERATION_PENDING,      /* subject: operation */
	FAILURE_OWNER_GONE,             /* subject: container */
	FAILURE_QUOTA_EXCEEDED,         /* subject: resource; limit; setting */
	FAILURE_PERMISSION_DENIED,      /* reason */
	FAILURE_DRIVER_UNAVAILABLE,     /* reason */
	FAILURE_TIMED_OUT,              /* subject: stage */
};

struct failure {
	enum failure_kind kind;
	char subject[160];
	char reason[256]; /* for a person: what went wrong and what to do */
	uint64_t limit;
	const char *setting; /* the key of dmuserd.conf that sets the limit; NULL: none does */
	uint64_t min_size_bytes, max_size_bytes;
};

/* printf into f->reason; f->subject is copied and may be NULL. Returns a negative errno for chaining. */
int failure_set(struct failure *f, enum failure_kind kind, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for a size that a backend does not serve. what: has that size; "the image". */
int failure_set_size(struct failure *f, const char *what, uint64_t size_bytes,
		     const struct parser_manifest *manifest);

/* Whether it is worth telling to whoever asks later why there is no such volume. */
bool failure_outlasts(const struct failure *f);
/* Its subject, where that is not in the reason, and the reason. */
void failure_describe(const struct failure *f, char *ret_text, size_t size);

enum release_stage { RELEASE_GONE, RELEASE_DRAINING, RELEASE_FAILING, RELEASE_DEVICE_BUSY };

/*
 * Who has a device open: "pid 4711 (fio)", "mount /mnt (pid 1)", "device dm-3", "volume b
 * of uid 0". n texts, one behind the other,
 * each with its NUL. None is cut: a path that is would be another path.
 */
#define RELEASE_HOLDERS_MAX 8
/* The longest path in the longest text, and shorter ones. */
#define RELEASE_HOLDERS_SIZE (PATH_MAX + 1024)
struct holders {
	size_t n;
	char text[RELEASE_HOLDERS_SIZE];
};
static inline const char *holders_first(const struct holders *h)
{
	return h->text;
}
static inline const char *holders_next(const char *text)
{
	return text + strlen(text) + 1;
}

struct release_result {
	enum release_stage stage;
	unsigned int open_count;
	struct holders holders;
};

/* A view of a volume for replies; pointers live until the next call into volume.h. */
struct volume_info {
	const char *name, *uuid, *device, *container, *error; /* NULL: absent */
	uid_t owner, worker_uid;
	pid_t worker_pid, container_pid; /* 0: none */
	enum volume_state state;
	const struct volume_spec *spec;
	uint64_t size_bytes;
	uint64_t generation;
	bool blank;
};
void volume_get_info(const struct volume *volume, struct volume_info *ret_info);
const struct volume_spec *volume_spec(const struct volume *volume);

typedef void (*volume_created_fn)(void *userdata, struct volume *volume, bool created,
				  const struct failure *failure); /* failure NULL on success */
typedef void (*volume_released_fn)(void *userdata, const char *name, uid_t owner,
				   const struct release_result *result,
				   const struct failure *failure);

/*
 * Creates, or finds the one of the spec's owner and name that is bound to just that container: what
 * is bound to none is somebody else's, and would end with the container. container_id NULL: bound
 * to none; pidfd is consumed in every case (-EBADF: none). Returns 0 and calls `done` later, once;
 * or a negative errno with *failure written and `done` never called.
 */
int volume_create(struct manager *m, const struct volume_spec *spec, const char *container_id, int pidfd,
		  volume_created_fn done, void *userdata, struct failure *failure);

/*
 * A volume's key is its owner, its container (NULL: bound to none) and its name. volume_find() finds by
 * exactly that; NULL if there is none.
 */
struct volume *volume_find(struct manager *m, uid_t owner, const char *container, const char *name);
/*
 * What a caller means by a name. container NULL: the one volume of that name, or of several the one that is
 * bound to none. 0, or a negative errno with *failure: NO_SUCH_VOLUME, AMBIGUOUS_NAME.
 */
int volume_pick(struct manager *m, uid_t owner, const char *container, const char *name,
		struct volume **ret_volume, struct failure *failure);
/* Which one is to be bound to the container: one that is bound to none, or is the container's already. */
int volume_pick_to_bind(struct manager *m, uid_t owner, const char *container, const char *name,
			struct volume **ret_volume, struct failure *failure);
/* The field in which a volume is another one than is asked for, or NULL; `keep` apart. */
const char *volume_difference(const struct volume *volume, const struct volume_spec *asked);
/* Iterates over all: NULL starts and ends. Releasing while iterating is not allowed. */
struct volume *volume_next(struct manager *m, struct volume *previous);

/* Consumes pidfd. 0, or a negative errno with *failure written. */
int volume_bind(struct volume *volume, const char *container_id, int pidfd, struct failure *failure);

/* Begins, or joins, the release; `done` is called once, later, also for a second caller. */
int volume_release(struct volume *volume, uint64_t timeout_ms, volume_released_fn done, void *userdata,
		   struct failure *failure);

/*
 * The same, if nobody has its device open now; otherwise it is left as it is, and `done` gets
 * FAILURE_VOLUME_BUSY with the holders. A release that has begun is joined.
 */
int volume_release_unless_open(struct volume *volume, uint64_t timeout_ms, volume_released_fn done,
			       void *userdata, struct failure *failure);

/* Forgets every callback with this userdata: its connection has closed. The operations go on. */
void volume_forget_caller(struct manager *m, void *userdata);

/*
 * Called by volume.c at each change of state, and with VOLUME_GONE last; set once by the front end. news: it shows
 * itself otherwise than at the last call. Without its size it is not shown at all.
 */
typedef void (*volume_event_fn)(struct manager *m, const struct volume *volume, bool news);
void volume_set_observer(struct manager *m, volume_event_fn fn);
