// SPDX-License-Identifier: Apache-2.0
/* Who may do what; see policy.h. Makes no system call. */
#include "dmuserd/supervisor/policy.h"

#include <errno.h>

/* This part of all connections is root's alone: an administrator gets through when others crowd in. */
#define ROOT_SHARE 16

int policy_serves(const struct peer *peer, struct failure *failure)
{
	if (peer->uid == 0 || peer->in_group)
		return 0;
	return failure_set(failure, FAILURE_PERMISSION_DENIED, NULL,
			   "uid %u is neither root nor in the group that dmuserd serves",
			   (unsigned int)peer->uid);
}

#define OF_ONE " of one uid"
#define LIMIT(key) #key, s->key

/* whose: "", " of one uid", or who else. setting, limit: as LIMIT() gives them. */
static int exceeded(struct failure *failure, const char *resource, const char *whose,
		    const char *setting, uint64_t limit)
{
	int r = failure_set(failure, FAILURE_QUOTA_EXCEEDED, resource,
			    "at most %llu %s%s (%s in dmuserd.conf)", (unsigned long long)limit,
			    resource, whose, setting);

	failure->limit = limit;
	failure->setting = setting;
	return r;
}

int policy_connect(const struct settings *s, const struct peer *peer,
		   const struct connection_usage *usage, struct failure *failure)
{
	uint32_t max = s->connections_max;
	const char *whose = "";

	if (peer->uid != 0) {
		max -= (max + ROOT_SHARE - 1) / ROOT_SHARE;
		whose = " of others than root, for whom a sixteenth is kept";
		if (usage->of_uid >= s->connections_per_uid_max)
			return exceeded(failure, "connections", OF_ONE, LIMIT(connections_per_uid_max));
	}
	return usage->all >= max ? exceeded(failure, "connections", whose, "connections_max", max) : 0;
}

int policy_owner(const struct peer *peer, uint64_t owner, uid_t *ret_owner)
{
	if (owner != PARSER_UNSET && !policy_sees(peer, (uid_t)owner))
		return -ENOENT;
	*ret_owner = owner == PARSER_UNSET ? peer->uid : (uid_t)owner;
	return 0;
}

bool policy_sees(const struct peer *peer, uid_t owner)
{
	return peer->uid == 0 || peer->uid == owner;
}

int policy_create(const struct settings *s, const struct peer *peer, const struct volume_usage *usage,
		  uint64_t memory_bytes, struct failure *failure)
{
	uint64_t bytes_max = s->volume_bytes_per_uid_max;

	if (usage->all >= s->volumes_max)
		return exceeded(failure, "volumes", "", LIMIT(volumes_max));
	if (peer->uid == 0)
		return 0;
	if (usage->of_uid >= s->volumes_per_uid_max)
		return exceeded(failure, "volumes", OF_ONE, LIMIT(volumes_per_uid_max));
	if (usage->bytes_of_uid > bytes_max || memory_bytes > bytes_max - usage->bytes_of_uid)
		return exceeded(failure, "bytes", OF_ONE, LIMIT(volume_bytes_per_uid_max));
	return 0;
}
