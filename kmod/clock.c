// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A target's clocks. There is no timer per request: one delayed work a target looks for what is
 * late, and comes back when the oldest of the rest will be, though not before an eighth of the
 * time-out.
 *
 * The attach clock runs while no channel serves, that is to say, none is live but those that are
 * held: from the last one's end or from resume. When it is over, everything fails at once, and what
 * comes then too, until a channel serves.
 *
 * A request's clock runs from its mapping; or, if no channel was live then, from the next
 * attachment. It restarts once, when the request is queued again. If it is over
 *   in the queue		the request fails
 *   on a channel		the channel breaks. With `on_close error` all of its requests fail.
 *			With requeue this one gets as much time again for the channel to be released
 *			or fenced, and fails the next time, wherever it is then
 *
 * No clock runs while suspended: dm has seen every bio end then. While a suspend still waits for
 * bios, they do.
 *
 * The looking takes target->lock, and each channel's in turn, for as long as the lists are. With
 * requests that end in time that is once a time-out.
 */
#include "clock.h"

#include <linux/device-mapper.h>
#include <linux/jiffies.h>

#include "channel.h"
#include "request.h"
#include "roster.h"
#include "target.h"
#include "trace.h"

#define DM_MSG_PREFIX "user"

#define DMU_CLOCK_GRAINS	8

/* Ends bios when memory is short, so it must be able to run then. */
static struct workqueue_struct *dmu_clock_wq;

int dmu_clocks_init(void)
{
	dmu_clock_wq = alloc_workqueue("dm-user", WQ_MEM_RECLAIM, 0);
	return dmu_clock_wq ? 0 : -ENOMEM;
}

void dmu_clocks_exit(void)
{
	destroy_workqueue(dmu_clock_wq);
}

/* --- Starting and stopping: all with target->lock held */

/* The work will run at @when at the latest. */
static void dmu_clock_arm(struct dmu_target *t, unsigned long when)
{
	struct dmu_clock *k = &t->clock;
	unsigned long now = jiffies;

	lockdep_assert_held(&t->lock);

	if (likely(k->armed && !time_before(when, k->armed_for)))
		return;
	if (t->gone)
		return;
	k->armed = true;
	k->armed_for = when;
	mod_delayed_work(dmu_clock_wq, &k->work, time_after(when, now) ? when - now : 0);
}

/* A request is being mapped, or its clock restarts. */
void dmu_clock_start(struct dmu_target *t, struct dmu_request *req)
{
	struct dmu_clock *k = &t->clock;

	lockdep_assert_held(&t->lock);

	if (!k->request)
		return;
	req->clock = jiffies;
	req->awaits = t->nr_live ? 0 : k->nr_attached + 1;
	if (t->nr_live)
		dmu_clock_arm(t, req->clock + k->request);
}

/* A request is queued again. */
void dmu_clock_repeat(struct dmu_target *t, struct dmu_request *req)
{
	struct dmu_clock *k = &t->clock;

	lockdep_assert_held(&t->lock);

	if (!req->restarted) {
		req->restarted = true;
		dmu_clock_start(t, req);
	} else if (k->request && !req->awaits) {
		dmu_clock_arm(t, req->clock + k->request);
	}
}

/* The first live channel has come: the clocks that waited for it are found by the work. */
void dmu_clock_attached(struct dmu_target *t)
{
	struct dmu_clock *k = &t->clock;

	lockdep_assert_held(&t->lock);

	k->attached_at = jiffies;
	k->nr_attached++;
	if (!k->request || !t->nr_queued)
		return;
	k->awaited = true;
	dmu_clock_arm(t, jiffies + k->request / DMU_CLOCK_GRAINS);
}

/* A channel serves, and none did before. The work finds that out by itself. */
void dmu_clock_served(struct dmu_target *t)
{
	lockdep_assert_held(&t->lock);

	t->clock.deserted = false;
}

/* No channel serves: one did until now, or the target resumes without. */
void dmu_clock_alone(struct dmu_target *t)
{
	struct dmu_clock *k = &t->clock;

	lockdep_assert_held(&t->lock);

	k->alone_since = jiffies;
	if (k->attach && !k->suspended)
		dmu_clock_arm(t, k->alone_since + k->attach);
}

/* A suspend has ended; takes target->lock. */
void dmu_clock_suspended(struct dmu_target *t)
{
	spin_lock(&t->lock);
	t->clock.suspended = true;
	spin_unlock(&t->lock);
}

/* Takes target->lock. */
void dmu_clock_resumed(struct dmu_target *t)
{
	spin_lock(&t->lock);
	t->clock.suspended = false;
	t->clock.deserted = false;
	if (!t->nr_serving)
		dmu_clock_alone(t);
	spin_unlock(&t->lock);
}

/* --- Looking */

/**
 * struct dmu_sweep - one run of the work; target->lock is held
 * @t:		the target
 * @now:	jiffies when it began
 * @running:	whether any request's time runs
 * @oldest:	the oldest clock of those
 * @broke:	a channel broke
 * @deserted:	the attach time-out is over since now
 * @orphans:	what is to be ended afterwards
 */
struct dmu_sweep {
	struct dmu_target *t;
	unsigned long now;
	bool running;
	unsigned long oldest;
	bool broke;
	bool deserted;
	struct dmu_orphans orphans;
};

static void dmu_sweep_note(struct dmu_sweep *s, unsigned long clock)
{
	if (!s->running || time_before(clock, s->oldest))
		s->oldest = clock;
	s->running = true;
}

/* Whether a request's time is over; if it is not, notes when it will be. */
static bool dmu_sweep_late(struct dmu_sweep *s, struct dmu_request *req)
{
	struct dmu_clock *k = &s->t->clock;

	if (req->awaits) {
		if ((s32)(k->nr_attached - req->awaits) < 0)
			return false;
		req->clock = k->attached_at;
		req->awaits = 0;
	}
	if (time_after_eq(s->now, req->clock + k->request)) {
		s->t->nr_timed_out++;
		/* under the locks: with requeue the request stays where others may end it */
		trace_dm_user_timeout(s->t, req, jiffies_to_msecs(s->now - req->clock));
		return true;
	}
	dmu_sweep_note(s, req->clock);
	return false;
}

/*
 * Repeats are first in the queue, with clocks in any order; the rest are in the order of theirs,
 * once all that waited for an attachment have it. They get it all at once: one that came to it only
 * when those before it are gone would get a later one, and hold up those behind it.
 */
static void dmu_sweep_queue(struct dmu_sweep *s)
{
	struct dmu_target *t = s->t;
	bool all = t->clock.awaited;
	struct dmu_request *req, *next;

	t->clock.awaited = false;
	list_for_each_entry_safe(req, next, &t->queue, link) {
		if (dmu_sweep_late(s, req)) {
			list_move_tail(&req->link, &s->orphans.failed);
			t->nr_queued--;
		} else if (!req->repeat && !all) {
			break;
		}
	}
}

/* What becomes of a late request on a channel that breaks for it: true if it fails now. */
static bool dmu_sweep_fails(struct dmu_sweep *s, struct dmu_request *req)
{
	if (!s->t->options.requeue || req->expired)
		return true;
	req->expired = true;
	req->clock = s->now;
	dmu_sweep_note(s, req->clock);
	return false;
}

static bool dmu_sweep_stream(struct dmu_sweep *s, struct dmu_channel *c, struct dmu_stream *stream)
{
	if (!stream->req || stream->fate != DMU_FATE_STAYS || !dmu_sweep_late(s, stream->req))
		return false;
	if (dmu_sweep_fails(s, stream->req))
		dmu_channel_orphan_stream(c, stream, DMU_FATE_FAILS, &s->orphans);
	return true;
}

static void dmu_sweep_channel(struct dmu_sweep *s, struct dmu_channel *c)
{
	struct dmu_request *req, *next;
	bool late;

	spin_lock(&c->lock);
	late = dmu_sweep_stream(s, c, &c->out);
	late |= dmu_sweep_stream(s, c, &c->in);
	list_for_each_entry_safe(req, next, &c->answerable, link) {
		if (!dmu_sweep_late(s, req))
			continue;
		late = true;
		if (dmu_sweep_fails(s, req))
			dmu_channel_orphan(c, req, &s->orphans);
	}
	if (late && !c->ends) {
		dmu_roster_break_locked(s->t, c, &s->orphans);
		s->broke = true;
	}
	spin_unlock(&c->lock);
}

static void dmu_sweep_requests(struct dmu_sweep *s)
{
	struct dmu_clock *k = &s->t->clock;
	struct dmu_channel *c;
	unsigned long soonest;

	if (!k->request)
		return;
	dmu_sweep_queue(s);
	list_for_each_entry(c, &s->t->channels, link)
		dmu_sweep_channel(s, c);
	if (!s->running)
		return;
	soonest = s->now + max(k->request / DMU_CLOCK_GRAINS, 1UL);
	dmu_clock_arm(s->t, time_after(s->oldest + k->request, soonest) ? s->oldest + k->request :
									  soonest);
}

static void dmu_sweep_attach(struct dmu_sweep *s)
{
	struct dmu_target *t = s->t;
	struct dmu_clock *k = &t->clock;

	if (!k->attach || t->nr_serving || k->deserted)
		return;
	if (time_before(s->now, k->alone_since + k->attach)) {
		dmu_clock_arm(t, k->alone_since + k->attach);
		return;
	}
	k->deserted = true;
	s->deserted = true;
	dmu_target_event(t);
	dmu_roster_orphan_all(t, &s->orphans);
}

/*
 * Process context. Runs beside everything but the destructor, which waits for it; waits itself for
 * nothing but the target's locks.
 */
static void dmu_clock_work(struct work_struct *work)
{
	struct dmu_target *t = container_of(work, struct dmu_target, clock.work.work);
	struct dmu_sweep s = {
		.t = t,
		.now = jiffies,
		.orphans = DMU_ORPHANS_INIT(s.orphans),
	};

	spin_lock(&t->lock);
	t->clock.armed = false;
	if (!t->clock.suspended) {
		dmu_sweep_requests(&s);
		/* last: a channel may just have broken */
		dmu_sweep_attach(&s);
	}
	spin_unlock(&t->lock);

	if (s.broke)
		DMWARN_LIMIT("%s: a request was not answered in time: channel broken",
			     dmu_target_name(t));
	if (s.deserted)
		DMWARN_LIMIT("%s: no channel came in time: requests fail until one does",
			     dmu_target_name(t));
	if (s.broke)
		wake_up_interruptible_all(&t->wq);
	dmu_orphans_end(t, &s.orphans);
}

/* --- Life */

/* One more than it takes: a clock starts between two ticks, and nothing is late before its time. */
static unsigned long dmu_clock_ticks(unsigned int ms)
{
	return ms ? msecs_to_jiffies(ms) + 1 : 0;
}

void dmu_clock_init(struct dmu_target *t)
{
	struct dmu_clock *k = &t->clock;

	INIT_DELAYED_WORK(&k->work, dmu_clock_work);
	k->attach = dmu_clock_ticks(t->options.attach_timeout_ms);
	k->request = dmu_clock_ticks(t->options.request_timeout_ms);
	k->suspended = true;
}

/* The target is gone, so nothing arms the work again. Sleeps until it has run, if it is running. */
void dmu_clock_stop(struct dmu_target *t)
{
	cancel_delayed_work_sync(&t->clock.work);
}
