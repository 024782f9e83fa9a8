/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What flushes promise: whether data that was answered may be gone, and who must be told.
 */
#ifndef DMU_FLUSH_H
#define DMU_FLUSH_H

#include <linux/blk_types.h>
#include <linux/types.h>

struct dmu_channel;
struct dmu_request;
struct dmu_target;

/**
 * struct dmu_flush - a target's account of its flushes; target->lock
 * @unflushed:		a FLUSH failed, and none that went out later succeeded: no FUA is taken
 * @unflushed_seq:	target->next_seq when it failed
 * @nr_mapped:		FLUSHes so far; a FLUSH's own number is the value with it
 * @flushed:		the highest number of a FLUSH that succeeded: what was answered before that
 *			one was mapped is durable
 * @lost:		0, or answered writes went with their worker, and only the failure of a
 *			FLUSH of this number or a higher one tells their submitters
 * @doomed:		the highest number of a FLUSH that was mapped before a loss: it must fail
 */
struct dmu_flush {
	bool unflushed;
	u64 unflushed_seq;
	u64 nr_mapped;
	u64 flushed;
	u64 lost;
	u64 doomed;
};

bool dmu_flush_refuses(struct dmu_target *t, struct dmu_request *req);
blk_status_t dmu_flush_end(struct dmu_target *t, struct dmu_request *req, blk_status_t status);
void dmu_flush_lose(struct dmu_target *t, struct dmu_channel *c);

#endif /* DMU_FLUSH_H */
