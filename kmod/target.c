// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A target: the queue between device-mapper and the channels. type.c puts requests in, as dm says;
 * channels take them out, and put them back when they end. Never sleeps or allocates, but to be
 * born, and never waits for a worker.
 */
#include "target.h"

#include <linux/device-mapper.h>
#include <linux/slab.h>

#include "channel.h"
#include "node.h"
#include "request.h"
#include "roster.h"
#include "trace.h"

/* The device's release: the last reference is gone, so no file is open, no list holds anything. */
static void dmu_target_free(struct device *dev)
{
	kfree(container_of(dev, struct dmu_target, dev));
}

static void dmu_target_event_work(struct work_struct *work)
{
	struct dmu_target *t = container_of(work, struct dmu_target, event);

	dm_table_event(t->ti->table);
}

/*
 * Tells whoever waits for the device (`dmsetup wait`) that its status wants to be looked at: a
 * channel broke, the last one ended, or the attach time-out is over. device-mapper takes a mutex
 * for that, so a work does it. Several at once are one.
 */
void dmu_target_event(struct dmu_target *t)
{
	lockdep_assert_held(&t->lock);

	if (!t->gone)
		schedule_work(&t->event);
}

/**
 * dmu_target_new - a target that nobody can find yet
 * @ti:		as dm knows it
 * @name:	valid
 * @options:	copied
 *
 * Returns it with one reference, for put_device(&t->dev), or an error pointer. Sleeps.
 */
struct dmu_target *dmu_target_new(struct dm_target *ti, const char *name,
				  const struct dmu_options *options)
{
	struct dmu_target *t;
	int ret;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return ERR_PTR(-ENOMEM);

	t->ti = ti;
	t->begin = ti->begin;
	t->sectors = ti->len;
	t->options = *options;
	init_waitqueue_head(&t->wq);
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->queue);
	INIT_LIST_HEAD(&t->channels);
	dmu_clock_init(t);
	dmu_moderation_init(t);
	INIT_WORK(&t->event, dmu_target_event_work);

	ret = dmu_node_init(t, name, dmu_target_free);
	if (ret) {
		put_device(&t->dev);
		return ERR_PTR(ret);
	}
	return t;
}

/*
 * Whether a read() on @c would not wait: there is something, or something is wrong. Takes no lock;
 * who acts on it looks again.
 */
bool dmu_target_ready(struct dmu_target *t, struct dmu_channel *c)
{
	if (dmu_channel_error(c))
		return true;
	if (!list_empty(&t->queue) && !dmu_roster_holds(t, c) && !READ_ONCE(c->full))
		return true;
	smp_rmb(); /* pairs with dmu_target_deliver(), which moves a request from there to here */
	return READ_ONCE(c->out.req);
}

/**
 * dmu_target_wake_one - there is a request in the queue: wake one sleeping reader, and all pollers
 * @t:	the target
 *
 * One of those who sleep exclusively: in read(), or in an epoll that was told so (EPOLLEXCLUSIVE).
 * The one that has slept longest, so requests spread over idle channels. A reader that has been
 * woken passes it on (read.c); an epoll cannot, so a close does (roster.c).
 *
 * The wait queue itself says who sleeps, so there is no flag to go stale. wq_has_sleeper() has the
 * barrier between the caller's list_add() and the look; its pair is in whoever goes to sleep.
 */
void dmu_target_wake_one(struct dmu_target *t)
{
	if (list_empty(&t->queue) || !wq_has_sleeper(&t->wq))
		return;
	if (unlikely(READ_ONCE(t->nr_broken) || atomic_read(&t->nr_full))) {
		/*
		 * The one could be an epoll of a channel that is broken, held or full, and take the
		 * wake-up from all others. So all pollers, and then one reader, whose key no
		 * poller asks for.
		 */
		__wake_up(&t->wq, TASK_INTERRUPTIBLE, 0,
			  poll_to_key(EPOLLIN | EPOLLRDNORM | DMU_WAKE_NO_READER));
		wake_up_interruptible_poll(&t->wq, EPOLLNVAL);
	} else {
		wake_up_interruptible_poll(&t->wq, EPOLLIN | EPOLLRDNORM);
	}
}

/*
 * Several may be able to take what is in the queue, who were not before. The barrier is between
 * what let them and the look; it pairs with wq_has_sleeper()'s in dmu_target_wake_one(). Either
 * that wakes who may take its request now, or this sees the request.
 */
void dmu_target_wake_all(struct dmu_target *t)
{
	smp_mb(); /* as said above */
	if (!list_empty(&t->queue))
		wake_up_interruptible_all(&t->wq);
}

/**
 * dmu_target_refuse - count a request that fails while it is mapped
 * @t:		the target
 * @req:	the request; NULL for an operation that has no name, nor numbers of its own
 *
 * Returns what map() is to return.
 */
int dmu_target_refuse(struct dmu_target *t, struct dmu_request *req)
{
	atomic64_inc(&t->errors);
	if (req)
		dmu_stats_failed(t, req);
	return DM_MAPIO_KILL;
}

/**
 * dmu_target_add - queue a request that is being mapped
 * @t:		the target
 * @req:	the request; it may have ended by the time this returns
 *
 * Returns what map() is to return: that it was taken, or that it fails, or that dm gets it back.
 */
int dmu_target_add(struct dmu_target *t, struct dmu_request *req)
{
	int ret = DM_MAPIO_SUBMITTED;

	spin_lock(&t->lock);
	/*
	 * Asked under the lock: dm raises its flag before it calls presuspend(), which empties the
	 * queue under the same lock, as `fail` does. So either that finds this request, or this
	 * sees the flag.
	 */
	if (unlikely(dmu_flush_refuses(t, req) || t->failing || t->clock.deserted)) {
		ret = DM_MAPIO_KILL;
	} else if (unlikely(dm_noflush_suspending(t->ti))) {
		ret = DM_MAPIO_REQUEUE;
	} else {
		dmu_clock_start(t, req);
		list_add_tail(&req->link, &t->queue);
		t->nr_queued++;
	}
	spin_unlock(&t->lock);

	if (likely(ret == DM_MAPIO_SUBMITTED))
		dmu_moderation_added(t);
	else if (ret == DM_MAPIO_KILL)
		dmu_target_refuse(t, req);
	return ret;
}

/**
 * dmu_target_deliver - move the first request into a channel's out stream, claimed
 * @t:	the target
 * @c:	one of its channels, its out stream locked and empty
 * @room:	bytes that the message must fit into
 *
 * The seq is given here and not when mapping: so the numbers that a worker sees have no gaps, even
 * after a suspend took undelivered requests back. A repeat keeps its own, by which it is sorted.
 *
 * Returns 0, -EAGAIN if there is nothing for this channel, -EMSGSIZE if the first does not fit (it
 * stays in the queue), or why the channel carries nothing any more.
 */
int dmu_target_deliver(struct dmu_target *t, struct dmu_channel *c, size_t room)
{
	struct dmu_request *req;
	bool fills_up = false;
	int ret;

	spin_lock(&t->lock);
	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (ret)
		goto unlock;

	req = list_first_entry_or_null(&t->queue, struct dmu_request, link);
	if (!req || dmu_roster_holds(t, c) || c->full) {
		ret = -EAGAIN;
		goto unlock;
	}
	if (unlikely(dmu_request_message_size(req) > room)) {
		ret = -EMSGSIZE;
		goto unlock;
	}

	dmu_stream_set(&c->out, req);
	smp_wmb(); /* pairs with dmu_target_ready(): who misses it in the queue finds it here */
	list_del(&req->link);
	t->nr_queued--;
	if (likely(!req->repeat))
		req->seq = t->next_seq++;
	dmu_channel_taken(c);
	c->out.claimed = true;
	fills_up = c->full && t->nr_queued && t->nr_live > 1;
unlock:
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);
	/* the wake-ups for what is left may have gone to this channel, which cannot take it now */
	if (unlikely(fills_up))
		dmu_target_wake_all(t);
	return ret;
}

/**
 * dmu_target_requeue - what an ended channel gave up goes out again, first and in its order
 * @t:	the target, its lock held
 * @o:	its repeats are sorted; those that cannot be repeated go to the other lists
 *
 * The queue's repeats are at its front, in the order of their seqs. This takes as long as there are
 * repeats; but that is when a worker has died.
 */
void dmu_target_requeue(struct dmu_target *t, struct dmu_orphans *o)
{
	struct list_head *after = &t->queue;
	struct dmu_request *req, *next, *other;

	lockdep_assert_held(&t->lock);

	if (list_empty(&o->repeated))
		return;
	if (t->failing || t->clock.deserted) {
		list_splice_tail_init(&o->repeated, &o->failed);
		return;
	}
	/* under the lock, as in dmu_target_add() */
	if (dm_noflush_suspending(t->ti)) {
		list_splice_tail_init(&o->repeated, &o->returned);
		return;
	}
	list_for_each_entry_safe(req, next, &o->repeated, link) {
		while (!list_is_last(after, &t->queue)) {
			other = list_entry(after->next, struct dmu_request, link);
			if (!other->repeat || other->seq > req->seq)
				break;
			after = &other->link;
		}
		req->repeat = true;
		dmu_clock_repeat(t, req);
		list_move(&req->link, after);
		after = &req->link;
		t->nr_queued++;
		t->nr_repeated++;
		/* under the lock: once that is free, another channel may have it, and end it */
		trace_dm_user_requeue(t, req);
	}
}

/* Out of line part of dmu_target_settle(). */
void dmu_target_settle_slow(struct dmu_target *t, struct dmu_orphans *o)
{
	dmu_orphans_sort(o);
	spin_lock(&t->lock);
	dmu_target_requeue(t, o);
	spin_unlock(&t->lock);
	dmu_target_wake_all(t);
	dmu_orphans_end(t, o);
}

/* A noflush suspend begins: dm gets back what has not gone out. */
void dmu_target_return(struct dmu_target *t)
{
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);

	spin_lock(&t->lock);
	list_splice_tail_init(&t->queue, &orphans.returned);
	t->nr_queued = 0;
	spin_unlock(&t->lock);
	dmu_orphans_end(t, &orphans);
}

/**
 * dmu_target_end - the target goes: its requests end, its channels hear of it, its work has run
 * @t:	no bio is mapped any more
 *
 * Sleeps, but waits for no worker. The memory stays while somebody has a channel open.
 */
void dmu_target_end(struct dmu_target *t)
{
	dmu_roster_end(t);
	dmu_clock_stop(t);
	dmu_moderation_stop(t);
	cancel_work_sync(&t->event);
}

/* How much there is of what, all at one moment but for the errors. */
void dmu_target_count(struct dmu_target *t, struct dmu_counts *ret_counts)
{
	struct dmu_channel *c;

	*ret_counts = (struct dmu_counts){ .errors = atomic64_read(&t->errors) };

	spin_lock(&t->lock);
	ret_counts->queued = t->nr_queued;
	ret_counts->channels = t->nr_channels;
	ret_counts->generation = t->generation;
	ret_counts->failing = t->failing;
	ret_counts->broken = t->nr_broken;
	ret_counts->deserted = t->clock.deserted;
	ret_counts->lost = t->flush.lost;
	ret_counts->repeated = t->nr_repeated;
	ret_counts->timed_out = t->nr_timed_out;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		ret_counts->outstanding += c->nr_outstanding;
		spin_unlock(&c->lock);
	}
	spin_unlock(&t->lock);
}
