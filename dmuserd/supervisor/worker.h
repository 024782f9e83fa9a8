/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker process, from the sockets made for it to its death: what the supervisor says to it and hears.
 *
 * It is started by the spawner, in steps that each end in one call of `done`. What it says is believed of
 * nothing but its own volume: sizes, versions and order are checked, its identity comes from the
 * kernel, and a worker that says what was not asked is killed. Its death is heard from the spawner, which
 * knows the status, and from its pidfd, which cannot lie or be lost.
 */
#pragma once

#include "dmuserd/messages/spawner.h"
#include "dmuserd/messages/worker.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/manager.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct worker;

struct worker_handlers {
	/* A step has ended. error: 0, -ETIMEDOUT, or another negative errno; detail: for a person, never NULL. */
	void (*done)(void *userdata, int error, const char *detail);
	/* The process has ended, however; once. status: as of waitpid(), or -1 if nobody knows. After it
	 * no `done` comes, also for a step under way. */
	void (*ended)(void *userdata, int status);
	void *userdata;
};

int worker_new(struct manager *m, const char *uuid, uint64_t generation,
	       const struct worker_handlers *handlers, struct worker **ret_worker);
/* Ends nothing of the process. Its sockets are closed; no handler is called any more. */
void worker_free(struct worker *w);

/* Binds its control socket and puts `setup` where it will read it. Sync; no `done`. */
int worker_prepare(struct worker *w, const struct worker_setup *setup);

/*
 * The steps. Each starts, returns 0, and ends in `done`; or returns a negative errno. One at a time.
 * deadline_usec: CLOCK_MONOTONIC. *ret_unopened, always written: the backend's file that could not
 * be opened, or NULL.
 */
int worker_spawn(struct worker *w, const struct backend *backend, struct spawner_request *request,
		 const int *resources, uint64_t deadline_usec, const char **ret_unopened);
int worker_await_seal(struct worker *w, uint64_t deadline_usec);
/* Connects, and hears HELLO. attached: whether it must serve a channel already, or must not. */
int worker_connect(struct worker *w, bool attached, uint64_t deadline_usec);
/* The channel stays the caller's, to be closed when `done` is called. */
int worker_give_channel(struct worker *w, int channel, uint64_t deadline_usec);
/* What it was started with; read it by worker_take_resources() once `done` said 0. */
int worker_ask_resources(struct worker *w, uint64_t deadline_usec);
/* Moves up to n descriptors to the caller; returns how many. */
size_t worker_take_resources(struct worker *w, int *ret_fds, size_t n);

/* No `done` any more for the step under way; not for a spawn, whose child must be known. */
void worker_cancel_step(struct worker *w);

/* Takes over one that the spawner's LIST named. Consumes pidfd in every case. group: as it was spawned in. */
int worker_adopt(struct worker *w, pid_t pid, int pidfd, uid_t uid, const char *group);

/* What of a worker's limits depends on its volume. */
struct worker_limits {
	uint64_t file_max_bytes;    /* no file of it grows beyond that */
	uint64_t memlock_max_bytes; /* as asked of the spawner; UINT64_MAX: nobody knows any more */
	bool oom_score_known;
	int oom_score;
};

/*
 * Is it confined? Looks once, now, and drops the supervisor's copy of the bound control socket. channel: an
 * O_PATH descriptor of the node that it must hold, or -EBADF: it must hold none.
 * 0; 1 when it is not confined, or nobody could look, with words in ret_detail.
 */
int worker_check(struct worker *w, const struct worker_limits *limits, int channel,
		 const int *resources, size_t n_resources, size_t detail_size, char *ret_detail);

/* Asks it to finish and exit. -ENOTCONN if it cannot be asked. */
int worker_stop(struct worker *w);
/* By the spawner: the supervisor itself may not. Whether it worked, `ended` tells. */
void worker_kill(struct worker *w);

/* Removes its control socket's name, and has the spawner forget it. Only when it has ended, or never was. */
void worker_forget(struct worker *w);

pid_t worker_pid(const struct worker *w); /* 0: not started */
bool worker_is_alive(const struct worker *w);
/* A SPAWN was sent and nothing came back: a process of it may exist that nobody can name. */
bool worker_is_uncertain(const struct worker *w);

/* Once it has ended: the step that it reported as failed, with the error; or empty. */
const char *worker_last_words(const struct worker *w);

/* "was killed by SIGSYS: …": what a status means, after "the worker". */
void worker_describe_status(int status, size_t size, char *ret_text);
