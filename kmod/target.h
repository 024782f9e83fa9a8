/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target: the queue of requests that no worker has read yet, and the channels that may read them.
 *
 * Theory of operation
 * -------------------
 * device-mapper calls map() with a bio; it becomes a request at the queue's end. A worker's read()
 * takes the first request into its channel (read.c), copies it out, and leaves it outstanding in
 * the channel. A worker's write() finds the request by its seq, copies the payload in, and ends it
 * (write.c). What a channel has when it ends (roster.c) fails or goes back to the queue's front, as
 * the table says (options.h); what is in the queue waits for another channel. How long anything
 * waits, clock.c says; what a flush may promise, flush.c.
 *
 * Lock order, outer to inner:
 *   out stream->mutex  >  in stream->mutex  >  target->lock  >  channel->lock
 * dmu_node_lock nests in nothing of ours and nothing of ours in it. The wait queue's own lock nests
 * in nothing of ours, and none is taken in it. The work queue's and its timer's are taken under
 * target->lock.
 *
 * Both spinlocks are taken in process context only, so that what a timer's interrupt does
 * (moderation.c) may take neither: device-mapper maps there, and everything else is a system call,
 * a device-mapper operation or a work. They are held for a few list operations, but when a worker
 * has died or a clock looks; no copy, no allocation, no channel's wake-up and no bio_endio()
 * happens under them. A bio that is being mapped takes target->lock once and no other lock, and so
 * waits for nobody's copying.
 *
 * Life: dm's constructor creates the target, with its node. The destructor removes the node, marks
 * the target gone and wakes everybody. Open files hold the cdev, which holds the device, in which
 * the target is embedded: memory goes with the last of them.
 */
#ifndef DMU_TARGET_H
#define DMU_TARGET_H

#include <linux/blk_types.h>
#include <linux/cache.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "clock.h"
#include "flush.h"
#include "moderation.h"
#include "options.h"
#include "request.h"
#include "stats.h"

struct dm_target;
struct dmu_channel;
struct target_type;

/**
 * struct dmu_target - one target of a table
 *
 * In the order of who writes what, because every CPU that submits and every CPU that serves comes
 * by here with each request. What never changes once bios come is together, and first: all CPUs
 * keep it. Then what a request writes, all of it under @lock and so in its lines: who gets the lock
 * gets the rest with it. Sleepers and pollers write @wq under its own lock, while others hold
 * @lock: lines of its own, with what is asked before a wake-up. What is rare is last, and keeps the
 * device's reference count, which opens write, off the lines above.
 *
 * @ti:		the same, as dm knows it; constant, valid until the destructor returns
 * @begin:	the target's first sector on its device; constant
 * @sectors:	its length; constant
 * @options:	the table line's; constant
 *
 * @lock:	protects what follows, to @stats
 * @nr_queued:	number of requests in @queue; also read without the lock, as a hint
 * @queue:	requests that wait for a channel: repeats in the order of their seqs, then those
 *		that have not gone out yet, in theirs
 * @next_seq:	the next first delivery's
 * @held_from:	while @nr_broken: channels from this number on are held (see roster.c)
 * @nr_broken:	channels that are broken, and neither fenced nor released yet
 * @nr_live:	channels that have not ended
 * @nr_serving:	of those, the ones that are not held
 * @failing:	`fail` was said, and `unfail` not since: no bio is taken
 * @gone:	the destructor has run; set once
 * @flush:	see flush.h
 * @clock:	see clock.h; some of it is constant
 * @channels:	every open channel
 * @nr_channels: their number
 * @nr_opens:	channels opened so far; a channel's own number is the value before it
 * @generation:	times that the channels were fenced
 * @nr_repeated: requests that were queued again
 * @nr_timed_out: times that a request's clock was over
 * @stats:	of the channels that are released
 *
 * @wq:		readers (exclusive) and pollers (mostly not) of all channels; has its own lock
 * @nr_full:	channels that hold max_outstanding requests; atomic
 * @moderation:	see moderation.h
 *
 * @errors:	requests that ended with EIO; atomic
 * @failed:	of those, by operation, the ones that the module failed itself; atomic
 * @event:	tells device-mapper that the status wants to be looked at
 * @dev:	owns this memory; its name is the table's NAME
 * @cdev:	what opening the node finds
 * @minor:	constant while the node exists
 * @name_link:	in the table of live names; dmu_node_lock
 */
struct dmu_target {
	struct dm_target *ti;
	sector_t begin;
	sector_t sectors;
	struct dmu_options options;

	spinlock_t lock ____cacheline_aligned_in_smp;
	unsigned int nr_queued;
	struct list_head queue;
	u64 next_seq;
	u64 held_from;
	unsigned int nr_broken;
	unsigned int nr_live;
	unsigned int nr_serving;
	bool failing;
	bool gone;
	struct dmu_flush flush;
	struct dmu_clock clock;
	struct list_head channels;
	unsigned int nr_channels;
	u64 nr_opens;
	u64 generation;
	u64 nr_repeated;
	u64 nr_timed_out;
	struct dmu_stats stats;

	wait_queue_head_t wq ____cacheline_aligned_in_smp;
	atomic_t nr_full;
	struct dmu_moderation moderation;

	atomic64_t errors ____cacheline_aligned_in_smp;
	atomic64_t failed[DMU_STATS_OPERATIONS];
	struct work_struct event;
	struct device dev;
	struct cdev cdev;
	int minor;
	struct hlist_node name_link;
};

/**
 * struct dmu_counts - what `dmsetup status` tells of a target
 * @queued:		requests that wait for a channel to take them
 * @outstanding:	requests that were delivered to a channel and not answered
 * @channels:		open channels
 * @generation:		times that they were fenced
 * @errors:		requests that ended with EIO so far
 * @failing:		between `fail` and `unfail`
 * @broken:		channels that are broken, and neither fenced nor released yet
 * @deserted:		the attach time-out is over
 * @lost:		the next FLUSH will fail
 * @repeated:		requests that were queued again so far
 * @timed_out:		times that a request's clock was over so far
 */
struct dmu_counts {
	unsigned int queued;
	unsigned int outstanding;
	unsigned int channels;
	u64 generation;
	u64 errors;
	bool failing;
	unsigned int broken;
	bool deserted;
	bool lost;
	u64 repeated;
	u64 timed_out;
};

/* In a wake-up's key: it is not for readers. Nobody polls for it. */
#define DMU_WAKE_NO_READER	EPOLLMSG

extern struct target_type dmu_target_type;

static inline const char *dmu_target_name(const struct dmu_target *t)
{
	return dev_name(&t->dev);
}

struct dmu_target *dmu_target_new(struct dm_target *ti, const char *name,
				  const struct dmu_options *options);
void dmu_target_end(struct dmu_target *t);

int dmu_target_add(struct dmu_target *t, struct dmu_request *req);
int dmu_target_refuse(struct dmu_target *t, struct dmu_request *req);
void dmu_target_event(struct dmu_target *t);
void dmu_target_return(struct dmu_target *t);
void dmu_target_count(struct dmu_target *t, struct dmu_counts *ret_counts);

bool dmu_target_ready(struct dmu_target *t, struct dmu_channel *c);
int dmu_target_deliver(struct dmu_target *t, struct dmu_channel *c, size_t room);
void dmu_target_wake_one(struct dmu_target *t);
void dmu_target_wake_all(struct dmu_target *t);

void dmu_target_requeue(struct dmu_target *t, struct dmu_orphans *o);
void dmu_target_settle_slow(struct dmu_target *t, struct dmu_orphans *o);

/* Ends what has to end and queues again what can be. Process context, no lock held, sleeps. */
static inline void dmu_target_settle(struct dmu_target *t, struct dmu_orphans *o)
{
	if (unlikely(!list_empty(&o->failed) || !list_empty(&o->repeated)))
		dmu_target_settle_slow(t, o);
}

#endif /* DMU_TARGET_H */
