/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a volume share: volume.c (what it is and says), volumes.c (all of them),
 * volume-steps.c (how it goes forth and back), volume-create.c, volume-device.c and
 * volume-release.c (the steps), volume-adopt.c (what an earlier supervisor left). Nobody else
 * includes this.
 *
 * At any time a volume does one thing, `operation`. It goes forth by a table of steps, each started
 * from the event loop and ended there; it goes back by the same table, from the step that it had
 * reached. A step that waits holds exactly one of the calls below; its end clears it.
 */
#pragma once

#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/backing.h"
#include "dmuserd/supervisor/channel.h"
#include "dmuserd/supervisor/container.h"
#include "dmuserd/supervisor/dm-queue.h"
#include "dmuserd/supervisor/holders.h"
#include "dmuserd/supervisor/journal.h"
#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/uid-pool.h"
#include "dmuserd/supervisor/volume.h"
#include "dmuserd/supervisor/worker.h"

#include <sys/queue.h>

TAILQ_HEAD(volume_list, volume);

/* What a step's start and undo return; a start may also fail, with volume_fail()'s value. */
enum { STEP_PENDING = 0, STEP_DONE = 1 };

struct volume_step {
	const char *name; /* as TimedOut and the log know it */
	int (*start)(struct volume *v);
	int (*undo)(struct volume *v); /* NULL: leaves nothing. Copes with what was done by halves */
};

enum volume_operation {
	OPERATION_NONE,
	OPERATION_CREATE, /* forth by create_steps */
	OPERATION_ADOPT,  /* forth by adopt_steps */
	OPERATION_UNWIND, /* back by create_steps: a release, or a creation that failed */
};

/* To start its worker: see volume-turn.c. */
enum volume_turn { TURN_NONE, TURN_AWAITED, TURN_TAKEN };

/* Someone who waits for the operation's end. */
struct waiter {
	TAILQ_ENTRY(waiter) entry;
	void *userdata;
	volume_created_fn created; /* one of the two */
	volume_released_fn released;
	bool made; /* created: by this call */
};

/* How far the removal of the device is; its public face is enum release_stage. */
struct volume_drain {
	enum release_stage stage;
	bool deferred;		/* the kernel removes it at its last close */
	uint64_t deadline_usec; /* of the graceful part */
	uint64_t busy_usec;	/* failing: when it is no more a matter of a moment */
	uint64_t interval_usec; /* between two looks */
	unsigned int open_count;
	bool holders_told;	/* at least once, in the volume's error */
};

/* Whether the device is open, for those who want it released only if it is not. */
struct volume_look {
	struct dm_ticket *dm_call;
	struct holders_call *holders_call;
	uint64_t timeout_ms; /* of the release that follows */
	unsigned int open_count;
};

/* What can change of what is told of a volume, as it was told last. All zero: it never was. */
struct volume_shown {
	enum volume_state state;
	char device[32];
	uint64_t size_bytes, generation;
	pid_t worker_pid, container_pid;
	uid_t worker_uid;
	bool keep, blank;
	char container[NAME_CONTAINER_MAX + 1];
	char error[256];
};

struct volume {
	TAILQ_ENTRY(volume) entry;
	struct volume_list *in; /* the one of the two lists of set that it is on */
	struct volumes *set;
	struct volume_spec spec;
	struct backend *placeholder; /* own; spec.backend where that is not installed any more */
	char uuid[NAME_UUID_LEN + 1];
	uint64_t generation;
	uint64_t size_bytes; /* as it turned out; 0 before */
	bool blank;		    /* its creation made what it lies in */
	bool passed_on;		    /* bound after it was made; whoever had it made may have written */
	bool hidden;		    /* a left-over of nobody's: only to be removed */
	bool journaled;		    /* there is an entry, to be kept true */
	struct journal_entry *left; /* what an earlier supervisor left, until it is taken over */
	enum volume_state state;
	char error[256];
	struct volume_shown shown;

	/* The operation. */
	enum volume_operation operation;
	const struct volume_step *steps;
	size_t n_steps, step;
	struct failure failure; /* kind NONE: all is well */
	sd_event_source *deferred, *timer, *reply_timer;
	TAILQ_HEAD(, waiter) waiters;

	enum volume_turn turn;

	/* What a waiting step has under way. */
	struct dm_ticket *dm_call;
	struct backing_call *backing_call;
	struct holders_call *holders_call;
	bool awaits_worker;

	/* The container: empty id, none. */
	char container[NAME_CONTAINER_MAX + 1];
	int container_pidfd; /* until it is watched */
	struct container *owner;

	/* The worker and what it works on. */
	uid_t worker_uid;
	bool has_uid;
	char group[NAME_CONTAINER_MAX + 8]; /* of cgroups: all workers of a container share one */
	struct worker *worker;
	bool ending; /* its undo is under way; phases count how it was urged */
	unsigned int end_phase;
	int resources[CONFINE_RESOURCES_MAX];
	size_t n_resources;
	/* Path and index of the image that this Create made, until it is active. */
	char made_image[WORKER_OPTION_VALUE_SIZE];
	size_t made_resource;
	int channel; /* only while it is handed over */

	/* The device. */
	bool device_exists; /* or may */
	char dm_name[128];
	char dm_uuid[128]; /* DMUSER-<uuid>; or what follows the prefix at one of nobody's */
	dev_t devno;
	char device[32]; /* /dev/dm-N, or empty */
	struct volume_drain drain;
	struct volume_look look;
};

/* A few for each CPU of a small machine; more only wait for each other. */
#define VOLUME_STARTS_AT_ONCE 8

struct volumes {
	struct manager *manager;
	struct volume_list list;
	struct volume_list dying; /* gone; its callers are being told */
	struct uid_pool *uids;
	struct dm_queue *dm_queue;
	size_t n_starting; /* volumes whose turn it is, and whose they are */
	uid_t starting[VOLUME_STARTS_AT_ONCE];
	volume_event_fn observer;
	bool adopted;	  /* what an earlier supervisor left is known */
	bool driver_seen; /* the module was there when a device was made last */
	struct adoption *adoption;
	sd_event_source *watch; /* when to look for broken channels next */
	struct dm_ticket *watch_call;
};

/* volume.c */
int volume_new(struct volumes *set, const struct volume_spec *spec, struct volume **ret_volume);
/* Takes it off the list. Ends nothing that is outside of this process. */
void volume_free(struct volume *v);
static inline void volume_freep(struct volume **v)
{
	volume_free(*v);
}
/* Nobody can have written anything to it before its container, if it has one. */
bool volume_is_blank(const struct volume *v);
void volume_set_state(struct volume *v, enum volume_state state);
void volume_changed(struct volume *v);
/* The same for what a later supervisor must know. what: that is not in the journal, if it cannot be. */
void volume_changed_for_good(struct volume *v, const char *what);
void volume_set_error(struct volume *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Keeps the first failure. Returns a negative errno. */
int volume_fail(struct volume *v, enum failure_kind kind, const char *subject, const char *format,
		...) __attribute__((format(printf, 4, 5)));
/*
 * 0, or OPERATION_PENDING: it is on its way out, or is not taken over yet, so that nobody can have it now and
 * nothing that is said of it can be kept.
 */
int volume_check_settled(const struct volume *v, struct failure *failure);
void volume_dm_request(const struct volume *v, enum dm_operation operation, struct dm_request *ret);
int volume_dm_start(struct volume *v, enum dm_operation operation, dm_done_fn done);
uint64_t volume_now_usec(const struct volume *v);
uint64_t volume_in_usec(const struct volume *v, uint64_t ms);
const struct settings *volume_settings(const struct volume *v);
/* Runs fn from the loop; from nobody's call. Replaces what was set before. */
int volume_defer(struct volume *v, void (*fn)(struct volume *v));
/* Runs fn after that time. Replaces what was set before; fn NULL: nothing any more. */
void volume_set_timer(struct volume *v, uint64_t usec, sd_event_time_handler_t fn);

/* volume-journal.c */
int volume_journal(struct volume *v, enum journal_stage stage);
int volume_from_journal(struct volumes *set, const struct journal_entry *entry,
			struct volume **ret_volume);

/* volume-waiters.c */
int volume_add_waiter(struct volume *v, volume_created_fn created, volume_released_fn released,
		      bool made, void *userdata);
void volume_forget_waiters(struct volume *v, void *userdata);
void volume_reply_created(struct volume *v);
/* By v->failure, or because it is being released. */
void volume_reply_not_created(struct volume *v);
/* result or failure. */
void volume_reply_released(struct volume *v, const struct release_result *result,
			   const struct failure *failure);

/* volume-steps.c */
/* The table's end, or a step's failure, is told by finished(); call it from the loop. */
void volume_go(struct volume *v, enum volume_operation operation, const struct volume_step *steps,
	       size_t n_steps);
/* The waiting step has ended. r < 0: with volume_fail(). */
void volume_step_done(struct volume *v, int r);
const char *volume_step_name(const struct volume *v);
/* Starts going back, from the loop, from the step that was reached. */
void volume_unwind(struct volume *v);
void volume_undo_done(struct volume *v);

/* volume-create.c */
extern const struct volume_step volume_create_steps[];
extern const size_t volume_n_create_steps;
void volume_create_finished(struct volume *v, int r);
/* Ends a creation that is under way, for the reason in v->failure, as soon as its step allows. */
void volume_create_abort(struct volume *v);
void volume_adoption_known(struct volume *v);

/* volume-turn.c */
int volume_start_turn(struct volume *v);
int volume_start_end_of_turn(struct volume *v);
/* Gives up its turn, or waiting for it. Without one, nothing. */
void volume_end_turn(struct volume *v);

/* volume-worker.c: the steps that concern the worker */
int volume_start_sockets(struct volume *v);
int volume_undo_sockets(struct volume *v);
int volume_start_spawn(struct volume *v);
int volume_undo_spawn(struct volume *v);
int volume_start_seal(struct volume *v);
int volume_start_hello(struct volume *v);
int volume_start_gate(struct volume *v);
int volume_start_channel(struct volume *v);
int volume_new_worker(struct volume *v);
/* r: what asking it for something has given; then the step waits for its word. */
int volume_await_worker(struct volume *v, int r);
uint64_t volume_worker_deadline(const struct volume *v);
void volume_worker_limits(const struct volume *v, struct worker_limits *ret_limits);
/* Now, and what follows from it. */
void volume_degrade(struct volume *v);

/* volume-device.c: the steps that concern the device */
int volume_start_driver(struct volume *v);
int volume_start_device(struct volume *v);
int volume_undo_device(struct volume *v);
int volume_start_resume(struct volume *v);
void volume_set_devno(struct volume *v, dev_t devno);
void volume_device_deadline_changed(struct volume *v);
void volume_device_worker_ended(struct volume *v);

/* volume-release.c */
/* Begins; nobody need wait for it. timeout_ms: of the graceful part. */
void volume_begin_release(struct volume *v, uint64_t timeout_ms);
void volume_gone(struct volume *v);
/* Answers everybody who waits, with the stage that was reached. */
void volume_reply_stage(struct volume *v, const struct holders *holders);
int volume_arm_reply_timer(struct volume *v);

/* volume-holders.c: done's userdata is the volume */
int volume_holders_start(struct volume *v, holders_done_fn done, struct holders_call **ret_call);

/* volume-unused.c */
void volume_look_cancel(struct volume *v);

/* volume-owner.c: the container */
int volume_start_container(struct volume *v);
int volume_undo_container(struct volume *v);
void volume_owner_ended(void *userdata);

/* volume-watch.c */
int volumes_watch(struct volumes *set);
void volumes_watch_free(struct volumes *set);

/* volume-adopt.c */
int volumes_adopt(struct volumes *set);
void volumes_adopt_free(struct adoption *adoption);
void volume_adopt_finished(struct volume *v, int r);
