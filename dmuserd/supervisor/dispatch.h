/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked request to what is done about it: method, policy, volume, answer.
 */
#pragma once

#include "dmuserd/supervisor/connection.h"

/*
 * Carries out one request. Takes what it needs of fds[] (leaving -EBADF there).
 *
 * 0: answered, by connection_answer() or connection_subscribe(). 1: it is under way, and will be answered
 * once from the loop; *ret_call stands for it until then. Or a negative errno, and no answer.
 */
int dispatch(struct connection *c, const struct parser_message *message, int *fds,
	     struct call **ret_call);

/* The client of a call under way is gone. What was begun goes on, but for what was only for that client. */
void dispatch_abandon(struct call *call);

/* Forgets all calls under way. */
void dispatch_forget_all(struct front *front);

/* Tells the subscribers who may know of the volume. */
void dispatch_volume_event(struct front *front, const struct volume *volume);
