// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A target: the queue between device-mapper and the channels, and which channel may take from it.
 * type.c puts requests in, as dm says; channels take them out. Never sleeps or allocates, but to be
 * born, and never waits for a worker.
 *
 * Why a channel is held. A worker that sent a bad answer may be confused enough to carry out an old
 * write later. Its requests have failed, and whoever retries them on a new worker must not have the
 * old worker's write land on top. So a channel that was opened after the break gets no request
 * until every broken channel has really been released, by its last holder.
 */
#include "target.h"

#include <linux/device-mapper.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "channel.h"
#include "node.h"
#include "request.h"

/* The device's release: the last reference is gone, so no file is open, no list holds anything. */
static void dmu_target_free(struct device *dev)
{
	kfree(container_of(dev, struct dmu_target, dev));
}

/**
 * dmu_target_new - a target that nobody can find yet
 * @begin:	its first sector on its device
 * @name:	valid
 *
 * Returns it with one reference, for put_device(&t->dev), or an error pointer. Sleeps.
 */
struct dmu_target *dmu_target_new(sector_t begin, const char *name)
{
	struct dmu_target *t;
	int ret;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return ERR_PTR(-ENOMEM);

	t->begin = begin;
	init_waitqueue_head(&t->wq);
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->queue);
	INIT_LIST_HEAD(&t->channels);

	ret = dmu_node_init(t, name, dmu_target_free);
	if (ret) {
		put_device(&t->dev);
		return ERR_PTR(ret);
	}
	return t;
}

static bool dmu_target_holds(struct dmu_target *t, struct dmu_channel *c)
{
	return READ_ONCE(t->nr_broken) && c->number >= READ_ONCE(t->fence);
}

/*
 * Whether a read() on @c would not wait: there is something, or something is wrong. Takes no lock;
 * who acts on it looks again.
 */
bool dmu_target_ready(struct dmu_target *t, struct dmu_channel *c)
{
	if (dmu_channel_error(c))
		return true;
	if (!list_empty(&t->queue) && !dmu_target_holds(t, c))
		return true;
	smp_rmb(); /* pairs with dmu_target_deliver(), which moves a request from there to here */
	return READ_ONCE(c->out.req);
}

/**
 * dmu_target_wake_one - there is a request in the queue: wake one sleeping reader, and all pollers
 * @t:	the target
 *
 * One of those who sleep exclusively: in read(), or in an epoll that was told so (EPOLLEXCLUSIVE).
 * A reader that has been woken passes it on (read.c); an epoll cannot, so a close does (below).
 *
 * The wait queue itself says who sleeps, so there is no flag to go stale. wq_has_sleeper() has the
 * barrier between the caller's list_add() and the look; its pair is in whoever goes to sleep.
 */
void dmu_target_wake_one(struct dmu_target *t)
{
	if (list_empty(&t->queue) || !wq_has_sleeper(&t->wq))
		return;
	/* the one could be of a channel that is broken or held, and take the wake-up from all others */
	if (unlikely(READ_ONCE(t->nr_broken)))
		wake_up_interruptible_all(&t->wq);
	else
		wake_up_interruptible_poll(&t->wq, EPOLLIN | EPOLLRDNORM);
}

static void dmu_target_flush_failed(struct dmu_target *t)
{
	lockdep_assert_held(&t->lock);

	WRITE_ONCE(t->unflushed, true);
	t->unflushed_seq = t->next_seq;
}

/**
 * dmu_target_flushed - a FLUSH is about to end
 * @t:		the target
 * @seq:	the FLUSH's, if it succeeded
 * @status:	how it ends
 *
 * device-mapper makes two of a write with PREFLUSH, such as a journal's commit: a FLUSH, and then
 * the write, which it sends even if the FLUSH failed. The submitter would never hear of that, and
 * fsync would report success for data that is gone. Nothing tells the write from others, but that
 * it has FUA as well. So none with FUA is taken until a FLUSH succeeds that was delivered later.
 */
void dmu_target_flushed(struct dmu_target *t, u64 seq, blk_status_t status)
{
	if (status == BLK_STS_DM_REQUEUE)
		return;
	if (likely(status == BLK_STS_OK && !READ_ONCE(t->unflushed)))
		return;

	spin_lock(&t->lock);
	if (status != BLK_STS_OK)
		dmu_target_flush_failed(t);
	else if (seq >= t->unflushed_seq)
		WRITE_ONCE(t->unflushed, false);
	spin_unlock(&t->lock);
}

/* Whether a bio that is being mapped fails at once. */
static bool dmu_target_refuses(struct dmu_target *t, struct bio *bio)
{
	lockdep_assert_held(&t->lock);

	if (t->failing && dmu_request_is_flush(bio))
		dmu_target_flush_failed(t);
	return t->failing || (t->unflushed && (bio->bi_opf & REQ_FUA));
}

/**
 * dmu_target_add - queue a request that is being mapped
 * @t:		the target
 * @ti:		the same, as dm knows it
 * @req:	the request; it may have ended by the time this returns
 *
 * Returns what map() is to return: that it was taken, or that it fails, or that dm gets it back.
 */
int dmu_target_add(struct dmu_target *t, struct dm_target *ti, struct dmu_request *req)
{
	int ret = DM_MAPIO_SUBMITTED;

	spin_lock(&t->lock);
	/*
	 * Asked under the lock: dm raises its flag before it calls presuspend(), which empties the
	 * queue under the same lock, as `fail` does. So either that finds this request, or this
	 * sees the flag.
	 */
	if (unlikely(dmu_target_refuses(t, dmu_request_bio(req)))) {
		ret = DM_MAPIO_KILL;
	} else if (unlikely(dm_noflush_suspending(ti))) {
		ret = DM_MAPIO_REQUEUE;
	} else {
		list_add_tail(&req->link, &t->queue);
		t->nr_queued++;
	}
	spin_unlock(&t->lock);

	if (likely(ret == DM_MAPIO_SUBMITTED))
		dmu_target_wake_one(t);
	else if (ret == DM_MAPIO_KILL)
		atomic64_inc(&t->errors);
	return ret;
}

/* Empties the queue into @ret_list, which becomes the caller's. */
void dmu_target_take_queued(struct dmu_target *t, struct list_head *ret_list)
{
	spin_lock(&t->lock);
	list_splice_tail_init(&t->queue, ret_list);
	t->nr_queued = 0;
	spin_unlock(&t->lock);
}

/**
 * dmu_target_deliver - move the first request into a channel's out stream, claimed
 * @t:	the target
 * @c:	one of its channels, its out stream locked and empty
 *
 * The seq is given here and not when mapping: so the numbers that a worker sees have no gaps, even
 * after a suspend took undelivered requests back.
 *
 * Returns 0, -EAGAIN if there is nothing for this channel, or why it carries nothing any more.
 */
int dmu_target_deliver(struct dmu_target *t, struct dmu_channel *c)
{
	struct dmu_request *req;
	int ret;

	spin_lock(&t->lock);
	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (ret)
		goto unlock;

	req = list_first_entry_or_null(&t->queue, struct dmu_request, link);
	if (!req || dmu_target_holds(t, c)) {
		ret = -EAGAIN;
		goto unlock;
	}

	dmu_stream_set(&c->out, req);
	smp_wmb(); /* pairs with dmu_target_ready(): who misses it in the queue finds it here */
	list_del(&req->link);
	t->nr_queued--;
	req->seq = t->next_seq++;
	c->nr_requests++;
	c->out.claimed = true;
unlock:
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);
	return ret;
}

/* A channel is being opened. Returns 0, or -ENODEV if the target went meanwhile. */
int dmu_target_join(struct dmu_target *t, struct dmu_channel *c)
{
	int ret = -ENODEV;

	spin_lock(&t->lock);
	if (!t->gone) {
		c->number = t->nr_opens++;
		list_add_tail(&c->link, &t->channels);
		t->nr_channels++;
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

/**
 * dmu_target_leave - a channel is being released
 * @t:		the target
 * @c:		nobody uses it any more
 * @dead:	gets its requests, for the caller to fail
 */
void dmu_target_leave(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead)
{
	bool unfenced = false;

	spin_lock(&t->lock);
	list_del(&c->link);
	t->nr_channels--;
	spin_lock(&c->lock);
	dmu_channel_collect(c, dead);
	if (c->broken) {
		WRITE_ONCE(t->nr_broken, t->nr_broken - 1);
		unfenced = !t->nr_broken;
	}
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);

	/* several may now take requests; else one, if this channel's epoll had been woken for it */
	if (unfenced)
		wake_up_interruptible_all(&t->wq);
	else
		dmu_target_wake_one(t);
}

static void dmu_target_break_locked(struct dmu_target *t, struct dmu_channel *c,
				    struct list_head *dead)
{
	lockdep_assert_held(&t->lock);

	spin_lock(&c->lock);
	if (!c->broken) {
		WRITE_ONCE(c->broken, true);
		if (!t->nr_broken)
			WRITE_ONCE(t->fence, t->nr_opens);
		WRITE_ONCE(t->nr_broken, t->nr_broken + 1);
		dmu_channel_collect(c, dead);
	}
	spin_unlock(&c->lock);
}

/**
 * dmu_target_break - a bad answer came on a channel
 * @t:		the target
 * @c:		the channel
 * @dead:	gets its requests, for the caller to fail
 */
void dmu_target_break(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead)
{
	spin_lock(&t->lock);
	dmu_target_break_locked(t, c, dead);
	spin_unlock(&t->lock);

	/* this channel's sleepers and pollers must hear of it; the others look and sleep again */
	wake_up_interruptible_all(&t->wq);
}

/**
 * dmu_target_fail - every request ends with EIO now, and every new one at once, until `unfail`
 * @t:	the target
 *
 * Nobody is waited for, so this works beside a suspend that hangs on a worker.
 *
 * The channels break, because a worker may still be at what has just failed: after `unfail`, none
 * that is opened gets a request before those have been released.
 */
void dmu_target_fail(struct dmu_target *t)
{
	struct dmu_channel *c;
	LIST_HEAD(dead);

	spin_lock(&t->lock);
	t->failing = true;
	list_for_each_entry(c, &t->channels, link)
		dmu_target_break_locked(t, c, &dead);
	list_splice_tail_init(&t->queue, &dead);
	t->nr_queued = 0;
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_request_end_list(t, &dead);
}

void dmu_target_unfail(struct dmu_target *t)
{
	spin_lock(&t->lock);
	t->failing = false;
	spin_unlock(&t->lock);
}

/* The destructor's part: no more requests, no more channels, everybody is told. */
void dmu_target_end(struct dmu_target *t)
{
	struct dmu_channel *c;
	LIST_HEAD(dead);

	spin_lock(&t->lock);
	t->gone = true;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		WRITE_ONCE(c->gone, true);
		dmu_channel_collect(c, &dead);
		spin_unlock(&c->lock);
	}
	list_splice_tail_init(&t->queue, &dead);
	t->nr_queued = 0;
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_request_end_list(t, &dead);
}

/* How much there is of what, all at one moment but for the errors. */
void dmu_target_count(struct dmu_target *t, struct dmu_counts *ret_counts)
{
	struct dmu_channel *c;

	*ret_counts = (struct dmu_counts){ .errors = atomic64_read(&t->errors) };

	spin_lock(&t->lock);
	ret_counts->queued = t->nr_queued;
	ret_counts->channels = t->nr_channels;
	ret_counts->failing = t->failing;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		ret_counts->outstanding += c->nr_requests;
		spin_unlock(&c->lock);
	}
	spin_unlock(&t->lock);
}
