// SPDX-License-Identifier: Apache-2.0
/*
 * Who waits for a volume's operation to end, and how they are told: each once, from the loop.
 *
 * A callback may call anything of volume.h, so a waiter is taken off the list before it is told.
 */
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"

int volume_add_waiter(struct volume *v, volume_created_fn created, volume_released_fn released,
		      bool made, void *userdata)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->created = created;
	w->released = released;
	w->made = made;
	w->userdata = userdata;
	TAILQ_INSERT_TAIL(&v->waiters, w, entry);
	return 0;
}

static void drop(struct volume *v, struct waiter *w)
{
	TAILQ_REMOVE(&v->waiters, w, entry);
	free(w);
}

void volume_forget_waiters(struct volume *v, void *userdata)
{
	struct waiter *w = TAILQ_FIRST(&v->waiters), *next;

	for (; w; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->userdata == userdata)
			drop(v, w);
	}
}

static struct waiter *first(struct volume *v, bool created)
{
	struct waiter *w;

	TAILQ_FOREACH(w, &v->waiters, entry)
		if ((w->created != NULL) == created)
			break;
	return w;
}

static void reply_created(struct volume *v, const struct failure *failure)
{
	struct waiter *w;

	while ((w = first(v, true))) {
		struct waiter told = *w;

		drop(v, w);
		told.created(told.userdata, failure ? NULL : v, told.made && !failure, failure);
	}
}

void volume_reply_created(struct volume *v)
{
	reply_created(v, NULL);
}

void volume_reply_not_created(struct volume *v)
{
	struct failure failure = v->failure;

	/* It was there when it was asked for, and was released before that could be said. */
	if (failure.kind == FAILURE_NONE)
		failure_set(&failure, FAILURE_OPERATION_PENDING, "release",
			    "volume %s is being released", v->spec.name);
	reply_created(v, &failure);
}

void volume_reply_released(struct volume *v, const struct release_result *result,
			   const struct failure *failure)
{
	struct waiter *w;

	while ((w = first(v, false))) {
		struct waiter told = *w;

		drop(v, w);
		told.released(told.userdata, v->spec.name, v->spec.owner, result, failure);
	}
}
