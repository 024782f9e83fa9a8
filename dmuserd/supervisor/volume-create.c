// SPDX-License-Identifier: Apache-2.0
/*
 * The steps from asked-for to active, in one table, and what follows when they end.
 *
 * The order is the safety: nothing is started before it can be cleaned up after a crash (journal),
 * no channel is opened before the worker has passed the gate, and the device does not go live
 * before the worker serves it, so that nobody who looks at a new device can hang on it.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/usage.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <inttypes.h>
#include <string.h>

/* What an earlier supervisor left must be known, or its uids and names would be given again. */
static int start_adoption(struct volume *v)
{
	return v->set->adopted ? STEP_DONE : STEP_PENDING;
}

void volume_adoption_known(struct volume *v)
{
	/* One that has not begun will not have to wait. */
	if (v->operation == OPERATION_CREATE && v->steps &&
	    v->steps[v->step].start == start_adoption)
		volume_step_done(v, 0);
}

static int start_uid(struct volume *v)
{
	if (uid_pool_take(v->set->uids, &v->worker_uid) < 0) {
		int r = volume_fail(v, FAILURE_QUOTA_EXCEEDED, "workers",
				    "every uid for workers is in use (worker_uid_count in dmuserd.conf)");

		v->failure.limit = volume_settings(v)->worker_uid_count;
		v->failure.setting = "worker_uid_count";
		return r;
	}
	v->has_uid = true;
	snprintf(v->group, sizeof(v->group), "%s", v->container[0] ? v->container : v->uuid);
	return STEP_DONE;
}

static int undo_uid(struct volume *v)
{
	if (v->has_uid)
		uid_pool_release(v->set->uids, v->worker_uid);
	v->has_uid = false;
	return STEP_DONE;
}

/* Resources are opened one after the other, in the manifest's order; v->n_resources counts them. */

static const struct worker_option *option_that_opens(const struct volume *v, size_t resource)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;

	for (uint32_t i = 0; i < m->n_options; i++) {
		if (m->options[i].opens != resource + 1)
			continue;
		for (size_t j = 0; j < v->spec.n_options; j++)
			if (strcmp(v->spec.options[j].name, m->options[i].name) == 0)
				return &v->spec.options[j];
	}
	return NULL;
}

/*
 * The manifest's limits were checked on what was asked for; a size that was found meets them here.
 */
static int check_found_size(struct volume *v, uint64_t size_bytes)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;

	if (size_bytes >= m->min_size_bytes && size_bytes <= m->max_size_bytes)
		return 0;
	return failure_set_size(&v->failure, "what it is to lie in", size_bytes, m);
}

static int open_resources(struct volume *v);

static void on_image_opened(void *userdata, const struct backing *backing,
			    const struct failure *failure)
{
	struct volume *v = userdata;
	int r;

	v->backing_call = NULL;
	if (!backing) {
		if (v->failure.kind == FAILURE_NONE)
			v->failure = *failure;
		volume_step_done(v, -EIO);
		return;
	}
	if (backing->made) {
		snprintf(v->made_image, sizeof(v->made_image), "%s",
			 option_that_opens(v, v->n_resources)->value);
		v->made_resource = v->n_resources;
	}
	v->blank = v->blank || backing->made;
	v->resources[v->n_resources++] = backing->fd;
	v->size_bytes = backing->size_bytes;
	r = check_found_size(v, backing->size_bytes);
	if (r == 0) {
		volume_changed(v);
		r = open_resources(v);
	}
	if (r != STEP_PENDING)
		volume_step_done(v, r);
}

static int open_image(struct volume *v)
{
	const struct worker_option *option = option_that_opens(v, v->n_resources);
	struct backing_request request;
	int r;

	if (!option)
		return volume_fail(v, FAILURE_INVALID_OPTION, "path",
				   "backend %s needs a path to what it serves",
				   v->spec.backend->manifest.type);
	request = (struct backing_request){
		.option = option->name,
		.path = option->value,
		.owner = v->spec.owner,
		.size_bytes = v->spec.size_bytes,
		.min_size_bytes = v->spec.backend->manifest.min_size_bytes,
		.block_size = v->spec.block_size,
		.read_only = v->spec.read_only,
	};
	r = backing_start(v->set->manager->event, &request,
			  volume_settings(v)->worker_start_timeout_ms, on_image_opened, v,
			  &v->backing_call);
	if (r < 0)
		return volume_fail(v, FAILURE_INVALID_OPTION, option->name, "cannot open: %s",
				   strerror(-r));
	return STEP_PENDING;
}

/* The smallest size that the backend serves and that is whole blocks. */
static uint64_t smallest_size(const struct volume *v)
{
	uint64_t block = v->spec.block_size;

	return (v->spec.backend->manifest.min_size_bytes + block - 1) / block * block;
}

static uint64_t largest_size(const struct volume *v)
{
	uint64_t max = v->spec.backend->manifest.max_size_bytes;

	return max - max % v->spec.block_size;
}

/* With what the backend serves and this machine does not. max_bytes: whole blocks. */
static int fail_memory_size(struct volume *v, uint64_t max_bytes, int r)
{
	v->failure.min_size_bytes = smallest_size(v);
	v->failure.max_size_bytes = max_bytes;
	return r;
}

/* No size at all could be asked for instead. */
static int fail_every_size(struct volume *v)
{
	uint64_t max_bytes = volume_settings(v)->memory_volume_bytes_max;
	int r = volume_fail(v, FAILURE_QUOTA_EXCEEDED, "memory_volume_bytes",
			    "memory_volume_bytes_max in dmuserd.conf allows %" PRIu64 " bytes, and a volume of "
			    "backend %s has at least %" PRIu64, max_bytes, v->spec.backend->manifest.type,
			    smallest_size(v));

	v->failure.limit = max_bytes;
	v->failure.setting = "memory_volume_bytes_max";
	return r;
}

/* A sparse memory file may have any size; that it cannot be filled would only turn out in use. */
static int check_memory_size(struct volume *v)
{
	struct memory_limit limit = usage_memory_limit(volume_settings(v), v->spec.block_size);

	if (limit.is_set && limit.max_bytes < smallest_size(v))
		return fail_every_size(v);
	if (v->size_bytes <= limit.max_bytes)
		return 0;
	return fail_memory_size(v, limit.max_bytes,
		volume_fail(v, FAILURE_INVALID_SIZE, NULL,
			    "a volume of %" PRIu64 " bytes in memory, and %s %" PRIu64 "%s",
			    v->size_bytes, limit.words, limit.max_bytes,
			    limit.is_set ? "" : " (memory_volume_bytes_max in dmuserd.conf "
						"could allow it)"));
}

static int open_memory(struct volume *v)
{
	char name[sizeof(v->uuid) + 16];
	int r = check_memory_size(v);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "dmuser-%s", v->uuid);
	r = backing_open_memory(name, v->size_bytes, &v->resources[v->n_resources]);
	if (r < 0)
		return fail_memory_size(v, largest_size(v),
			volume_fail(v, FAILURE_INVALID_SIZE, NULL,
				    "this machine cannot have %" PRIu64 " bytes of memory in one piece: %s",
				    v->size_bytes, strerror(-r)));
	v->n_resources++;
	v->blank = true;
	return STEP_DONE;
}

static int open_resources(struct volume *v)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;

	while (v->n_resources < m->n_resources) {
		int r = m->resources[v->n_resources] == MANIFEST_MEMFD ? open_memory(v)
								       : open_image(v);

		if (r != STEP_DONE)
			return r;
	}
	if (v->size_bytes == 0)
		return volume_fail(v, FAILURE_INVALID_PARAMETER, "size_bytes",
				   "backend %s has no size of its own", m->type);
	return STEP_DONE;
}

static int start_backing(struct volume *v)
{
	return open_resources(v);
}

static int undo_backing(struct volume *v)
{
	/* Nobody has had a byte of it; it is not the user's yet. */
	if (v->made_image[0])
		backing_unlink(v->made_image, v->resources[v->made_resource]);
	fd_close_many(v->resources, v->n_resources);
	v->n_resources = 0;
	return STEP_DONE;
}

static int write_journal(struct volume *v, enum journal_stage stage)
{
	int r = volume_journal(v, stage);

	if (r < 0)
		return volume_fail(v, FAILURE_BACKEND_FAILED, NULL, "journal: %s", strerror(-r));
	v->journaled = true;
	return STEP_DONE;
}

static int start_journal(struct volume *v)
{
	return write_journal(v, JOURNAL_CREATING);
}

static int undo_journal(struct volume *v)
{
	int r = v->journaled ? journal_remove(volume_settings(v)->run_dir, v->uuid) : 0;

	if (r < 0)
		log_print(LOG_WARNING, "volume %s of uid %u: its journal entry stays: %s",
			  v->spec.name, v->spec.owner, strerror(-r));
	v->journaled = false;
	return STEP_DONE;
}

static int start_complete(struct volume *v)
{
	return write_journal(v, JOURNAL_COMPLETE);
}

const struct volume_step volume_create_steps[] = {
	{ "adoption", start_adoption, NULL },
	{ "driver", volume_start_driver, NULL },
	{ "container", volume_start_container, volume_undo_container },
	/* Before the turn: a file system that hangs is in the way of those alone who use it. */
	{ "backing", start_backing, undo_backing },
	{ "turn", volume_start_turn, NULL },
	{ "uid", start_uid, undo_uid },
	{ "journal", start_journal, undo_journal },
	{ "sockets", volume_start_sockets, volume_undo_sockets },
	{ "spawn", volume_start_spawn, volume_undo_spawn },
	{ "seal", volume_start_seal, NULL },
	{ "hello", volume_start_hello, NULL },
	{ "gate", volume_start_gate, NULL },
	{ "end of turn", volume_start_end_of_turn, NULL },
	{ "device", volume_start_device, volume_undo_device },
	{ "channel", volume_start_channel, NULL },
	{ "resume", volume_start_resume, NULL },
	{ "journal of the whole", start_complete, NULL },
};
const size_t volume_n_create_steps = ARRAY_SIZE(volume_create_steps);

static const char *container_of(const struct volume *v)
{
	return v->container[0] ? v->container : NULL;
}

/* When the volume is gone, nobody could say any more why. */
static void remember_failure(struct volume *v)
{
	char text[FAILURE_MEMORY_TEXT_SIZE];

	if (!failure_outlasts(&v->failure))
		return;
	failure_describe(&v->failure, text, sizeof(text));
	failure_memory_keep(&v->set->manager->failures, v->spec.owner, container_of(v), v->spec.name,
			    text, volume_now_usec(v));
}

static void begin_unwinding(struct volume *v)
{
	struct failure failure = v->failure;

	log_limited(LOG_WARNING, "volume %s of uid %u: creation failed at %s: %s", v->spec.name,
		    v->spec.owner, volume_step_name(v), failure.reason);
	remember_failure(v);
	volume_end_turn(v);
	v->operation = OPERATION_UNWIND;
	/*
	 * Nobody uses a device that never went live; only a stray look into it can be in the way.
	 */
	v->drain.deadline_usec = volume_in_usec(v, 1000);
	volume_arm_reply_timer(v);
	volume_set_state(v, VOLUME_RELEASING);
	volume_unwind(v);
}

void volume_create_finished(struct volume *v, int r)
{
	if (r < 0) {
		volume_fail(v, FAILURE_BACKEND_FAILED, NULL, "%s: %s", volume_step_name(v),
			    strerror(-r));
		begin_unwinding(v);
		return;
	}
	v->made_image[0] = '\0';
	v->operation = OPERATION_NONE;
	failure_memory_forget(&v->set->manager->failures, v->spec.owner, container_of(v),
			      v->spec.name);
	log_print(LOG_INFO, "volume %s of uid %u: active as %s, worker %d of uid %u", v->spec.name,
		  v->spec.owner, v->device, worker_pid(v->worker), v->worker_uid);
	volume_set_state(v, VOLUME_ACTIVE);
	volume_reply_created(v);
}

static void finish_aborted(struct volume *v)
{
	/* Whatever it waited for has come meanwhile. */
	if (v->operation == OPERATION_CREATE)
		volume_create_finished(v, -ECANCELED);
}

/*
 * What may have changed the world when it ends is waited for: a device-mapper child, a spawn, an
 * image. Each has its own deadline. A word of the worker or of the adoption, or a turn, is not.
 */
void volume_create_abort(struct volume *v)
{
	if (v->operation != OPERATION_CREATE)
		return;
	if (v->awaits_worker) {
		worker_cancel_step(v->worker);
		v->awaits_worker = false;
	} else if (v->turn == TURN_AWAITED) {
		volume_end_turn(v);
	} else if (!v->steps || v->step >= v->n_steps ||
		   v->steps[v->step].start != start_adoption) {
		return;
	}
	/* Not from here: whoever called may look at the volume yet. */
	if (volume_defer(v, finish_aborted) < 0)
		sd_event_exit(v->set->manager->event, -ENOMEM);
}
