/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel: one open of a target's node. Requests go out on it, and their answers come back on it.
 */
#ifndef DMU_CHANNEL_H
#define DMU_CHANNEL_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/spinlock.h>

#include "stats.h"
#include "stream.h"

struct dmu_orphans;
struct dmu_request;
struct dmu_target;

/* How a channel has ended; see roster.c. Several may be true. */
#define DMU_BROKEN	0x1
#define DMU_FENCED	0x2
#define DMU_GONE	0x4

/**
 * struct dmu_channel - one open of a target's node
 * @target:	constant; the open file holds it
 * @number:	how many channels of the target were opened before; constant
 * @generation:	target->generation when it was opened; constant
 * @link:	in target->channels; target->lock
 * @index_mask:	@index has one chain more; constant
 * @sleepers:	threads that sleep in read() on this channel; atomic
 * @batch:	it carries whole messages; set once, with both streams' mutexes held
 * @out:	requests, to the worker
 * @in:		answers, from the worker
 *
 * @lock:	protects what follows
 * @ends:	DMU_BROKEN and the like, or 0 while it is live; also changed with target->lock held
 *		only, so either lock keeps it
 * @full:	it holds as many requests as it may, and is counted in target->nr_full
 * @nr_outstanding: requests that were delivered to it and not answered: what @answerable holds,
 *		@out.req, @in.req
 * @written:	0, or the lowest number of a FLUSH that covers the write that was last answered
 * @answerable:	of those, the ones that were read to the end and whose answer has not begun, in
 *		the order of delivery
 * @index:	the same requests, by seq
 * @stats:	of what was answered on it
 */
struct dmu_channel {
	struct dmu_target *target;
	u64 number;
	u64 generation;
	struct list_head link;
	unsigned int index_mask;
	bool batch;
	atomic_t sleepers;
	struct dmu_stream out;
	struct dmu_stream in;

	spinlock_t lock;
	u8 ends;
	bool full;
	unsigned int nr_outstanding;
	u64 written;
	struct list_head answerable;
	struct hlist_head *index;
	struct dmu_stats stats;
};

extern const struct file_operations dmu_channel_fops;

int dmu_channel_end_error(u8 ends);
int dmu_channel_claim(struct dmu_channel *c, struct dmu_stream *s);
void dmu_channel_unclaim_ended(struct dmu_channel *c, struct dmu_stream *s, struct dmu_orphans *o);
void dmu_channel_taken(struct dmu_channel *c);
bool dmu_channel_dropped(struct dmu_channel *c);
void dmu_channel_answerable(struct dmu_channel *c, struct dmu_request *req);
struct dmu_request *dmu_channel_find(struct dmu_channel *c, u64 seq);
void dmu_channel_take(struct dmu_channel *c, struct dmu_request *req);
void dmu_channel_orphan(struct dmu_channel *c, struct dmu_request *req, struct dmu_orphans *o);
void dmu_channel_orphan_stream(struct dmu_channel *c, struct dmu_stream *s, enum dmu_fate fate,
			       struct dmu_orphans *o);
void dmu_channel_collect(struct dmu_channel *c, enum dmu_fate fate, struct dmu_orphans *o);

/* Why the channel carries nothing any more, or 0. Without c->lock the answer is only a hint. */
static __always_inline int dmu_channel_error(struct dmu_channel *c)
{
	u8 ends = READ_ONCE(c->ends);

	return likely(!ends) ? 0 : dmu_channel_end_error(ends);
}

/**
 * dmu_channel_unclaim - end of a copy
 * @c:	the channel, its lock held
 * @s:	one of its streams, claimed by the caller
 * @o:	gets the request, if somebody wanted it meanwhile
 *
 * Returns whether the stream may go on with its request.
 */
static inline bool dmu_channel_unclaim(struct dmu_channel *c, struct dmu_stream *s,
				       struct dmu_orphans *o)
{
	lockdep_assert_held(&c->lock);

	s->claimed = false;
	if (likely(!c->ends))
		return true;
	dmu_channel_unclaim_ended(c, s, o);
	return false;
}

long dmu_channel_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
ssize_t dmu_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t dmu_write_iter(struct kiocb *iocb, struct iov_iter *from);

#endif /* DMU_CHANNEL_H */
