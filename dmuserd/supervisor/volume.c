// SPDX-License-Identifier: Apache-2.0
/*
 * One volume: what it is, and what it says of itself. See volume.h and volume-internal.h.
 *
 * Starts no process and ends none; the steps do.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <systemd/sd-id128.h>

#define SECTOR_BYTES 512

static int choose_uuid(char ret_uuid[static NAME_UUID_LEN + 1])
{
	sd_id128_t id;
	int r = sd_id128_randomize(&id);

	if (r < 0)
		return r;
	snprintf(ret_uuid, NAME_UUID_LEN + 1, SD_ID128_UUID_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
	return 0;
}

int volume_new(struct volumes *set, const struct volume_spec *spec, struct volume **ret_volume)
{
	struct volume *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	r = choose_uuid(v->uuid);
	if (r < 0) {
		free(v);
		return r;
	}
	v->set = set;
	v->spec = *spec;
	v->generation = 1;
	v->state = VOLUME_CREATED;
	v->container_pidfd = -EBADF;
	v->channel = -EBADF;
	TAILQ_INIT(&v->waiters);
	v->in = &set->list;
	TAILQ_INSERT_TAIL(v->in, v, entry);
	*ret_volume = v;
	return 0;
}

void volume_free(struct volume *v)
{
	struct waiter *w;

	if (!v)
		return;
	TAILQ_REMOVE(v->in, v, entry);
	sd_event_source_disable_unref(v->deferred);
	sd_event_source_disable_unref(v->timer);
	sd_event_source_disable_unref(v->reply_timer);
	dm_queue_cancel(v->dm_call);
	backing_cancel(v->backing_call);
	holders_cancel(v->holders_call);
	volume_look_cancel(v);
	worker_free(v->worker);
	container_free(v->owner);
	while ((w = TAILQ_FIRST(&v->waiters))) {
		TAILQ_REMOVE(&v->waiters, w, entry);
		free(w);
	}
	fd_close_many(v->resources, v->n_resources);
	closep(&v->container_pidfd);
	closep(&v->channel);
	free(v->placeholder);
	free(v->left);
	free(v);
}

bool volume_is_blank(const struct volume *v)
{
	return v->blank && !v->passed_on;
}

/* Padding too: it is compared as a whole. */
static void look_at(const struct volume *v, struct volume_shown *ret_shown)
{
	struct volume_info info;

	volume_get_info(v, &info);
	memset(ret_shown, 0, sizeof(*ret_shown));
	ret_shown->state = info.state;
	ret_shown->size_bytes = info.size_bytes;
	ret_shown->generation = info.generation;
	ret_shown->worker_pid = info.worker_pid;
	ret_shown->worker_uid = info.worker_uid;
	ret_shown->container_pid = info.container_pid;
	ret_shown->keep = info.spec->keep;
	ret_shown->blank = info.blank;
	snprintf(ret_shown->device, sizeof(ret_shown->device), "%s", v->device);
	snprintf(ret_shown->container, sizeof(ret_shown->container), "%s", v->container);
	snprintf(ret_shown->error, sizeof(ret_shown->error), "%s", v->error);
}

static bool has_news(struct volume *v)
{
	struct volume_shown shown;

	if (v->size_bytes == 0)
		return false;
	look_at(v, &shown);
	if (memcmp(&shown, &v->shown, sizeof(shown)) == 0)
		return false;
	memcpy(&v->shown, &shown, sizeof(shown));
	return true;
}

void volume_changed(struct volume *v)
{
	if (v->set->observer && !v->hidden)
		v->set->observer(v->set->manager, v, has_news(v));
}

void volume_changed_for_good(struct volume *v, const char *what)
{
	int r = v->operation == OPERATION_NONE ? volume_journal(v, JOURNAL_COMPLETE) : 0;

	if (r < 0)
		volume_set_error(v, "%s is not in the journal: %s", what, strerror(-r));
	volume_changed(v);
}

void volume_set_state(struct volume *v, enum volume_state state)
{
	if (v->state == state)
		return;
	v->state = state;
	volume_changed(v);
}

void volume_set_error(struct volume *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->error, sizeof(v->error), format, args);
	va_end(args);
	log_print(LOG_WARNING, "volume %s of uid %u: %s", v->spec.name, v->spec.owner, v->error);
}

int volume_fail(struct volume *v, enum failure_kind kind, const char *subject, const char *format,
		...)
{
	char reason[sizeof(v->failure.reason)];
	va_list args;

	if (v->failure.kind != FAILURE_NONE)
		return -ECANCELED;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return failure_set(&v->failure, kind, subject, "%s", reason);
}

int volume_check_settled(const struct volume *v, struct failure *failure)
{
	if (v->operation == OPERATION_UNWIND)
		return failure_set(failure, FAILURE_OPERATION_PENDING, "release",
				   "volume %s is being released", v->spec.name);
	if (v->operation == OPERATION_ADOPT)
		return failure_set(failure, FAILURE_OPERATION_PENDING, "adopt",
				   "volume %s is being taken over; try again", v->spec.name);
	return 0;
}

/* The table line after `user`. An image that was opened read-only makes a device that says so. */
static void write_table(const struct volume *v, uint64_t size_sectors, char *ret, size_t size)
{
	const struct volume_spec *s = &v->spec;
	bool caches = s->backend->manifest.volatile_cache;
	uint32_t timeout_ms = volume_settings(v)->io_timeout_ms;
	char node[CHANNEL_NODE_SIZE];

	channel_node(v->uuid, v->generation, node);
	snprintf(ret, size,
		 "0 %" PRIu64 " %s %d volatile_cache %s block_size %" PRIu32
		 " attach_timeout_ms %" PRIu32 " request_timeout_ms %" PRIu32 "%s",
		 size_sectors, node, s->read_only ? 9 : 8, caches ? "on" : "off", s->block_size,
		 timeout_ms, timeout_ms, s->read_only ? " read_only" : "");
}

void volume_dm_request(const struct volume *v, enum dm_operation operation, struct dm_request *ret)
{
	*ret = (struct dm_request){
		.operation = operation,
		.size_sectors = v->size_bytes / SECTOR_BYTES,
		.read_only = v->spec.read_only,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", v->dm_name);
	snprintf(ret->uuid, sizeof(ret->uuid), "%s", v->dm_uuid);
	if (operation == DM_OP_CREATE)
		write_table(v, ret->size_sectors, ret->params, sizeof(ret->params));
	else if (operation == DM_OP_MESSAGE)
		snprintf(ret->params, sizeof(ret->params), "fail");
}

int volume_dm_start(struct volume *v, enum dm_operation operation, dm_done_fn done)
{
	struct dm_request request;

	volume_dm_request(v, operation, &request);
	return dm_queue_add(v->set->dm_queue, &request,
			    volume_settings(v)->device_mapper_timeout_ms, done, v, &v->dm_call);
}

const struct settings *volume_settings(const struct volume *v)
{
	return &v->set->manager->settings;
}

uint64_t volume_now_usec(const struct volume *v)
{
	uint64_t now = 0;

	sd_event_now(v->set->manager->event, CLOCK_MONOTONIC, &now);
	return now;
}

uint64_t volume_in_usec(const struct volume *v, uint64_t ms)
{
	uint64_t now = volume_now_usec(v);

	return ms > (UINT64_MAX - now) / 1000 ? UINT64_MAX - 1 : now + ms * 1000;
}

struct deferral {
	struct volume *volume;
	void (*fn)(struct volume *v);
};

static int on_deferred(sd_event_source *source, void *userdata)
{
	struct deferral *d = userdata;
	struct volume *v = d->volume;
	void (*fn)(struct volume *v) = d->fn;

	v->deferred = sd_event_source_disable_unref(v->deferred);
	fn(v);
	return 0;
}

int volume_defer(struct volume *v, void (*fn)(struct volume *v))
{
	struct deferral *d = malloc(sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	*d = (struct deferral){ .volume = v, .fn = fn };
	v->deferred = sd_event_source_disable_unref(v->deferred);
	r = sd_event_add_defer(v->set->manager->event, &v->deferred, on_deferred, d);
	if (r < 0) {
		free(d);
		return r;
	}
	sd_event_source_set_destroy_callback(v->deferred, free);
	return 0;
}

void volume_set_timer(struct volume *v, uint64_t usec, sd_event_time_handler_t fn)
{
	int r;

	v->timer = sd_event_source_disable_unref(v->timer);
	if (!fn)
		return;
	r = sd_event_add_time_relative(v->set->manager->event, &v->timer, CLOCK_MONOTONIC, usec,
				       1000, fn, v);
	/* Without memory for a timer nothing would ever go on; a new supervisor can. */
	if (r < 0)
		sd_event_exit(v->set->manager->event, r);
}

const struct volume_spec *volume_spec(const struct volume *v)
{
	return &v->spec;
}

void volume_get_info(const struct volume *v, struct volume_info *ret_info)
{
	bool alive = v->worker && worker_is_alive(v->worker);

	*ret_info = (struct volume_info){
		.name = v->spec.name,
		.uuid = v->uuid,
		.device = v->device[0] ? v->device : NULL,
		.container = v->container[0] ? v->container : NULL,
		.error = v->error[0] ? v->error : NULL,
		.owner = v->spec.owner,
		.worker_uid = alive ? v->worker_uid : 0,
		.worker_pid = alive ? worker_pid(v->worker) : 0,
		.container_pid = v->owner ? container_identity(v->owner)->pid : 0,
		.state = v->state,
		.spec = &v->spec,
		.size_bytes = v->size_bytes,
		.generation = v->generation,
		.blank = volume_is_blank(v),
	};
}
