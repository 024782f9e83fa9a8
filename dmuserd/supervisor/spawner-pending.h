/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to the spawner that was sent, and waits for its answer: spawner-link.c's, and nobody else's.
 *
 * They stand in a list, the last one first. A SPAWN whose deadline has passed stays there, so that a child
 * that comes late is known for what it is.
 */
#pragma once

#include "dmuserd/supervisor/spawner-link.h"

#include <stdbool.h>

struct pending {
	struct pending *next;
	uint64_t serial;
	uint32_t op;
	bool expired; /* its deadline has passed, and was told */
	char name[SPAWNER_NAME_SIZE];
	sd_event_source *deadline;
	/* Of a SPAWN. */
	spawner_spawned_fn spawned;
	spawner_exited_fn exited;
	/* Of a LIST. */
	spawner_child_fn child;
	spawner_listed_fn listed;
	void *userdata;
};

/* NULL: no memory. */
struct pending *pending_new(const struct spawner_request *request);
void pending_free(struct pending *p);
/* From then on -ETIMEDOUT is what came of it. 0 or a negative errno. */
int pending_set_deadline(struct pending *p, sd_event *event, uint64_t usec);

/* NULL if there is none, or it asked for something else. */
struct pending *pending_find(struct pending *list, uint64_t serial, uint32_t op);
/* p must be in the list. */
void pending_unlink(struct pending **list, struct pending *p);

/* Whoever waits hears it, but for one that has heard of the deadline; nobody waits for a KILL or a FORGET. */
void pending_tell_error(struct pending *p, int error);
