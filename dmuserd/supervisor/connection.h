/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client: its socket, its parser, and what is on its way to it.
 *
 *   WAITING → READING ⇄ ANSWERING → CLOSED        a call at a time, so that answers keep their order
 *                  └──→ SUBSCRIBED → CLOSED
 *
 * WAITING: for a parser. READING: its parser has the word. ANSWERING: the call is being worked on, or its
 * answer written; no parser reads, so a hang-up is looked for here. A message of the parser in any other
 * state than READING ends it and the connection.
 */
#pragma once

#include "dmuserd/supervisor/front.h"

#include <stdbool.h>

enum connection_state {
	CONNECTION_WAITING,
	CONNECTION_READING,
	CONNECTION_ANSWERING,
	CONNECTION_SUBSCRIBED,
	CONNECTION_CLOSED, /* freed as soon as nobody's call can be on the stack */
};

struct parser;

/*
 * Tells a client that is not served why, if its socket takes that at once: it is one answer to its first
 * call, which nobody has read. fd stays the caller's.
 */
void connection_turn_away(const struct front *front, int fd, const struct peer *peer,
			  const struct failure *failure);

/* fd is consumed in every case. */
int connection_new(struct front *front, int fd, const struct peer *peer);
/* Cuts the client off now; the object goes later. Twice is fine. */
void connection_close(struct connection *c);
/* Frees those that have been closed. */
void connection_free_closed(struct front *front);

const struct peer *connection_peer(const struct connection *c);
struct front *connection_front(const struct connection *c);
/* Iterates over all that are open: NULL starts and ends. Closing while iterating is allowed. */
struct connection *connection_next(struct front *front, struct connection *previous);

/*
 * Answers the call that was given to dispatch(): once for each, now or later. text is consumed; NULL, when
 * there was no memory for one, closes the connection. A oneway call's answer is not sent.
 */
void connection_answer(struct connection *c, char *text);
/* The same for the first answer of a subscription; there will be no other call. */
void connection_subscribe(struct connection *c, char *text);
/* Another call stands for the one that is under way, from here on. */
void connection_goes_on_as(struct connection *c, struct call *call);
bool connection_is_subscribed(const struct connection *c);
/* One more message to a subscriber, who is cut off when it does not read. */
void connection_tell(struct connection *c, const char *text);
