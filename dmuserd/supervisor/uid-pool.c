// SPDX-License-Identifier: Apache-2.0
/* The host uids of workers or parsers; see uid-pool.h. */
#include "dmuserd/supervisor/uid-pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct uid_pool {
	uid_t base;
	uint32_t count;
	uint32_t next; /* goes round, so that a mistake about a dead process does not hurt at once */
	bool taken[];
};

int uid_pool_new(uid_t base, uint32_t count, struct uid_pool **ret_pool)
{
	struct uid_pool *pool;

	if (count == 0)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + count * sizeof(pool->taken[0]));
	if (!pool)
		return -ENOMEM;
	pool->base = base;
	pool->count = count;
	*ret_pool = pool;
	return 0;
}

void uid_pool_free(struct uid_pool *pool)
{
	free(pool);
}

int uid_pool_take(struct uid_pool *pool, uid_t *ret_uid)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		uint32_t at = (pool->next + i) % pool->count;

		if (pool->taken[at])
			continue;
		pool->taken[at] = true;
		pool->next = (at + 1) % pool->count;
		*ret_uid = pool->base + at;
		return 0;
	}
	return -EAGAIN;
}

static bool holds(const struct uid_pool *pool, uid_t uid)
{
	return uid >= pool->base && uid - pool->base < pool->count;
}

void uid_pool_claim(struct uid_pool *pool, uid_t uid)
{
	if (holds(pool, uid))
		pool->taken[uid - pool->base] = true;
}

void uid_pool_release(struct uid_pool *pool, uid_t uid)
{
	if (holds(pool, uid))
		pool->taken[uid - pool->base] = false;
}
