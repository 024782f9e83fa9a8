/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request threads: each reads one whole request, has the backend execute it, and answers.
 */
#pragma once

#include "api/worker/worker.h"

/*
 * Starts the backend's request threads, which wait for a channel, then the backend's own. Returns once
 * all have started, for what libc does at a thread's start is not allowed after the seal.
 * 0 or a negative errno.
 */
int serve_start_threads(struct dmuser_worker *worker);

/* Gives the threads their channel, which becomes the worker's. Once. */
void serve_attach(struct dmuser_worker *worker, int channel_fd);

/* Lets what was read be answered, and ends the process well. */
_Noreturn void serve_stop(struct dmuser_worker *worker);
