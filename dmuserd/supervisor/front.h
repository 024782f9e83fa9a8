/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket and all that hangs on it: clients, the calls that are under way, leases.
 *
 * main.c makes it and connection.c, dispatch.c and lease.c keep their lists in it; nobody else looks in.
 */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/policy.h"

struct call;       /* dispatch.c */
struct connection; /* connection.c */
struct lease;      /* lease.c */

struct front {
	struct manager *m;
	int listener;
	gid_t group; /* that may connect; (gid_t)-1: root alone */
	uint64_t patience_usec;       /* for a client to read what it was sent */
	uint64_t queue_patience_usec; /* for a client's turn to get a parser to come */
	sd_event_source *accept_io;
	sd_event_source *accept_pause; /* enabled while there is no descriptor for a new client */
	sd_event_source *second_try;   /* for leases whose volume could not be released at once */
	sd_event_source *burial;       /* frees closed connections, outside of everybody's calls */
	struct connection *connections;
	struct connection *closed;
	uint32_t n_connections;
	struct call *calls;
	struct lease *leases;
};

/*
 * Begins to accept on a listening, non-blocking SOCK_STREAM socket, which stays the caller's. Needs
 * everything else in *m. Releases what an earlier supervisor's clients have left behind on lease.
 */
int front_new(struct manager *m, int listener, gid_t group, struct front **ret_front);
/* Clients are cut off. What they had on lease stays for the next supervisor to release. */
void front_free(struct front *front);

/* A connection has been put on the list of closed ones. */
void front_bury(struct front *front);
