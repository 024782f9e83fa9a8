// SPDX-License-Identifier: Apache-2.0
/*
 * How a volume goes forth and back by a table of steps.
 *
 * Forth: one step after the other, until the table ends or a step fails. Back: the undo of every
 * step, from the one that was reached (it may be done by halves) to the first; what is left then is
 * nothing. Back cannot fail, only take long.
 */
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>

static void finished(struct volume *v, int r)
{
	if (v->operation == OPERATION_ADOPT)
		volume_adopt_finished(v, r);
	else
		volume_create_finished(v, r);
}

static void advance(struct volume *v)
{
	while (v->step < v->n_steps) {
		int r = v->steps[v->step].start(v);

		if (r == STEP_PENDING)
			return;
		if (r < 0) {
			finished(v, r);
			return;
		}
		v->step++;
	}
	finished(v, 0);
}

void volume_go(struct volume *v, enum volume_operation operation, const struct volume_step *steps,
	       size_t n_steps)
{
	v->operation = operation;
	v->steps = steps;
	v->n_steps = n_steps;
	v->step = 0;
	/* Ended before it began. */
	if (v->failure.kind != FAILURE_NONE)
		finished(v, -ECANCELED);
	else
		advance(v);
}

void volume_step_done(struct volume *v, int r)
{
	/* The step went well, but meanwhile something else did not. */
	if (r >= 0 && v->failure.kind != FAILURE_NONE)
		r = -ECANCELED;
	if (r < 0) {
		finished(v, r);
		return;
	}
	v->step++;
	advance(v);
}

const char *volume_step_name(const struct volume *v)
{
	return v->step < v->n_steps ? v->steps[v->step].name : "end";
}

/* Steps are undone with v->step naming the one whose undo is next or under way. */
static void retreat(struct volume *v)
{
	for (;;) {
		const struct volume_step *s = &v->steps[v->step];

		if (s->undo && s->undo(v) == STEP_PENDING)
			return;
		if (v->step == 0)
			break;
		v->step--;
	}
	volume_gone(v);
}

void volume_unwind(struct volume *v)
{
	if (v->step == v->n_steps)
		v->step--;
	retreat(v);
}

void volume_undo_done(struct volume *v)
{
	if (v->step == 0) {
		volume_gone(v);
		return;
	}
	v->step--;
	retreat(v);
}
