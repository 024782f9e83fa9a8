// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A target's roster. A channel is live from its open to the first of
 *
 *   close	nobody can answer on it any more
 *   break	a bad answer, a time-out or `fail`: it carries nothing any more, but its worker may
 *		still be at what it has read
 *   fence	the supervisor says that this worker's time is over
 *   end	the target goes
 *
 * Why a break frees nothing. A worker that is stuck or confused may carry out an old write later.
 * Were its request repeated at once, the old write could land on top of a newer one. So
 *   - with `on_close requeue` the requests stay with the channel until its last holder has let go
 *     of it, or it is fenced; or until they fail, by a time-out or by `fail`;
 *   - with `on_close error` they fail at once, as in version 1;
 *   - either way a channel that is opened after the break gets no request before that: it is held.
 *
 * Channels that were open before the break go on. They are taken for the same worker's, which sees
 * that one of its channels broke, and knows what that one's thread still does; and a worker with
 * many threads must not stand still for one. Where they belong to different workers, only their
 * supervisor can say that one of them does nothing any more: it fences.
 *
 * Never sleeps but to end requests, and never waits for a worker.
 */
#include "roster.h"

#include "channel.h"
#include "request.h"
#include "target.h"

/* What becomes of the requests of a channel that is released or fenced. */
static enum dmu_fate dmu_roster_fate(struct dmu_target *t)
{
	return t->options.requeue ? DMU_FATE_REPEATS : DMU_FATE_FAILS;
}

/* Without target->lock, a hint; whoever lets go of the channels that are held wakes them all. */
bool dmu_roster_holds(struct dmu_target *t, struct dmu_channel *c)
{
	return unlikely(READ_ONCE(t->nr_broken)) && c->number >= READ_ONCE(t->held_from);
}

/* A live channel ends. */
static void dmu_roster_lose(struct dmu_target *t, struct dmu_channel *c)
{
	lockdep_assert_held(&t->lock);

	dmu_flush_lose(t, c);
	if (!--t->nr_live)
		dmu_target_event(t);
	if (!dmu_roster_holds(t, c) && !--t->nr_serving)
		dmu_clock_alone(t);
}

/* The last channel that was broken is released: none is held any more. */
static void dmu_roster_let_go(struct dmu_target *t)
{
	lockdep_assert_held(&t->lock);

	if (!t->nr_serving && t->nr_live)
		dmu_clock_served(t);
	t->nr_serving = t->nr_live;
}

static void dmu_roster_finish(struct dmu_target *t, struct dmu_channel *c, unsigned int how)
{
	lockdep_assert_held(&t->lock);
	lockdep_assert_held(&c->lock);

	if (!c->ends)
		dmu_roster_lose(t, c);
	WRITE_ONCE(c->ends, c->ends | how);
}

/* A channel is being opened. Returns 0, or -ENODEV if the target went meanwhile. */
int dmu_roster_join(struct dmu_target *t, struct dmu_channel *c)
{
	int ret = -ENODEV;

	spin_lock(&t->lock);
	if (!t->gone) {
		c->number = t->nr_opens++;
		c->generation = t->generation;
		list_add_tail(&c->link, &t->channels);
		t->nr_channels++;
		if (!t->nr_live++)
			dmu_clock_attached(t);
		if (!dmu_roster_holds(t, c) && !t->nr_serving++)
			dmu_clock_served(t);
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

/**
 * dmu_roster_leave - a channel is being released
 * @t:	the target
 * @c:	nobody uses it any more, so no copy is in flight
 *
 * Its requests fail, or are queued again: before any channel can take another one because of this.
 */
void dmu_roster_leave(struct dmu_target *t, struct dmu_channel *c)
{
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);
	bool several;

	spin_lock(&c->lock);
	dmu_channel_collect(c, dmu_roster_fate(t), &orphans);
	spin_unlock(&c->lock);
	dmu_orphans_sort(&orphans);

	spin_lock(&t->lock);
	list_del(&c->link);
	t->nr_channels--;
	dmu_stats_fold(&t->stats, &c->stats);
	several = !list_empty(&orphans.repeated);
	if (!c->ends)
		dmu_roster_lose(t, c);
	dmu_target_requeue(t, &orphans);
	if ((c->ends & (DMU_BROKEN | DMU_FENCED)) == DMU_BROKEN) {
		WRITE_ONCE(t->nr_broken, t->nr_broken - 1);
		if (!t->nr_broken) {
			dmu_roster_let_go(t);
			several = true;
		}
	}
	spin_unlock(&t->lock);

	/* several may now take requests; else one, if this channel's epoll had been woken for it */
	if (several)
		wake_up_interruptible_all(&t->wq);
	else
		dmu_target_wake_one(t);
	dmu_orphans_end(t, &orphans);
}

/* As below, with both locks held; the caller wakes everybody and ends the orphans. */
void dmu_roster_break_locked(struct dmu_target *t, struct dmu_channel *c, struct dmu_orphans *o)
{
	lockdep_assert_held(&t->lock);
	lockdep_assert_held(&c->lock);

	if (c->ends)
		return;
	dmu_roster_finish(t, c, DMU_BROKEN);
	if (!t->nr_broken)
		WRITE_ONCE(t->held_from, t->nr_opens);
	WRITE_ONCE(t->nr_broken, t->nr_broken + 1);
	dmu_target_event(t);
	if (!t->options.requeue)
		dmu_channel_collect(c, DMU_FATE_FAILS, o);
}

/**
 * dmu_roster_break - a bad answer came on a channel
 * @t:	the target
 * @c:	the channel
 * @o:	gets what is to be ended
 */
void dmu_roster_break(struct dmu_target *t, struct dmu_channel *c, struct dmu_orphans *o)
{
	spin_lock(&t->lock);
	spin_lock(&c->lock);
	dmu_roster_break_locked(t, c, o);
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);

	/* this channel's sleepers and pollers must hear of it; the others look and sleep again */
	wake_up_interruptible_all(&t->wq);
}

/**
 * dmu_roster_fence - begin a new generation
 * @t:	the target
 *
 * Said by a supervisor that has reaped the workers of this one, or does not care any more: from
 * here on none of its channels takes a request or gives an answer. Their requests are set free,
 * those in the middle of a copy by the copier. Nobody is waited for.
 *
 * Returns the new generation's number.
 */
u64 dmu_roster_fence(struct dmu_target *t)
{
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);
	struct dmu_channel *c;
	u64 generation;

	spin_lock(&t->lock);
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		dmu_roster_finish(t, c, DMU_FENCED);
		dmu_channel_collect(c, dmu_roster_fate(t), &orphans);
		spin_unlock(&c->lock);
	}
	/* all channels have ended: there are none that were held */
	WRITE_ONCE(t->nr_broken, 0);
	generation = ++t->generation;
	spin_unlock(&t->lock);

	dmu_target_settle(t, &orphans);
	wake_up_interruptible_all(&t->wq);
	return generation;
}

/* Takes all requests, from the queue and from every channel, which has ended or is ending. */
void dmu_roster_orphan_all(struct dmu_target *t, struct dmu_orphans *o)
{
	struct dmu_channel *c;

	lockdep_assert_held(&t->lock);

	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		dmu_channel_collect(c, DMU_FATE_FAILS, o);
		spin_unlock(&c->lock);
	}
	list_splice_tail_init(&t->queue, &o->failed);
	t->nr_queued = 0;
}

/**
 * dmu_roster_fail - every request ends with EIO now, and every new one at once, until `unfail`
 * @t:	the target
 *
 * Nobody is waited for, so this works beside a suspend that hangs on a worker.
 *
 * The channels break, because a worker may still be at what has just failed: after `unfail`, none
 * that is opened gets a request before those have been released or fenced.
 */
void dmu_roster_fail(struct dmu_target *t)
{
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);
	struct dmu_channel *c;

	spin_lock(&t->lock);
	t->failing = true;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		dmu_roster_break_locked(t, c, &orphans);
		spin_unlock(&c->lock);
	}
	dmu_roster_orphan_all(t, &orphans);
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_orphans_end(t, &orphans);
}

void dmu_roster_unfail(struct dmu_target *t)
{
	spin_lock(&t->lock);
	t->failing = false;
	spin_unlock(&t->lock);
}

/* The destructor's part: no more requests, no more channels, everybody is told. */
void dmu_roster_end(struct dmu_target *t)
{
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);
	struct dmu_channel *c;

	spin_lock(&t->lock);
	t->gone = true;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		dmu_roster_finish(t, c, DMU_GONE);
		spin_unlock(&c->lock);
	}
	dmu_roster_orphan_all(t, &orphans);
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_orphans_end(t, &orphans);
}
