// SPDX-License-Identifier: Apache-2.0
/*
 * A volume's turn to start its worker: no more than STARTS_AT_ONCE do at a time, first come, first served.
 *
 * A worker's start has a deadline and needs a CPU. If a thousand began at once, none would meet it; one after
 * the other all do. The turn is over when the worker has passed the gate, or will not.
 */
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>

/* A few for each CPU of a small machine; more only wait for each other. */
#define STARTS_AT_ONCE 8
/* For a thousand to be started before, and then some; past that, those before it hang. */
#define TURN_TIMEOUT_USEC UINT64_C(300000000)

static int on_turn_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	v->turn = TURN_NONE;
	volume_step_done(v, volume_fail(v, FAILURE_TIMED_OUT, volume_step_name(v),
					"too many volumes are being started before it"));
	return 0;
}

int volume_start_turn(struct volume *v)
{
	if (v->set->n_starting < STARTS_AT_ONCE) {
		v->set->n_starting++;
		v->turn = TURN_TAKEN;
		return STEP_DONE;
	}
	v->turn = TURN_AWAITED;
	volume_set_timer(v, TURN_TIMEOUT_USEC, on_turn_late);
	return STEP_PENDING;
}

static void turn_has_come(struct volume *v)
{
	volume_step_done(v, 0);
}

/* The volumes' list has the longest waiting first. */
static void give_to_next(struct volumes *set)
{
	struct volume *v;

	TAILQ_FOREACH(v, &set->list, entry)
		if (v->turn == TURN_AWAITED)
			break;
	if (!v) {
		set->n_starting--;
		return;
	}
	v->turn = TURN_TAKEN;
	volume_set_timer(v, 0, NULL);
	if (volume_defer(v, turn_has_come) < 0)
		sd_event_exit(set->manager->event, -ENOMEM);
}

void volume_end_turn(struct volume *v)
{
	enum volume_turn turn = v->turn;

	v->turn = TURN_NONE;
	if (turn == TURN_AWAITED)
		volume_set_timer(v, 0, NULL);
	else if (turn == TURN_TAKEN)
		give_to_next(v->set);
}

int volume_start_end_of_turn(struct volume *v)
{
	volume_end_turn(v);
	return STEP_DONE;
}
