// SPDX-License-Identifier: Apache-2.0
/* A volume to its journal entry and back. Copies fields; decides nothing. */
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static void freepp(struct journal_entry **entry)
{
	free(*entry);
}

static void put_spec(const struct volume *v, struct journal_entry *e)
{
	const struct volume_spec *s = &v->spec;

	snprintf(e->name, sizeof(e->name), "%s", s->name);
	snprintf(e->backend, sizeof(e->backend), "%s", s->backend->manifest.type);
	e->owner = s->owner;
	e->owner_gid = s->owner_gid;
	e->asked_size_bytes = s->size_bytes;
	e->size_bytes = v->size_bytes;
	e->block_size = s->block_size;
	e->read_only = s->read_only;
	e->keep = s->keep;
	e->blank = volume_is_blank(v);
	e->n_options = (uint32_t)s->n_options;
	memcpy(e->options, s->options, s->n_options * sizeof(s->options[0]));
}

static void put_worker(const struct volume *v, struct journal_entry *e)
{
	e->worker_uid = v->worker_uid;
	e->generation = v->generation;
	snprintf(e->group, sizeof(e->group), "%s", v->group);
	for (size_t i = 0; i < v->n_resources; i++) {
		struct statx stx;

		if (fd_identify(v->resources[i], &stx) < 0)
			continue;
		e->resources[i].dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
		e->resources[i].ino = stx.stx_ino;
	}
	e->n_resources = (uint32_t)v->n_resources;
}

static void put_container(const struct volume *v, struct journal_entry *e)
{
	const struct container_identity *id;

	if (!v->owner)
		return;
	id = container_identity(v->owner);
	snprintf(e->container, sizeof(e->container), "%s", v->container);
	snprintf(e->container_cgroup, sizeof(e->container_cgroup), "%s", id->cgroup);
	e->container_pid = id->pid;
	e->container_start_time = id->start_time;
}

int volume_journal(struct volume *v, enum journal_stage stage)
{
	_cleanup_(freepp) struct journal_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	snprintf(e->uuid, sizeof(e->uuid), "%s", v->uuid);
	e->stage = stage;
	put_spec(v, e);
	put_worker(v, e);
	put_container(v, e);
	if (v->state == VOLUME_DEGRADED)
		snprintf(e->error, sizeof(e->error), "%s", v->error);
	return journal_write(volume_settings(v)->run_dir, e);
}

/* A backend that was removed from the machine still has a name. */
static int find_backend(struct volume *v, const char *type)
{
	v->spec.backend = backend_find(v->set->manager, type);
	if (v->spec.backend)
		return 0;
	v->placeholder = calloc(1, sizeof(*v->placeholder));
	if (!v->placeholder)
		return -ENOMEM;
	snprintf(v->placeholder->manifest.type, sizeof(v->placeholder->manifest.type), "%s", type);
	v->spec.backend = v->placeholder;
	return 0;
}

int volume_from_journal(struct volumes *set, const struct journal_entry *e,
			struct volume **ret_volume)
{
	_cleanup_(volume_freep) struct volume *v = NULL;
	struct volume_spec spec = {
		.owner = e->owner,
		.owner_gid = e->owner_gid,
		.size_bytes = e->asked_size_bytes,
		.block_size = e->block_size,
		.read_only = e->read_only,
		.keep = e->keep,
		.n_options = e->n_options,
	};
	int r;

	snprintf(spec.name, sizeof(spec.name), "%.*s", NAME_VOLUME_MAX, e->name);
	memcpy(spec.options, e->options, e->n_options * sizeof(e->options[0]));
	r = volume_new(set, &spec, &v);
	if (r == 0)
		r = find_backend(v, e->backend);
	if (r < 0)
		return r;
	snprintf(v->uuid, sizeof(v->uuid), "%.*s", NAME_UUID_LEN, e->uuid);
	snprintf(v->container, sizeof(v->container), "%.*s", NAME_CONTAINER_MAX, e->container);
	snprintf(v->group, sizeof(v->group), "%s", e->group);
	v->generation = e->generation;
	v->size_bytes = e->size_bytes;
	v->blank = e->blank;
	v->worker_uid = e->worker_uid;
	v->journaled = true;
	*ret_volume = take_ptr(&v);
	return 0;
}
