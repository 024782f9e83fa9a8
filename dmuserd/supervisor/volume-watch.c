// SPDX-License-Identifier: Apache-2.0
/*
 * Looking for volumes that the kernel has given up while their worker lives on.
 *
 * A request that was not answered in time has failed, and a bad answer breaks the channel, while the worker, which may
 * hang in a system call or be stopped, need not notice. So one device-mapper child now and then asks for such volumes
 * among all; without a volume in use there is none. What is found is degraded, and its worker killed: whatever it was
 * at, its volume is lost. Killed again at each look, as long as it lives: whoever does it may not have heard.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/volume-internal.h"

#include <string.h>

/* A quarter of the time-out, so that it is told soon after; a look costs a process and a call a volume. */
#define SHARE	    4
#define INTERVAL_MIN_MS 500
#define INTERVAL_MAX_MS 10000

static uint64_t interval_usec(const struct volumes *set)
{
	uint64_t ms = set->manager->settings.io_timeout_ms / SHARE;

	/* Without a time-out there are bad answers. */
	if (ms == 0 || ms > INTERVAL_MAX_MS)
		ms = INTERVAL_MAX_MS;
	return (ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : ms) * 1000;
}

static bool is_in_use(const struct volume *v)
{
	return v->operation == OPERATION_NONE && v->state == VOLUME_ACTIVE;
}

static bool has_any_in_use(const struct volumes *set)
{
	const struct volume *v;

	TAILQ_FOREACH(v, &set->list, entry)
		if (is_in_use(v))
			return true;
	return false;
}

static void give_up(struct volumes *set, const char *dm_uuid)
{
	struct volume *v;

	TAILQ_FOREACH(v, &set->list, entry)
		if (is_in_use(v) && strcmp(v->dm_uuid, dm_uuid) == 0)
			break;
	if (!v)
		return;
	volume_set_error(v, "the worker did not answer a request in time (io_timeout_ms), or gave a bad "
			    "answer");
	if (v->worker && worker_is_alive(v->worker))
		worker_kill(v->worker);
	volume_degrade(v);
}

/* What the spawner was told last time is lost if the link to it was. */
static void kill_again(struct volumes *set)
{
	struct volume *v;

	TAILQ_FOREACH(v, &set->list, entry)
		if (v->operation == OPERATION_NONE && v->state == VOLUME_DEGRADED && v->worker &&
		    worker_is_alive(v->worker))
			worker_kill(v->worker);
}

static void look_again(struct volumes *set)
{
	int r = sd_event_source_set_time_relative(set->watch, interval_usec(set));

	if (r >= 0)
		r = sd_event_source_set_enabled(set->watch, SD_EVENT_ONESHOT);
	if (r < 0)
		log_print(LOG_ERR, "workers that do not answer are not looked for any more: %s", strerror(-r));
}

static void on_deaf(void *userdata, const struct dm_result *result)
{
	struct volumes *set = userdata;

	set->watch_call = NULL;
	if (result->error < 0)
		log_limited(LOG_WARNING, "cannot look for workers that do not answer: %s", result->message);
	for (uint32_t i = 0; result->error == 0 && i < result->n_devices; i++)
		give_up(set, result->devices[i].uuid);
	look_again(set);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	static const struct dm_request request = { .operation = DM_OP_LIST_DEAF };
	struct volumes *set = userdata;

	kill_again(set);
	if (!has_any_in_use(set) ||
	    dm_queue_add(set->dm_queue, &request, set->manager->settings.device_mapper_timeout_ms,
			 on_deaf, set, &set->watch_call) < 0)
		look_again(set);
	return 0;
}

int volumes_watch(struct volumes *set)
{
	int r = sd_event_add_time_relative(set->manager->event, &set->watch, CLOCK_MONOTONIC,
					   interval_usec(set), 0, on_time, set);

	return r < 0 ? r : 0;
}

void volumes_watch_free(struct volumes *set)
{
	dm_queue_cancel(set->watch_call);
	set->watch = sd_event_source_disable_unref(set->watch);
}
