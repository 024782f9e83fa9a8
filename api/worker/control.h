/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: how a sealed worker gets its channel, and how a restarted supervisor finds it again.
 */
#pragma once

#include "api/worker/worker.h"

/* Accepts supervisors on CONFINE_FD_LINK, one at a time, for ever. The main thread's body. */
_Noreturn void control_serve(struct dmuser_worker *worker);

/* Answers one supervisor until it closes or breaks the rules. The socket stays the caller's. */
void control_serve_connection(struct dmuser_worker *worker, int socket);
