// SPDX-License-Identifier: Apache-2.0
/* A request that waits for the spawner's answer; see spawner-pending.h. Sends nothing. */
#include "dmuserd/supervisor/spawner-pending.h"

#include <stdlib.h>
#include <string.h>

void pending_free(struct pending *p)
{
	if (!p)
		return;
	sd_event_source_disable_unref(p->deadline);
	free(p);
}

struct pending *pending_new(const struct spawner_request *request)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->serial = request->serial;
	p->op = request->op;
	memcpy(p->name, request->name, sizeof(p->name));
	return p;
}

struct pending *pending_find(struct pending *list, uint64_t serial, uint32_t op)
{
	for (struct pending *p = list; p; p = p->next) {
		if (p->serial == serial)
			return p->op == op ? p : NULL;
	}
	return NULL;
}

void pending_unlink(struct pending **list, struct pending *p)
{
	while (*list != p)
		list = &(*list)->next;
	*list = p->next;
}

void pending_tell_error(struct pending *p, int error)
{
	if (p->expired)
		return;
	if (p->spawned)
		p->spawned(p->userdata, error, CONFINE_NONE, 0, -EBADF);
	else if (p->listed)
		p->listed(p->userdata, error);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pending *p = userdata;

	pending_tell_error(p, -ETIMEDOUT);
	/* Stays, to recognize the answer that may come yet. */
	p->expired = true;
	return 0;
}

int pending_set_deadline(struct pending *p, sd_event *event, uint64_t usec)
{
	int r = sd_event_add_time(event, &p->deadline, CLOCK_MONOTONIC, usec, 1000, on_deadline, p);

	return r < 0 ? r : 0;
}
