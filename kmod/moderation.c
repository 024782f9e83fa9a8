// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moderation of wake-ups, as network cards moderate interrupts. A worker that sleeps on the
 * submitter's own CPU takes that CPU as soon as it is woken: a submitter who has more to say gets
 * no second request in, and each request costs two context switches. If the wake-up comes a little
 * later, it is for all that came meanwhile.
 *
 * Whether more will come cannot be known, only tried. If the CPU fell idle before the wait was over,
 * or nothing came, it was a delay for nothing: then the next so many requests wake at once, twice as
 * many each time. A lone submitter, who waits for each request, pays for a try in a thousand.
 *
 * A worker that sleeps on another CPU is always woken at once, since it works beside the submitter;
 * so is one of several channels; and so is everybody who polls, unless another thread reads.
 *
 * Never sleeps, takes no lock but the timer's own.
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
#define DMU_MODERATION_SKIP_MIN	16
#define DMU_MODERATION_SKIP_MAX	1024

/* Hard interrupt context. The target is there: its end waits for this. */
static enum hrtimer_restart dmu_moderation_over(struct hrtimer *timer)
{
	struct dmu_target *t = container_of(timer, struct dmu_target, moderation.timer);
	struct dmu_moderation *m = &t->moderation;

	smp_mb(); /* pairs with dmu_moderation_added()'s, which relies on what is said there */
	if (!is_idle_task(current) && READ_ONCE(t->nr_queued) > 1) {
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

static bool dmu_moderation_tries(struct dmu_target *t)
{
	struct dmu_moderation *m = &t->moderation;
	unsigned int skip;

	if (READ_ONCE(m->cpu) != raw_smp_processor_id() || READ_ONCE(t->nr_live) > 1)
		return false;
	/* a clock that only ticks would make it milliseconds */
	if (hrtimer_resolution > DMU_MODERATION_NS)
		return false;
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
 * The barrier in wq_has_sleeper() is between the caller's list_add() and both looks that follow. Who
 * is not seen to sleep will see the request. A timer that is seen to run has not called yet, and
 * will see it too: it is taken off its queue before it calls.
 */
void dmu_moderation_added(struct dmu_target *t)
{
	struct hrtimer *timer = &t->moderation.timer;

	if (!wq_has_sleeper(&t->wq) || hrtimer_is_queued(timer))
		return;
	if (dmu_moderation_tries(t))
		hrtimer_start(timer, ns_to_ktime(DMU_MODERATION_NS), HRTIMER_MODE_REL);
	else
		dmu_target_wake_one(t);
}

/* A reader is about to sleep. */
void dmu_moderation_sleeps(struct dmu_target *t)
{
	WRITE_ONCE(t->moderation.cpu, raw_smp_processor_id());
}

void dmu_moderation_init(struct dmu_target *t)
{
	t->moderation.cpu = -1;
	DMU_HRTIMER_SETUP(&t->moderation.timer, dmu_moderation_over, CLOCK_MONOTONIC,
			  HRTIMER_MODE_REL);
}

/* No bio is mapped any more, so nothing starts the timer again. Waits until it has run. */
void dmu_moderation_stop(struct dmu_target *t)
{
	hrtimer_cancel(&t->moderation.timer);
}
