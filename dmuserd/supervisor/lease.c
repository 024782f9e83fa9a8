// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes on lease; see lease.h.
 *
 * Owns the list of who holds what, by the volume's uuid: a volume of the same name that was made later is
 * another one. Decides only whether a volume is still wanted; releasing it is the volume's own matter, and
 * when that has something else to do, its lease stays as a lapsed one and is tried again at its next change.
 */
#include "dmuserd/supervisor/lease.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"

#include <string.h>

struct lease {
	struct lease *next;
	const struct connection *holder; /* NULL: lapsed */
	bool due; /* a lapsed one whose volume has changed since */
	char uuid[NAME_UUID_LEN + 1];
};

static const char *uuid_of(const struct volume *volume)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	return info.uuid;
}

static bool is_held(const struct front *front, const char *uuid)
{
	for (const struct lease *l = front->leases; l; l = l->next) {
		if (l->holder && strcmp(l->uuid, uuid) == 0)
			return true;
	}
	return false;
}

/* Nobody asked for it to stay, and no container has it. */
static bool is_leasable(const struct volume *volume)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	return !info.spec->keep && !info.container && info.state != VOLUME_RELEASING &&
	       info.state != VOLUME_GONE;
}

static void on_released(void *userdata, const char *name, uid_t owner,
			const struct release_result *result, const struct failure *failure)
{
	if (failure)
		log_print(LOG_WARNING, "volume %s of uid %u: not released when its lease ended: %s", name,
			  (unsigned int)owner, failure->reason);
}

static int add(struct front *front, const struct connection *holder, const char *uuid)
{
	struct lease *l;

	for (l = front->leases; l; l = l->next) {
		if (l->holder == holder && strcmp(l->uuid, uuid) == 0)
			return 0;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->holder = holder;
	snprintf(l->uuid, sizeof(l->uuid), "%s", uuid);
	l->next = front->leases;
	front->leases = l;
	return 0;
}

int lease_add(struct front *front, const struct connection *holder, const struct volume *volume)
{
	return add(front, holder, uuid_of(volume));
}

void lease_release_if_unheld(struct front *front, struct volume *volume)
{
	const struct volume_spec *spec = volume_spec(volume);
	struct failure failure = {};
	int r;

	if (!is_leasable(volume) || is_held(front, uuid_of(volume)))
		return;
	r = volume_release(volume, front->m->settings.release_timeout_ms, on_released, &front->leases,
			   &failure);
	if (r >= 0)
		log_limited(LOG_INFO, "volume %s of uid %u: its lease has ended", spec->name,
			    (unsigned int)spec->owner);
	else if (add(front, NULL, uuid_of(volume)) < 0)
		log_print(LOG_WARNING, "volume %s of uid %u: stays, for it cannot be released: %s",
			  spec->name, (unsigned int)spec->owner, failure.reason);
}

static struct volume *find_by_uuid(struct manager *m, const char *uuid)
{
	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v)) {
		if (strcmp(uuid_of(v), uuid) == 0)
			return v;
	}
	return NULL;
}

/* Takes one lease of this holder out of the list; NULL: there is none. */
static struct lease *take_one(struct front *front, const struct connection *holder)
{
	for (struct lease **at = &front->leases; *at; at = &(*at)->next) {
		struct lease *l = *at;

		if (l->holder == holder) {
			*at = l->next;
			return l;
		}
	}
	return NULL;
}

void leases_end(struct front *front, const struct connection *holder)
{
	struct lease *l;

	while ((l = take_one(front, holder))) {
		struct volume *v = find_by_uuid(front->m, l->uuid);

		free(l);
		if (v)
			lease_release_if_unheld(front, v);
	}
}

/* All that are on one volume, which is gone. */
static void drop_all(struct front *front, const char *uuid)
{
	struct lease **at = &front->leases;

	while (*at) {
		struct lease *l = *at;

		if (strcmp(l->uuid, uuid) != 0) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
}

void leases_volume_changed(struct front *front, const struct volume *volume)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	if (info.state == VOLUME_GONE) {
		drop_all(front, info.uuid);
		return;
	}
	for (struct lease *l = front->leases; l; l = l->next) {
		if (l->holder || strcmp(l->uuid, info.uuid) != 0)
			continue;
		l->due = true;
		sd_event_source_set_enabled(front->second_try, SD_EVENT_ONESHOT);
	}
}

/* Takes one that is due out of the list; NULL: there is none. */
static struct lease *take_due(struct front *front)
{
	for (struct lease **at = &front->leases; *at; at = &(*at)->next) {
		struct lease *l = *at;

		if (l->due) {
			*at = l->next;
			return l;
		}
	}
	return NULL;
}

void leases_try_again(struct front *front)
{
	struct lease *l;

	/* One that still has to wait is put back, and not due. */
	while ((l = take_due(front))) {
		struct volume *v = find_by_uuid(front->m, l->uuid);

		free(l);
		if (v)
			lease_release_if_unheld(front, v);
	}
}

/* A volume is only ever released outside of an iteration, so each round starts anew. */
static struct volume *next_unheld(struct front *front, size_t skip)
{
	for (struct volume *v = volume_next(front->m, NULL); v; v = volume_next(front->m, v)) {
		if (is_leasable(v) && !is_held(front, uuid_of(v)) && skip-- == 0)
			return v;
	}
	return NULL;
}

void leases_release_all_unheld(struct front *front)
{
	struct volume *v;
	size_t stayed = 0;

	while ((v = next_unheld(front, stayed))) {
		char uuid[NAME_UUID_LEN + 1];

		memcpy(uuid, uuid_of(v), sizeof(uuid));
		lease_release_if_unheld(front, v);
		/* One that refuses is passed by. */
		v = find_by_uuid(front->m, uuid);
		if (v && is_leasable(v))
			stayed++;
	}
}

void leases_free(struct front *front)
{
	volume_forget_caller(front->m, &front->leases);
	while (front->leases) {
		struct lease *l = front->leases;

		front->leases = l->next;
		free(l);
	}
}
