/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics: what was answered, and how long it took, by operation. All count from the load of the
 * target's table, or from the last `reset_stats`; a reload makes a new target, which begins at 0.
 */
#ifndef DMU_STATS_H
#define DMU_STATS_H

#include <linux/blk_types.h>
#include <linux/types.h>

#include <linux/dm-user.h>

struct dmu_channel;
struct dmu_request;
struct dmu_target;

/* By the ABI's number of the operation; zones are never asked for. */
#define DMU_STATS_OPERATIONS	(DM_USER_REQ_MAP_WRITE_ZEROES + 1)

/* Powers of two of a nanosecond. The last takes all that is longer: nine minutes. */
#define DMU_STATS_BUCKETS	40

/**
 * struct dmu_stat - of one operation
 * @answered:	requests that a worker answered
 * @bytes:	that those were about
 * @errors:	of those, the ones that it answered with something else than SUCCESS
 * @ns:		sum of their times, from mapping to the answer's last byte
 * @buckets:	how many took from 2^i to 2^(i+1) - 1 ns; the first also those of 0
 */
struct dmu_stat {
	u64 answered;
	u64 bytes;
	u64 errors;
	u64 ns;
	u64 buckets[DMU_STATS_BUCKETS];
};

struct dmu_stats {
	struct dmu_stat operations[DMU_STATS_OPERATIONS];
};

void dmu_stats_answered(struct dmu_stats *s, struct dmu_request *req, bool success);
void dmu_stats_failed(struct dmu_target *t, struct dmu_request *req);
void dmu_stats_fold(struct dmu_stats *into, const struct dmu_stats *from);
void dmu_stats_reset(struct dmu_target *t);
unsigned int dmu_stats_show(struct dmu_target *t, char *result, unsigned int maxlen);

#endif /* DMU_STATS_H */
