/* SPDX-License-Identifier: Apache-2.0 */
/* What volumes use up of what policy.h limits. */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/policy.h"
#include "dmuserd/supervisor/volume.h"

/* Bytes of this machine's memory that a volume may come to fill; 0 if its bytes lie elsewhere. */
uint64_t usage_memory(const struct volume_spec *spec);

/* What limits a volume in memory here, whatever its backend serves. */
struct memory_limit {
	uint64_t max_bytes; /* whole blocks; as many as there can be, if no limit is known */
	const char *words;  /* before a number of bytes: what allows or has no more */
	bool is_set;	    /* in dmuserd.conf; else it is the machine's memory */
};
struct memory_limit usage_memory_limit(const struct settings *s, uint32_t block_size);

/* Of all volumes, and of one owner's. */
struct volume_usage usage_of(struct manager *m, uid_t uid);
