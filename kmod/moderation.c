// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moderation of wake-ups, as network cards moderate interrupts. Where a worker sleeps on the
 * submitter's own CPU, the scheduler as a rule lets it run as soon as it is woken: a submitter who
 * has more to say gets no second request in, and each costs two context switches. If the wake-up
 * comes a little later, it is for all that came meanwhile.
 *
 * Whether more will come cannot be known, only tried. If the CPU fell idle before the wait was over,
 * or nothing came, it was a delay for nothing: then the next so many requests wake at once, twice as
 * many each time. A lone submitter, who waits for each request, pays for a try in a thousand.
 *
 * Only one waiter in all can be made to wait, and only a read() that went to sleep on this CPU. On
 * another it would work beside the submitter; of several waiters each request may be another's, and
 * who is woken from epoll passes nothing on.
 *
 * Never sleeps. The timer's callback takes the wait queue's lock, and what epoll takes under it.
 */
#include "moderation.h"

#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/wait.h>

#include "compat.h"
#include "target.h"

/* Several requests are submitted in that time, and a worker's start takes no less. */
#define DMU_MODERATION_NS	(20 * NSEC_PER_USEC)

/* Between two tries that do not pay. */
#define DMU_MODERATION_SKIP_MIN	16U
#define DMU_MODERATION_SKIP_MAX	1024U

/*
 * On this CPU: it is the idle task of the CPU that waits which says that nobody had more to do.
 * With PREEMPT_RT this would run in a thread, and could not tell; there it is never armed.
 */
#define DMU_MODERATION_MODE	HRTIMER_MODE_REL_PINNED

/* Hard interrupt context. The target is there: its end waits for this. */
static enum hrtimer_restart dmu_moderation_over(struct hrtimer *timer)
{
	struct dmu_target *t = container_of(timer, struct dmu_target, moderation.timer);
	struct dmu_moderation *m = &t->moderation;

	smp_mb(); /* pairs with dmu_moderation_added()'s, which relies on what is said there */
	if (!is_idle_task(current) && READ_ONCE(t->nr_queued) > READ_ONCE(m->began)) {
		WRITE_ONCE(m->pays, true);
		m->backoff = 0;
	} else {
		WRITE_ONCE(m->pays, false);
		m->backoff = clamp(m->backoff * 2, DMU_MODERATION_SKIP_MIN,
				   DMU_MODERATION_SKIP_MAX);
		WRITE_ONCE(m->skip, m->backoff);
	}
	dmu_target_wake_one(t);
	return HRTIMER_NORESTART;
}

/* Whether it is only one read() that waits, and on this CPU; of channels that could take it. */
static bool dmu_moderation_may(struct dmu_target *t)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || READ_ONCE(t->moderation.cpu) != raw_smp_processor_id())
		return false;
	/* a look without the lock: one who comes now looks for requests himself */
	if (!list_is_singular(&t->wq.head))
		return false;
	if (READ_ONCE(t->nr_broken) || atomic_read(&t->nr_full))
		return false;
	/* a clock that only ticks would make it milliseconds */
	return hrtimer_resolution <= DMU_MODERATION_NS;
}

static bool dmu_moderation_tries(struct dmu_moderation *m)
{
	unsigned int skip;

	if (READ_ONCE(m->pays))
		return true;
	skip = READ_ONCE(m->skip);
	if (skip)
		WRITE_ONCE(m->skip, skip - 1);
	return !skip;
}

/**
 * dmu_moderation_added - a request was queued: wake a reader, now or soon
 * @t:	the target
 *
 * The barrier in wq_has_sleeper() is between the caller's list_add() and the looks that follow. Who
 * is not seen to sleep will see the request. A timer that is seen to run has not called yet, and
 * will see it too: it is taken off its queue before it calls.
 */
void dmu_moderation_added(struct dmu_target *t)
{
	struct dmu_moderation *m = &t->moderation;

	if (!wq_has_sleeper(&t->wq))
		return;
	if (!dmu_moderation_may(t)) {
		dmu_target_wake_one(t);
		return;
	}
	if (hrtimer_is_queued(&m->timer))
		return;
	if (!dmu_moderation_tries(m)) {
		dmu_target_wake_one(t);
		return;
	}
	WRITE_ONCE(m->began, READ_ONCE(t->nr_queued));
	hrtimer_start(&m->timer, ns_to_ktime(DMU_MODERATION_NS), DMU_MODERATION_MODE);
}

/* A reader is about to sleep. */
void dmu_moderation_sleeps(struct dmu_target *t)
{
	WRITE_ONCE(t->moderation.cpu, raw_smp_processor_id());
}

/* A reader has slept. */
void dmu_moderation_woke(struct dmu_target *t)
{
	WRITE_ONCE(t->moderation.cpu, -1);
}

void dmu_moderation_init(struct dmu_target *t)
{
	t->moderation.cpu = -1;
	DMU_HRTIMER_SETUP(&t->moderation.timer, dmu_moderation_over, CLOCK_MONOTONIC,
			  DMU_MODERATION_MODE);
}

/* No bio is mapped any more, so nothing starts the timer again. Waits until it has run. */
void dmu_moderation_stop(struct dmu_target *t)
{
	hrtimer_cancel(&t->moderation.timer);
}
