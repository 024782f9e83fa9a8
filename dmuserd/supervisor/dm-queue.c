// SPDX-License-Identifier: Apache-2.0
/*
 * Device-mapper operations in turn; see dm-queue.h.
 *
 * Owns every ticket until its callback or its cancellation. The next ones are started from a turn of the loop
 * of their own, so that a callback, which may add and cancel, never finds the queue at work.
 */
#include "dmuserd/supervisor/dm-queue.h"
#include "util/cleanup.h"

#include <string.h>
#include <sys/queue.h>

struct dm_ticket {
	TAILQ_ENTRY(dm_ticket) entry;
	struct dm_queue *queue;
	struct dm_request request;
	uint64_t timeout_ms;
	dm_done_fn done;
	void *userdata;
	struct dm_call *call; /* NULL while it waits */
};

TAILQ_HEAD(ticket_list, dm_ticket);

struct dm_queue {
	sd_event *event;
	sd_event_source *work; /* enabled when one that waits may be started */
	struct ticket_list waiting, running;
	size_t n_running;
};

static void drop(struct dm_ticket *t)
{
	struct dm_queue *q = t->queue;

	if (t->call) {
		TAILQ_REMOVE(&q->running, t, entry);
		q->n_running--;
		if (!TAILQ_EMPTY(&q->waiting))
			sd_event_source_set_enabled(q->work, SD_EVENT_ONESHOT);
	} else {
		TAILQ_REMOVE(&q->waiting, t, entry);
	}
	free(t);
}

static void on_done(void *userdata, const struct dm_result *result)
{
	struct dm_ticket *t = userdata;
	dm_done_fn done = t->done;
	void *done_userdata = t->userdata;

	drop(t);
	done(done_userdata, result);
}

/* It is on the list of those that wait; on success it is on the other one. */
static int start(struct dm_ticket *t)
{
	struct dm_queue *q = t->queue;
	int r = dm_start(q->event, &t->request, t->timeout_ms, on_done, t, &t->call);

	if (r < 0)
		return r;
	TAILQ_REMOVE(&q->waiting, t, entry);
	TAILQ_INSERT_TAIL(&q->running, t, entry);
	q->n_running++;
	return 0;
}

static void tell_not_started(struct dm_ticket *t, int error)
{
	struct dm_result result = { .error = error };

	snprintf(result.message, sizeof(result.message), "cannot start a process: %s",
		 strerror(-error));
	on_done(t, &result);
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct dm_queue *q = userdata;

	while (q->n_running < DM_QUEUE_RUNNING_MAX && !TAILQ_EMPTY(&q->waiting)) {
		struct dm_ticket *t = TAILQ_FIRST(&q->waiting);
		int r = start(t);

		if (r < 0)
			tell_not_started(t, r);
	}
	return 0;
}

int dm_queue_new(sd_event *event, struct dm_queue **ret_queue)
{
	_cleanup_(dm_queue_freep) struct dm_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->event = sd_event_ref(event);
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->running);
	r = sd_event_add_defer(event, &q->work, on_work, q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->work, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret_queue = take_ptr(&q);
	return 0;
}

void dm_queue_free(struct dm_queue *q)
{
	if (!q)
		return;
	while (!TAILQ_EMPTY(&q->waiting))
		drop(TAILQ_FIRST(&q->waiting));
	while (!TAILQ_EMPTY(&q->running))
		dm_queue_cancel(TAILQ_FIRST(&q->running));
	sd_event_source_disable_unref(q->work);
	sd_event_unref(q->event);
	free(q);
}

int dm_queue_add(struct dm_queue *q, const struct dm_request *request, uint64_t timeout_ms,
		 dm_done_fn done, void *userdata, struct dm_ticket **ret_ticket)
{
	struct dm_ticket *t = calloc(1, sizeof(*t));
	bool free_place = q->n_running < DM_QUEUE_RUNNING_MAX && TAILQ_EMPTY(&q->waiting);
	int r;

	if (!t)
		return -ENOMEM;
	*t = (struct dm_ticket){
		.queue = q,
		.request = *request,
		.timeout_ms = timeout_ms,
		.done = done,
		.userdata = userdata,
	};
	TAILQ_INSERT_TAIL(&q->waiting, t, entry);
	r = free_place ? start(t) : 0;
	if (r < 0) {
		drop(t);
		return r;
	}
	*ret_ticket = t;
	return 0;
}

void dm_queue_cancel(struct dm_ticket *t)
{
	if (!t)
		return;
	dm_cancel(t->call);
	drop(t);
}
