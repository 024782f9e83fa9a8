/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host uids that workers run as, or parsers, one each.
 *
 * Two processes of one uid could signal and trace one another, so a uid is given back only when every
 * process of it is known to be dead. Makes no system call.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct uid_pool;

int uid_pool_new(uid_t base, uint32_t count, struct uid_pool **ret_pool);
void uid_pool_free(struct uid_pool *pool);
static inline void uid_pool_freep(struct uid_pool **pool)
{
	uid_pool_free(*pool);
}

/* 0, or -EAGAIN when all are taken. What was given back just now is not what is taken next. */
int uid_pool_take(struct uid_pool *pool, uid_t *ret_uid);

/*
 * Takes one that a process of an earlier supervisor's runs as. Those outside the pool need no claim.
 */
void uid_pool_claim(struct uid_pool *pool, uid_t uid);

/* Gives back. */
void uid_pool_release(struct uid_pool *pool, uid_t uid);
