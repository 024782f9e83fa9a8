/* SPDX-License-Identifier: Apache-2.0 */
/* A spawner to test, and the supervisor's part played towards it. Every wait has a deadline. */
#pragma once

#include "dmuserd/messages/spawner.h"
#include "dmuserd/supervisor/gate.h"
#include "tests/attack/order.h"

#include <stdbool.h>

#define RIG_TIMEOUT_MS 20000
#define RIG_FILTERS    3 /* the spawner's, the outer and the inner one */
#define RIG_GROUP      "container-1"
#define RIG_MEMLOCK_BYTES (128 << 20)
#define RIG_VOLUME_BYTES  (1 << 20)

struct rig {
	const char *build; /* where the programs and profiles are */
	char run_dir[64];
	pid_t spawner;
	int spawner_fd; /* its pidfd */
	int link;	/* to the spawner; -EBADF: none */
	uint64_t serial;
};

/* One worker as its supervisor holds it. */
struct worker {
	char name[SPAWNER_NAME_SIZE];
	uid_t uid;
	pid_t pid;
	int pidfd, setup, setup_child, listener, memfd, control;
	char socket_path[108];
	char cgroup[128]; /* how its path ends */
};

/*
 * New run directory; starts a spawner with n_leaked descriptors more than it should have, and
 * connects. All that comes of it ends when this process exits, and the directory is removed.
 */
int rig_start(struct rig *rig, const char *build, unsigned int n_leaked);
/* The same without the spawner. */
int rig_prepare(struct rig *rig, const char *build);
/* Another spawner in the same run directory. */
int rig_start_spawner(struct rig *rig, unsigned int n_leaked);
int rig_connect(struct rig *rig);
/* SIGKILL, and waits for its end. */
void rig_kill_spawner(struct rig *rig);
/* Writes <run>/test-skip-step, test-fail-step or test-halt-step; an empty name is none. */
int rig_hook(struct rig *rig, const char *file, const char *step);

/* A new name and uid each; descriptors are made. */
int worker_init(struct rig *rig, struct worker *w);
void worker_fill_request(struct rig *rig, const struct worker *w,
			 struct spawner_request *ret_request);
/* Sends SPAWN with the worker's own descriptors; it is answered later. */
int worker_request(struct rig *rig, struct worker *w, const char *program, const char *profile);
/* Sends SPAWN of a program of the build; *ret_reply is SPAWNED, and w->pid and pidfd are set. */
int worker_spawn(struct rig *rig, struct worker *w, const char *program, const char *profile,
		 struct spawner_reply *ret_reply);
/* Waits for a report; sealed or not, the setup socket's end comes after it. */
int worker_wait_report(struct worker *w, struct confine_report *ret_report);
int worker_connect(struct worker *w);
int worker_order(struct worker *w, const struct order *order, struct answer *ret_answer);
/* All of it: the attack child, sealed and connected. */
int worker_start(struct rig *rig, struct worker *w);
/*
 * A real backend, sealed: "memory" or "file" on a volume of RIG_VOLUME_BYTES. Not connected to. Its
 * setup is sent when it runs, so that what is to watch it can be there.
 */
int worker_start_backend(struct rig *rig, struct worker *w, const char *type);
/* What a sealed and connected one must look like. */
void worker_expect(const struct worker *w, struct gate_expectation *ret_expected);

int rig_send(struct rig *rig, const struct spawner_request *request, const int *fds, size_t n_fds);
/* The next message, with a descriptor if one came (else -EBADF). */
int rig_receive(struct rig *rig, struct spawner_reply *ret_reply, int *ret_fd);
/* Skips what else comes until it is `event` about `name` (NULL: any). */
int rig_wait_for(struct rig *rig, enum spawner_event event, const char *name,
		 struct spawner_reply *ret_reply, int *ret_fd);
int rig_ask(struct rig *rig, enum spawner_op op, const char *name, struct spawner_reply *ret_reply);
int worker_wait_end(struct worker *w);
/* Is there a cgroup of that worker? */
bool worker_has_cgroup(const struct worker *w);
bool worker_has_process(const struct worker *w);
bool process_is_gone(int pidfd, int timeout_ms);
