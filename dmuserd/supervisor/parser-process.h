/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser's process: what the spawner is asked for, and what the gate must find.
 *
 * Keeps nothing; who is which, and how it ends, is parser-pool.c's.
 */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/spawner-link.h"

/* A pair of SOCK_SEQPACKET sockets, of which ours alone does not block. */
int parser_process_pair(int *ret_ours, int *ret_its);

/* Asks the spawner, as spawner_spawn() does; the descriptors stay the caller's. */
int parser_process_request(struct manager *m, const char *name, uid_t uid, int its_link, int its_setup,
			   uint64_t deadline_usec, spawner_spawned_fn spawned,
			   spawner_exited_fn exited, void *userdata);

struct parser_process {
	const char *name;
	uid_t uid;
	pid_t pid;
	int pidfd;
	int its_link; /* the supervisor's copy of its end */
};

/* 0: it is confined, as seen from outside. Otherwise a negative errno, and the log says why. */
int parser_process_check(const struct parser_process *process);
