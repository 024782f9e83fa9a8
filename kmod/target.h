/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target: the queue of requests that no worker has read yet, and the channels that may read them.
 *
 * Theory of operation
 * -------------------
 * device-mapper calls map() with a bio; it becomes a request at the queue's end. A worker's read()
 * takes the first request into its channel (read.c), copies it out, and leaves it outstanding in
 * the channel. A worker's write() finds the request by its seq, copies the payload in, and ends it
 * (write.c). A channel that closes or breaks fails what it has; what is still in the queue waits
 * for another channel.
 *
 * Lock order, outer to inner:
 *   stream->mutex (out or in, never both)  >  target->lock  >  channel->lock
 * dmu_node_lock and the wait queue's own lock nest in nothing of ours and nothing of ours in them.
 *
 * Both spinlocks are taken in process context only: device-mapper maps there, and everything else
 * is a system call or a device-mapper operation. They are held for a few list operations; no copy,
 * no allocation, no wake-up and no bio_endio() happens under them. A bio that is being mapped takes
 * target->lock once and no other lock, and so waits for nobody's copying.
 *
 * Life: dm's constructor creates the target, with its node. The destructor removes the node, marks
 * the target gone and wakes everybody. Open files hold the cdev, which holds the device, in which
 * the target is embedded: memory goes with the last of them.
 */
#ifndef DMU_TARGET_H
#define DMU_TARGET_H

#include <linux/blk_types.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct dm_target;
struct dmu_channel;
struct dmu_request;
struct target_type;

/**
 * struct dmu_target - one target of a table
 * @begin:	the target's first sector on its device; constant
 * @wq:		readers (exclusive) and pollers (mostly not) of all channels; has its own lock
 * @errors:	requests that ended with EIO; atomic
 *
 * @lock:	protects what follows
 * @queue:	mapped and undelivered requests, in order
 * @nr_queued:	their number
 * @next_seq:	the next delivery's
 * @channels:	every open channel
 * @nr_channels: their number
 * @nr_opens:	channels opened so far; a channel's own number is the value before it
 * @nr_broken:	channels that are broken and not yet released
 * @fence:	while @nr_broken: channels from this number on are held (see target.c)
 * @failing:	`fail` was said, and `unfail` not since: no bio is taken
 * @unflushed:	a FLUSH failed, and none that was delivered later succeeded: no FUA is taken
 * @unflushed_seq: @next_seq when it failed
 * @gone:	the destructor has run; set once
 *
 * @dev:	owns this memory; its name is the table's NAME
 * @cdev:	what opening the node finds
 * @minor:	constant while the node exists
 * @name_link:	in the table of live names; dmu_node_lock
 */
struct dmu_target {
	sector_t begin;
	wait_queue_head_t wq;
	atomic64_t errors;

	spinlock_t lock;
	struct list_head queue;
	unsigned int nr_queued;
	u64 next_seq;
	struct list_head channels;
	unsigned int nr_channels;
	u64 nr_opens;
	unsigned int nr_broken;
	u64 fence;
	bool failing;
	bool unflushed;
	u64 unflushed_seq;
	bool gone;

	struct device dev;
	struct cdev cdev;
	int minor;
	struct hlist_node name_link;
};

/**
 * struct dmu_counts - what `dmsetup status` tells of a target
 * @queued:		requests that wait for a channel to take them
 * @outstanding:	requests that a channel has taken and that have not ended
 * @channels:		open channels
 * @errors:		requests that ended with EIO so far
 * @failing:		between `fail` and `unfail`
 */
struct dmu_counts {
	unsigned int queued;
	unsigned int outstanding;
	unsigned int channels;
	u64 errors;
	bool failing;
};

extern struct target_type dmu_target_type;

static inline const char *dmu_target_name(const struct dmu_target *t)
{
	return dev_name(&t->dev);
}

struct dmu_target *dmu_target_new(sector_t begin, const char *name);
void dmu_target_end(struct dmu_target *t);

void dmu_target_fail(struct dmu_target *t);
void dmu_target_unfail(struct dmu_target *t);

int dmu_target_add(struct dmu_target *t, struct dm_target *ti, struct dmu_request *req);
void dmu_target_take_queued(struct dmu_target *t, struct list_head *ret_list);
void dmu_target_count(struct dmu_target *t, struct dmu_counts *ret_counts);

int dmu_target_join(struct dmu_target *t, struct dmu_channel *c);
void dmu_target_leave(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead);
void dmu_target_break(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead);
bool dmu_target_ready(struct dmu_target *t, struct dmu_channel *c);
int dmu_target_deliver(struct dmu_target *t, struct dmu_channel *c);
void dmu_target_wake_one(struct dmu_target *t);
void dmu_target_flushed(struct dmu_target *t, u64 seq, blk_status_t status);

#endif /* DMU_TARGET_H */
