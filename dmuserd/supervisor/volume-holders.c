// SPDX-License-Identifier: Apache-2.0
/*
 * Who keeps a volume's device open, other volumes of ours among them: those whose backing it is. To name their
 * workers, and this process, would have a person kill what should be released.
 */
#include "dmuserd/supervisor/volume-internal.h"
#include "util/fd.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define HOLDERS_TIMEOUT_MS 1000

static bool lies_on(const struct volume *v, dev_t devno)
{
	struct statx stx;

	for (size_t i = 0; i < v->n_resources; i++)
		if (fd_identify(v->resources[i], &stx) == 0 && S_ISBLK(stx.stx_mode) &&
		    makedev(stx.stx_rdev_major, stx.stx_rdev_minor) == devno)
			return true;
	return false;
}

/* Another owner's volume has no name here: who is told this may not know it. */
static void describe(const struct volume *below, const struct volume *v, struct holders_volume *ret)
{
	const struct volume_spec *s = &v->spec;

	if (s->owner != below->spec.owner)
		snprintf(ret->text, sizeof(ret->text), "a volume of uid %u", s->owner);
	else
		snprintf(ret->text, sizeof(ret->text), "volume %s of uid %u%s%s", s->name, s->owner,
			 v->container[0] ? ", container " : "", v->container);
	ret->worker = v->worker && worker_is_alive(v->worker) ? worker_pid(v->worker) : 0;
}

int volume_holders_start(struct volume *v, holders_done_fn done, struct holders_call **ret_call)
{
	struct holders_request request = { .devno = v->devno };
	const struct volume *other;

	TAILQ_FOREACH(other, &v->set->list, entry)
		if (request.n_volumes < RELEASE_HOLDERS_MAX && lies_on(other, v->devno))
			describe(v, other, &request.volumes[request.n_volumes++]);
	return holders_start(v->set->manager->event, &request, HOLDERS_TIMEOUT_MS, done, v, ret_call);
}
