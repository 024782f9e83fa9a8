// SPDX-License-Identifier: Apache-2.0
/*
 * A volume's turn to start its worker: no more than VOLUME_STARTS_AT_ONCE do at a time, first come, first
 * served. Half of them at most are one uid's, whose workers may hang: others must get on beside it.
 *
 * A worker's start has a deadline and needs a CPU. If a thousand began at once, none would meet it; one after
 * the other all do. The turn is over when the worker has passed the gate, or will not.
 */
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>

#define STARTS_OF_UID (VOLUME_STARTS_AT_ONCE / 2)
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

static bool may_start(const struct volume *v)
{
	const struct volumes *set = v->set;
	size_t n = 0;

	for (size_t i = 0; i < set->n_starting; i++)
		n += set->starting[i] == v->spec.owner;
	return set->n_starting < VOLUME_STARTS_AT_ONCE && n < STARTS_OF_UID;
}

static void take_turn(struct volume *v)
{
	v->set->starting[v->set->n_starting++] = v->spec.owner;
	v->turn = TURN_TAKEN;
}

static void give_back_turn(struct volume *v)
{
	struct volumes *set = v->set;
	size_t i = 0;

	while (set->starting[i] != v->spec.owner)
		i++;
	set->starting[i] = set->starting[--set->n_starting];
}

int volume_start_turn(struct volume *v)
{
	if (may_start(v)) {
		take_turn(v);
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

/*
 * The volumes' list has the longest waiting first. There is one at most that may start now and could not
 * before: one turn has become free, or one uid may have one more.
 */
static void give_to_next(struct volumes *set)
{
	struct volume *v;

	TAILQ_FOREACH(v, &set->list, entry)
		if (v->turn == TURN_AWAITED && may_start(v))
			break;
	if (!v)
		return;
	take_turn(v);
	volume_set_timer(v, 0, NULL);
	if (volume_defer(v, turn_has_come) < 0)
		sd_event_exit(set->manager->event, -ENOMEM);
}

void volume_end_turn(struct volume *v)
{
	enum volume_turn turn = v->turn;

	v->turn = TURN_NONE;
	if (turn == TURN_AWAITED) {
		volume_set_timer(v, 0, NULL);
	} else if (turn == TURN_TAKEN) {
		give_back_turn(v);
		give_to_next(v->set);
	}
}

int volume_start_end_of_turn(struct volume *v)
{
	volume_end_turn(v);
	return STEP_DONE;
}
