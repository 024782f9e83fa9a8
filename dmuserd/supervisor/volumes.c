// SPDX-License-Identifier: Apache-2.0
/*
 * All volumes of a supervisor: making one or joining one that is there, and their beginning and
 * end. Which one is meant by a name is volume-find.c's to say.
 */
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"

#include <string.h>
#include <sys/stat.h>

int volumes_new(struct manager *m, struct volumes **ret_volumes)
{
	struct volumes *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	set->manager = m;
	TAILQ_INIT(&set->list);
	TAILQ_INIT(&set->dying);
	r = uid_pool_new(m->settings.worker_uid_base, m->settings.worker_uid_count, &set->uids);
	if (r == 0)
		r = dm_queue_new(m->event, &set->dm_queue);
	if (r == 0)
		r = journal_init(m->settings.run_dir);
	if (r == 0)
		r = volumes_adopt(set);
	if (r == 0)
		r = volumes_watch(set);
	if (r < 0) {
		volumes_free(set);
		return r;
	}
	*ret_volumes = set;
	return 0;
}

void volumes_free(struct volumes *set)
{
	struct volume *v;

	if (!set)
		return;
	while ((v = TAILQ_FIRST(&set->list)))
		volume_free(v);
	volumes_adopt_free(set->adoption);
	volumes_watch_free(set);
	dm_queue_free(set->dm_queue);
	uid_pool_free(set->uids);
	free(set);
}

struct volume *volume_next(struct manager *m, struct volume *previous)
{
	struct volume *v = previous ? TAILQ_NEXT(previous, entry) : TAILQ_FIRST(&m->volumes->list);

	while (v && v->hidden)
		v = TAILQ_NEXT(v, entry);
	return v;
}

void volume_forget_caller(struct manager *m, void *userdata)
{
	struct volume *v;

	TAILQ_FOREACH(v, &m->volumes->list, entry)
		volume_forget_waiters(v, userdata);
	TAILQ_FOREACH(v, &m->volumes->dying, entry)
		volume_forget_waiters(v, userdata);
}

void volume_set_observer(struct manager *m, volume_event_fn fn)
{
	m->volumes->observer = fn;
}

static void reply_found(struct volume *v)
{
	/* What happened in between tells those who wait by itself. */
	if (v->operation == OPERATION_NONE)
		volume_reply_created(v);
}

/* The field in which what was found is not what was asked for, or NULL. */
static const char *difference(const struct volume *v, const struct volume_spec *spec, bool bound)
{
	const char *field = volume_difference(v, spec);

	/* One that is bound ends with its container, kept or not. */
	return !field && !bound && v->spec.keep != spec->keep ? "keep" : field;
}

/* Consumes pidfd. */
static int join(struct volume *v, const struct volume_spec *spec, const char *container_id,
		int pidfd, volume_created_fn done, void *userdata, struct failure *failure)
{
	_cleanup_(closep) int consumed = pidfd;
	const char *field = difference(v, spec, container_id);
	int r;

	r = volume_check_settled(v, failure);
	if (r < 0)
		return r;
	if (field)
		return failure_set(failure, FAILURE_SPECIFICATION_MISMATCH, field,
				   "volume %s exists with another %s", spec->name, field);
	if (container_id)
		r = volume_bind(v, container_id, take_fd(&consumed), failure);
	if (r < 0)
		return r;
	r = volume_add_waiter(v, done, NULL, false, userdata);
	if (r == 0 && v->operation == OPERATION_NONE)
		r = volume_defer(v, reply_found);
	if (r < 0) {
		volume_forget_waiters(v, userdata);
		return failure_set(failure, FAILURE_QUOTA_EXCEEDED, "memory", "out of memory");
	}
	return 0;
}

static void begin(struct volume *v)
{
	volume_changed(v);
	volume_go(v, OPERATION_CREATE, volume_create_steps, volume_n_create_steps);
}

int volume_create(struct manager *m, const struct volume_spec *spec, const char *container_id,
		  int pidfd, volume_created_fn done, void *userdata, struct failure *failure)
{
	_cleanup_(closep) int consumed = pidfd;
	struct volume *v = volume_find(m, spec->owner, container_id, spec->name);
	int r;

	if (v)
		return join(v, spec, container_id, take_fd(&consumed), done, userdata, failure);
	r = volume_new(m->volumes, spec, &v);
	if (r == 0)
		r = volume_add_waiter(v, done, NULL, true, userdata);
	if (r == 0)
		r = volume_defer(v, begin);
	if (r < 0) {
		volume_free(v);
		return failure_set(failure, FAILURE_QUOTA_EXCEEDED, "memory", "out of memory");
	}
	v->operation = OPERATION_CREATE;
	v->size_bytes = spec->size_bytes == PARSER_UNSET ? 0 : spec->size_bytes;
	if (container_id) {
		snprintf(v->container, sizeof(v->container), "%s", container_id);
		v->container_pidfd = take_fd(&consumed);
	}
	return 0;
}
