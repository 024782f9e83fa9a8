/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's end of the spawner's socket: requests out, answers and deaths back.
 */
#pragma once

#include "dmuserd/messages/spawner.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <sys/types.h>

struct spawner_link;

/* What came of a SPAWN: pidfd (consumed by the callback; -EBADF on error). Called once for each,
 * with error -ETIMEDOUT after the deadline, -ECONNRESET when the spawner is gone, -EPROTONOSUPPORT
 * when it has said that it is of another version. Likewise, at once, -ENOTCONN or -EPROTONOSUPPORT
 * of whatever is asked for. */
typedef void (*spawner_spawned_fn)(void *userdata, int error, enum confine_step step, pid_t pid,
				   int pidfd);
/* A child has ended; status as of waitpid(). Also for those that a LIST found dead. */
typedef void (*spawner_exited_fn)(void *userdata, int status);

/* One child as LIST tells it. pidfd is consumed by the callback; -EBADF if it is dead. */
typedef void (*spawner_child_fn)(void *userdata, const struct spawner_reply *child, int pidfd);
typedef void (*spawner_listed_fn)(void *userdata, int error);

/* To <run_dir>/spawner.sock. Blocks, so at start only; -ECONNREFUSED or -ENOENT: none runs. */
int spawner_link_new(sd_event *event, const char *path, struct spawner_link **ret_link);
void spawner_link_free(struct spawner_link *link);

/*
 * fds: as SPAWNER_FD_… orders them; they stay the caller's. `exited` is called when the child
 * ends, until spawner_forget(). 0, or a negative errno with neither callback called.
 */
int spawner_spawn(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		  size_t n_fds, uint64_t deadline_usec, spawner_spawned_fn spawned,
		  spawner_exited_fn exited, void *userdata);
int spawner_list(struct spawner_link *link, spawner_child_fn child, spawner_listed_fn listed,
		 void *userdata);
/* Takes over a child that LIST found. */
int spawner_watch(struct spawner_link *link, const char *name, spawner_exited_fn exited,
		  void *userdata);
/* Somebody will watch this one that LIST found alive: no new connection ends it as nobody's. */
int spawner_hold(struct spawner_link *link, const char *name);
int spawner_kill(struct spawner_link *link, const char *name);
/* No more callbacks for this child; its entry is dropped once it is dead. */
int spawner_forget(struct spawner_link *link, const char *name);

/* What it comes down to for whoever wants something started, and what to do. */
#define SPAWNER_MISSING "there is no spawner: start dmuser-spawner, or restart dmuserd, which does"
#define SPAWNER_FOREIGN                                                                      \
	"the spawner does not answer as one of dmuserd's version: when no volume is in use, " \
	"restart dmuser-workers and dmuserd"

/* The error of a start, for a person. */
static inline const char *spawner_describe_error(int error)
{
	if (error == -EPROTONOSUPPORT)
		return SPAWNER_FOREIGN;
	return error == -ENOTCONN || error == -ECONNRESET ? SPAWNER_MISSING : strerror(-error);
}

/* There is none to ask: the next start fails as well. */
static inline bool spawner_is_gone(int error)
{
	return error == -ENOTCONN || error == -ECONNRESET || error == -EPROTONOSUPPORT;
}

/* What a SPAWN was answered with, when the child may be there all the same: its uid is not free. */
static inline bool spawner_is_unsure(int error)
{
	return error == -ETIMEDOUT || error == -ECONNRESET || error == -EPROTONOSUPPORT;
}
