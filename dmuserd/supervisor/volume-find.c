// SPDX-License-Identifier: Apache-2.0
/*
 * Which volume is meant: by its whole key, or by what a caller says of it; see volume.h.
 *
 * A volume is known by its owner, its container or none, and its name. Names of different owners do not meet,
 * and no owner has two volumes of one key, other than one that is on its way out. Pure: makes no system call
 * and changes nothing; knows of a volume what anybody may.
 */
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/volume.h"

#include <string.h>

static bool is_named(const struct volume_info *info, uid_t owner, const char *name)
{
	return info->owner == owner && strcmp(info->name, name) == 0;
}

static bool is_of_container(const struct volume_info *info, const char *container)
{
	if (!info->container || !container)
		return !info->container && !container;
	return strcmp(info->container, container) == 0;
}

struct volume *volume_find(struct manager *m, uid_t owner, const char *container, const char *name)
{
	struct volume *v;

	for (v = volume_next(m, NULL); v; v = volume_next(m, v)) {
		struct volume_info info;

		volume_get_info(v, &info);
		if (is_named(&info, owner, name) && is_of_container(&info, container))
			break;
	}
	return v;
}

/* Counts those that are bound, and gives the first of them. */
static size_t find_bound(struct manager *m, uid_t owner, const char *name, struct volume **ret_first)
{
	struct volume *first = NULL;
	size_t n = 0;

	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v)) {
		struct volume_info info;

		volume_get_info(v, &info);
		if (!is_named(&info, owner, name) || !info.container)
			continue;
		first = first ? first : v;
		n++;
	}
	*ret_first = first;
	return n;
}

int volume_pick(struct manager *m, uid_t owner, const char *container, const char *name,
		struct volume **ret_volume, struct failure *failure)
{
	struct volume *v = volume_find(m, owner, container, name);

	if (!v && !container && find_bound(m, owner, name, &v) > 1)
		return failure_set(failure, FAILURE_AMBIGUOUS_NAME, NULL,
				   "several containers have a volume %s", name);
	if (!v)
		return failure_set(failure, FAILURE_NO_SUCH_VOLUME, NULL, "there is no volume %s", name);
	*ret_volume = v;
	return 0;
}

static bool is_releasing(const struct volume *v)
{
	struct volume_info info;

	volume_get_info(v, &info);
	return info.state == VOLUME_RELEASING;
}

int volume_pick_to_bind(struct manager *m, uid_t owner, const char *container, const char *name,
			struct volume **ret_volume, struct failure *failure)
{
	struct volume *own = volume_find(m, owner, container, name);
	struct volume *v = volume_find(m, owner, NULL, name);

	if (own && (!v || is_releasing(v)))
		v = own;
	/* Another container's: volume_bind() says whose. */
	if (!v && find_bound(m, owner, name, &v) == 0)
		return failure_set(failure, FAILURE_NO_SUCH_VOLUME, NULL, "there is no volume %s", name);
	*ret_volume = v;
	return 0;
}

static bool same_options(const struct volume_spec *a, const struct volume_spec *b)
{
	if (a->n_options != b->n_options)
		return false;
	for (size_t i = 0; i < a->n_options; i++)
		if (strcmp(a->options[i].name, b->options[i].name) != 0 ||
		    strcmp(a->options[i].value, b->options[i].value) != 0)
			return false;
	return true;
}

/* A size that was left out then, and is given now, is the same if it is what was found. */
static bool same_size(const struct volume_info *info, uint64_t asked)
{
	return asked == info->spec->size_bytes ||
	       (asked != PARSER_UNSET && asked == info->size_bytes);
}

const char *volume_difference(const struct volume *v, const struct volume_spec *asked)
{
	struct volume_info info;
	const struct volume_spec *spec;

	volume_get_info(v, &info);
	spec = info.spec;
	if (strcmp(spec->backend->manifest.type, asked->backend->manifest.type) != 0)
		return "backend";
	if (!same_size(&info, asked->size_bytes))
		return "size_bytes";
	if (spec->block_size != asked->block_size)
		return "block_size";
	if (spec->read_only != asked->read_only)
		return "read_only";
	return same_options(spec, asked) ? NULL : "options";
}
