// SPDX-License-Identifier: Apache-2.0
/*
 * Who keeps a volume's device open, other volumes of ours among them: those whose backing it is. To name their
 * workers, and this process, would have a person kill what should be released.
 */
#include "dmuserd/supervisor/volume-internal.h"

#include <sys/stat.h>

#define HOLDERS_TIMEOUT_MS 1000

static bool lies_on(const struct volume *v, dev_t devno)
{
	struct stat st;

	for (size_t i = 0; i < v->n_resources; i++)
		if (fstat(v->resources[i], &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == devno)
			return true;
	return false;
}

int volume_holders_start(struct volume *v, holders_done_fn done, struct holders_call **ret_call)
{
	struct holders_request request = { .devno = v->devno };
	const struct volume *other;

	TAILQ_FOREACH(other, &v->set->list, entry) {
		struct holders_volume *above = &request.volumes[request.n_volumes];

		if (request.n_volumes == RELEASE_HOLDERS_MAX || !lies_on(other, v->devno))
			continue;
		above->name = other->spec.name;
		above->worker = other->worker && worker_is_alive(other->worker) ?
					worker_pid(other->worker) : 0;
		request.n_volumes++;
	}
	return holders_start(v->set->manager->event, &request, HOLDERS_TIMEOUT_MS, done, v, ret_call);
}
