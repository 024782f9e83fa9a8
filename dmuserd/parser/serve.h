/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser's life: one assignment, then messages until the client or the supervisor is done.
 */
#pragma once

#include "dmuserd/parser/inbox.h"
#include "dmuserd/parser/text.h"

/* All that a parser holds; over a megabyte, so that nobody puts it on a stack. */
struct server {
	int link;   /* to the supervisor, SOCK_SEQPACKET; the caller's */
	int client; /* or the manifest's file; the server's own */
	int deadline_ms; /* for a message to be whole, from its first byte */
	struct inbox inbox;
	struct text text;
	struct parser_message message;
};

/*
 * Serves what the supervisor assigns on server->link, with server->deadline_ms set and all else
 * zero. 0 when it has come to its end: the supervisor has closed, or the manifest is delivered;
 * negative errno when the supervisor sent what it may not, or a system call failed. Blocks for as
 * long as that takes.
 */
int serve(struct server *server);
