/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world for volumes to live in: a device-mapper and a spawner that are played by the test
 * program, and workers that are real processes which do as they are told.
 *
 * Played at link time: dm_start() and dm_cancel(), spawner_*(), gate_check(), channel_*() and
 * backend_find(). Everything else is the supervisor's own. The world survives a supervisor:
 * world_restart() ends one and starts the next one on what is there.
 */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "tests/unit/volume/test.h"

#include <limits.h>
#include <sys/types.h>

#define WORLD_NOT_ASKED INT_MIN

/* What the supervisor gives a worker, and device-mapper, where it is to see that nothing comes. */
#define WORLD_LITTLE_TIME_MS 50

/* An operation in a table of what goes wrong, whose default is none. */
#define DM(operation) (DM_OP_##operation + 1)

/* A pool so small that a leak of one shows. */
#define WORKER_UIDS 16

/* What a worker does that is not what it should. */
enum worker_manner {
	WORKER_GOOD,
	WORKER_DIES_UNSEALED,
	WORKER_IS_NEVER_SEALED,
	WORKER_FAILS_TO_SEAL,	 /* at mlock, with ENOMEM, "too little" */
	WORKER_REPORTS_NONSENSE, /* of the wrong size */
	WORKER_DOES_NOT_LISTEN,
	WORKER_DOES_NOT_SAY_HELLO,
	WORKER_IS_ANOTHER, /* HELLO with another uuid */
	WORKER_IS_OF_ANOTHER_GENERATION,
	WORKER_SAYS_IT_IS_ATTACHED,
	WORKER_DIES_AT_HELLO,
	WORKER_ANSWERS_TWICE,	  /* HELLO */
	WORKER_SENDS_DESCRIPTORS, /* with HELLO */
	WORKER_DOES_NOT_TAKE_CHANNEL,
	WORKER_REFUSES_CHANNEL, /* with EBUSY */
	WORKER_DIES_AT_CHANNEL,
	WORKER_IGNORES_ITS_TARGETS_END,
	WORKER_IGNORES_STOP, /* and its target's end */
	WORKER_GIVES_WRONG_RESOURCES,
};

struct world_device {
	char name[128], uuid[128], node[128], volatile_cache[8];
	unsigned int block_size;
	dev_t devno;
	bool live, failed, deferred, read_only;
	bool broken; /* its channel: a request was not answered in time */
	uint64_t size_sectors;
	int open_count;
	int channel_write; /* its end tells the worker that the target is gone */
	struct world_device *next;
};

struct world_child {
	char name[64], group[140];
	pid_t pid;
	int pidfd;
	uid_t uid;
	bool alive, forgotten, holds_memory, held;
	int status;
	uint64_t memory_max, memlock_max;
	uint32_t requests_max; /* of its setup */
	struct world_child *next;
};

/* Called when an operation is about to be done; may change the world. */
typedef void (*world_hook_fn)(void *userdata, enum dm_operation operation);

struct world {
	struct manager m;
	char *directory;
	size_t fds; /* open while nothing exists */

	/* What is to go wrong. */
	enum worker_manner manner;
	int dm_error[DM_OP_LIST_DEAF + 1];   /* by operation: the negative errno that comes of it */
	bool dm_silent[DM_OP_LIST_DEAF + 1]; /* nothing comes before the deadline */
	int spawn_error;		/* SPAWNED says so */
	int spawn_refused;		/* spawner_spawn() itself says so */
	bool spawn_silent;
	int channel_error;
	bool gate_closed;
	unsigned int kills_lost; /* how many more, as without a link to the spawner */
	bool oom_kills; /* whoever is killed, is for want of memory */
	int list_error; /* -ETIMEDOUT: once, and all but the last word of it comes in time */
	int sole_error; /* to lock device-mapper's control node */

	/* What was seen. */
	char operations[2048]; /* " version create resume…" */
	size_t gate_calls, gate_fds;
	char gate_cgroup[256];
	uint64_t gate_fsize; /* the limit that it asked for */
	int gate_oom_score;  /* likewise, or WORLD_NOT_ASKED */
	struct world_device *devices;
	struct world_child *children;
	world_hook_fn hook;
	void *hook_userdata;

	/* What the observer was told: " data:created data:attached…" */
	char events[4096];
	size_t n_unsized; /* events without a size */
};

/* The one that the fakes act in. */
extern struct world *world;

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

/* Says why if not. */
bool world_is_playable(void);
int world_setup(void **state);
/* Fails the test if anything is left. */
int world_teardown(void **state);
/* The supervisor ends, and the next one begins. */
void world_restart(void);
void world_stop(void);
void world_start(void);

struct world_device *world_device(const char *uuid_without_prefix);
struct world_child *world_child(const char *name);
size_t world_n_children_alive(void);
void world_kill(struct world_child *child, int signal);
void world_close_device(struct world_device *d);
/* What device-mapper and the spawner are silent about is out of time. */
void world_end_silence(void);

/* Nothing is left of anything: devices, processes, journal, sockets, uids, descriptors. */
void assert_nothing_is_left(void);
/* Runs the loop until the spawner was told of the worker's end and all is quiet. */
void run_until_no_volume(void);
void run_until_state(struct volume *v, enum volume_state state);
/* Until the volume waits in that step. */
void run_until_step(struct volume *v, const char *step);
/* Until no child of the spawner's lives. */
void run_until_no_worker(void);
/* Until its operation is to fail, whatever it waits for yet. */
void run_until_failure(struct volume *v);

/* Callers. */
struct caller {
	unsigned int calls;
	bool done;
	bool created;
	struct volume *volume;
	struct failure failure;
	bool failed;
	struct release_result result;
	char name[80];
};

/* root's volume of that name, of whatever container; NULL if there is none, or several. */
struct volume *volume_named(const char *name);

struct volume_spec spec_of(const char *name, const char *backend, uint64_t size);
/* The container may be NULL; pid: of its init, 0: no pidfd is given. */
int create(struct caller *c, const struct volume_spec *spec, const char *container, pid_t pid);
struct volume *create_and_wait(struct caller *c, const struct volume_spec *spec);
int release(struct caller *c, struct volume *v, uint64_t timeout_ms);
int release_unless_open(struct caller *c, struct volume *v);
void release_and_wait(struct caller *c, struct volume *v);

/* A process that stands for a container's init. */
pid_t start_container(void);
void end_container(pid_t pid);
int pidfd_of(pid_t pid);
