// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics. Each channel counts what is answered on it, under the lock that an answer takes
 * anyway, so counting costs no shared cache line and no atomic operation. Who asks adds the
 * channels up. What the module itself fails is counted at the target: that is rare.
 */
#include "stats.h"

#include <linux/device-mapper.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "channel.h"
#include "request.h"
#include "target.h"

/* WRITE_SAME has no name: no kernel that this is built for has it. */
static const char *const dmu_stats_names[DMU_STATS_OPERATIONS] = {
	[DM_USER_REQ_MAP_READ] = "read",
	[DM_USER_REQ_MAP_WRITE] = "write",
	[DM_USER_REQ_MAP_FLUSH] = "flush",
	[DM_USER_REQ_MAP_DISCARD] = "discard",
	[DM_USER_REQ_MAP_SECURE_ERASE] = "secure_erase",
	[DM_USER_REQ_MAP_WRITE_ZEROES] = "write_zeroes",
};

/**
 * dmu_stats_answered - count an answer
 * @s:		the channel's, its lock held
 * @req:	answered, its bio not ended
 * @success:	what the answer says
 */
void dmu_stats_answered(struct dmu_stats *s, struct dmu_request *req, bool success)
{
	struct bio *bio = dmu_request_bio(req);
	struct dmu_stat *stat = &s->operations[dmu_request_type(bio)];
	u64 ns = ktime_get_ns() - req->mapped_ns;

	stat->answered++;
	stat->bytes += bio->bi_iter.bi_size;
	stat->errors += !success;
	stat->ns += ns;
	stat->buckets[min(ilog2(ns | 1), DMU_STATS_BUCKETS - 1)]++;
}

/* The module fails a request: unanswered, or a FLUSH that is doomed (flush.c). Takes no lock. */
void dmu_stats_failed(struct dmu_target *t, struct dmu_request *req)
{
	atomic64_inc(&t->failed[dmu_request_type(dmu_request_bio(req))]);
}

static void dmu_stat_fold(struct dmu_stat *into, const struct dmu_stat *from)
{
	unsigned int i;

	into->answered += from->answered;
	into->bytes += from->bytes;
	into->errors += from->errors;
	into->ns += from->ns;
	for (i = 0; i < DMU_STATS_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

/* A channel is released: what it counted stays with its target. */
void dmu_stats_fold(struct dmu_stats *into, const struct dmu_stats *from)
{
	unsigned int i;

	for (i = 0; i < DMU_STATS_OPERATIONS; i++)
		dmu_stat_fold(&into->operations[i], &from->operations[i]);
}

/* All counters become 0, those of `dmsetup status` excepted. */
void dmu_stats_reset(struct dmu_target *t)
{
	struct dmu_channel *c;
	unsigned int i;

	spin_lock(&t->lock);
	memset(&t->stats, 0, sizeof(t->stats));
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		memset(&c->stats, 0, sizeof(c->stats));
		spin_unlock(&c->lock);
	}
	for (i = 0; i < DMU_STATS_OPERATIONS; i++)
		atomic64_set(&t->failed[i], 0);
	spin_unlock(&t->lock);
}

/* One operation, of all channels together. */
static void dmu_stats_sum(struct dmu_target *t, unsigned int operation, struct dmu_stat *ret_sum)
{
	struct dmu_channel *c;

	spin_lock(&t->lock);
	*ret_sum = t->stats.operations[operation];
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		dmu_stat_fold(ret_sum, &c->stats.operations[operation]);
		spin_unlock(&c->lock);
	}
	spin_unlock(&t->lock);
}

/**
 * dmu_stats_show - the answer to the message `stats`
 * @t:		the target
 * @result:	as device-mapper gives it
 * @maxlen:	likewise; what does not fit is cut off, and device-mapper asks again with more room
 *
 * A line for each operation: NAME ANSWERED BYTES ERRORS FAILED NS [I:N]..., all but the name
 * numbers; what is added later gets lines of its own, at the end. FAILED is how many the module had
 * end with EIO: without an answer, or, a FLUSH, against it. The rest is as in struct dmu_stat, I:N
 * for each bucket that is not 0.
 *
 * Returns how long the result is.
 */
unsigned int dmu_stats_show(struct dmu_target *t, char *result, unsigned int maxlen)
{
	unsigned int sz = 0, operation, i;
	struct dmu_stat sum;

	for (operation = 0; operation < DMU_STATS_OPERATIONS; operation++) {
		if (!dmu_stats_names[operation])
			continue;
		dmu_stats_sum(t, operation, &sum);
		DMEMIT("%s %llu %llu %llu %llu %llu", dmu_stats_names[operation], sum.answered,
		       sum.bytes, sum.errors, (u64)atomic64_read(&t->failed[operation]), sum.ns);
		for (i = 0; i < DMU_STATS_BUCKETS; i++) {
			if (sum.buckets[i])
				DMEMIT(" %u:%llu", i, sum.buckets[i]);
		}
		DMEMIT("\n");
	}
	return sz;
}
