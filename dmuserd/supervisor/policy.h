/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: pure decisions about a peer, its limits and its volumes.
 *
 * root may do all. A member of the socket's group may do what it likes with its own volumes, within its
 * limits. Whatever belongs to somebody else does not exist, as far as it can tell.
 */
#pragma once

#include "dmuserd/supervisor/settings.h"
#include "dmuserd/supervisor/volume.h"

#include <stdbool.h>

/* The other end of a client's connection, as the kernel names it. */
struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool in_group; /* of settings.socket_group, by gid or by a supplementary group */
};

/* What is in use when something more is asked for. */
struct connection_usage {
	uint32_t all, of_uid;
};
struct volume_usage {
	uint32_t all, of_uid;
	uint64_t bytes_of_uid; /* of backings that are memory */
};

/* The socket's mode lets nobody else in; this holds should that ever be wrong. */
int policy_serves(const struct peer *peer, struct failure *failure);

/* 0, or -EDQUOT with *failure. Other uids together leave some connections to root. */
int policy_connect(const struct settings *s, const struct peer *peer,
		   const struct connection_usage *usage, struct failure *failure);

/* Whose volume is meant by `owner`, a uid or PARSER_UNSET. 0, or -ENOENT: nothing to be seen there. */
int policy_owner(const struct peer *peer, uint64_t owner, uid_t *ret_owner);

bool policy_sees(const struct peer *peer, uid_t owner);

/* One volume more, of `memory_bytes` if its backing is memory. 0, or -EDQUOT with *failure. */
int policy_create(const struct settings *s, const struct peer *peer, const struct volume_usage *usage,
		  uint64_t memory_bytes, struct failure *failure);
