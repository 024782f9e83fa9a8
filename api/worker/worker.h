/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's own state: the one volume that this process serves, and everything preallocated for it.
 *
 * Filled in by run.c (confined) or plain.c (by hand) before any thread starts, and constant from then
 * on, but for what says by which lock it is protected.
 */
#pragma once

#include "api/dmuser-worker.h"
#include "api/worker/channel.h"
#include "dmuserd/messages/worker.h"

#include <pthread.h>

struct dmuser_worker {
	const struct dmuser_worker_ops *ops;
	void *volume;              /* the backend's, from its prepare() */
	struct worker_setup setup; /* options, sizes, names */
	int resources[DMUSER_RESOURCES_MAX];
	bool confined;
	bool option_used[WORKER_OPTIONS_MAX]; /* prepare() asked for it */
	bool reserves_memory;                 /* prepare() asked for it */
	char refusal[100];                    /* why prepare() failed */

	struct channel channel;

	/* Protects what follows. The innermost lock; nothing blocks under it. */
	pthread_mutex_t lock;
	/* Any of the following has changed. */
	pthread_cond_t changed;
	struct dmuser_request *unused; /* a list of those that hold no request of the kernel */
	unsigned int n_running;        /* threads that have reached their loop */
	unsigned int n_in_flight;      /* read from the channel and not yet answered */
	bool attached;                 /* there is a channel to read from */
	bool ending;                   /* begin nothing new */
};

/* Calls prepare(). 0, or a negative errno with worker->refusal written. */
int worker_prepare(struct dmuser_worker *worker);

/* Ends the process for a reason that makes further service impossible. Any thread. */
_Noreturn void worker_die(const struct dmuser_worker *worker, enum dmuser_exit status, int error);
