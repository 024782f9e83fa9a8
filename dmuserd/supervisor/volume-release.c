// SPDX-License-Identifier: Apache-2.0
/*
 * The release: how it begins, who is told what and when, and the volume's last moment.
 *
 * Idempotent and joinable: a second call joins the first one, and can only make it more urgent.
 * Whoever waits is answered when all is gone, or with the stage that was reached when that takes
 * too long; the release goes on all the same.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * After the graceful part: for what is bounded by itself, before those who wait are told the stage.
 */
#define REPLY_GRACE_USEC 3000000

void volume_reply_stage(struct volume *v, const struct holders *holders)
{
	struct release_result result = {
		.stage = v->drain.stage,
		.open_count = v->drain.open_count,
	};

	if (holders)
		result.holders = *holders;
	volume_reply_not_created(v);
	volume_reply_released(v, &result, NULL);
}

static int on_reply_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;
	struct failure failure;

	v->reply_timer = sd_event_source_disable_unref(v->reply_timer);
	if (v->device_exists) {
		volume_reply_stage(v, NULL);
		return 0;
	}
	failure_set(
		&failure, FAILURE_TIMED_OUT, "worker",
		"the device is gone, but the worker does not end; the volume stays until it does");
	volume_reply_not_created(v);
	volume_reply_released(v, NULL, &failure);
	return 0;
}

int volume_arm_reply_timer(struct volume *v)
{
	uint64_t now = volume_now_usec(v), at = v->drain.deadline_usec;

	if (at < now)
		at = now;
	if (at > UINT64_MAX - REPLY_GRACE_USEC - 1)
		return 0;
	v->reply_timer = sd_event_source_disable_unref(v->reply_timer);
	return sd_event_add_time(v->set->manager->event, &v->reply_timer, CLOCK_MONOTONIC,
				 at + REPLY_GRACE_USEC, 0, on_reply_timer, v);
}

void volume_begin_release(struct volume *v, uint64_t timeout_ms)
{
	int r = 0;

	/* What was said to the target or asked of the worker until now has no meaning any more. */
	dm_queue_cancel(v->dm_call);
	v->dm_call = NULL;
	volume_look_cancel(v);
	if (v->awaits_worker)
		worker_cancel_step(v->worker);
	v->awaits_worker = false;
	/* Nobody takes it over any more. Why it was degraded is what is left to say. */
	if (v->operation == OPERATION_ADOPT)
		snprintf(v->error, sizeof(v->error), "%s", v->left ? v->left->error : "");

	v->operation = OPERATION_UNWIND;
	v->steps = volume_create_steps;
	v->n_steps = volume_n_create_steps;
	v->step = v->n_steps;
	v->drain.stage = RELEASE_DRAINING;
	v->drain.deadline_usec = volume_in_usec(v, timeout_ms);
	if (v->journaled)
		r = volume_journal(v, JOURNAL_RELEASING);
	if (r < 0)
		log_print(LOG_WARNING, "volume %s of uid %u: its release is not in the journal: %s",
			  v->spec.name, v->spec.owner, strerror(-r));
	if (volume_defer(v, volume_unwind) < 0)
		sd_event_exit(v->set->manager->event, -ENOMEM);
	/* Who waited for something else until now waits for this. */
	if (!TAILQ_EMPTY(&v->waiters))
		volume_arm_reply_timer(v);
	volume_set_state(v, VOLUME_RELEASING);
}

static void join_release(struct volume *v, uint64_t timeout_ms)
{
	uint64_t deadline = volume_in_usec(v, timeout_ms);

	if (deadline < v->drain.deadline_usec)
		v->drain.deadline_usec = deadline;
	volume_device_deadline_changed(v);
}

int volume_release(struct volume *v, uint64_t timeout_ms, volume_released_fn done, void *userdata,
		   struct failure *failure)
{
	int r;

	if (timeout_ms == PARSER_UNSET)
		timeout_ms = volume_settings(v)->release_timeout_ms;
	if (v->operation == OPERATION_ADOPT && !v->set->adopted)
		return failure_set(failure, FAILURE_OPERATION_PENDING, "adopt",
				   "volume %s is being taken over; try again", v->spec.name);
	r = volume_add_waiter(v, NULL, done, false, userdata);
	if (r < 0)
		return failure_set(failure, FAILURE_QUOTA_EXCEEDED, "memory", "out of memory");
	switch (v->operation) {
	case OPERATION_CREATE:
		/* Whoever creates it is told; going back from there is its release. */
		volume_fail(v, FAILURE_OPERATION_PENDING, "release",
			    "it was released while it was being created");
		volume_create_abort(v);
		return 0;
	case OPERATION_UNWIND:
		join_release(v, timeout_ms);
		break;
	case OPERATION_NONE:
	case OPERATION_ADOPT:
		volume_begin_release(v, timeout_ms);
		break;
	}
	volume_arm_reply_timer(v);
	return 0;
}

void volume_gone(struct volume *v)
{
	struct volumes *set = v->set;
	struct release_result result = { .stage = RELEASE_GONE };

	/* Found by nobody any more, but who is told may still say that he will not listen. */
	TAILQ_REMOVE(v->in, v, entry);
	v->in = &set->dying;
	TAILQ_INSERT_TAIL(v->in, v, entry);
	if (v->failure.kind == FAILURE_NONE)
		log_print(LOG_INFO, "volume %s of uid %u: gone", v->spec.name, v->spec.owner);
	v->device[0] = '\0';
	v->error[0] = '\0';
	volume_set_state(v, VOLUME_GONE);
	volume_reply_not_created(v);
	volume_reply_released(v, &result, NULL);
	volume_free(v);
}
