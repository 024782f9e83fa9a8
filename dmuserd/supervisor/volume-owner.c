// SPDX-License-Identifier: Apache-2.0
/*
 * A volume and the container that it belongs to. The container's end is the volume's.
 *
 * Each volume watches for itself, so the end of one container begins the release of all its volumes
 * in one turn of the loop, and none depends on another's being there.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/process.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"

#include <string.h>

void volume_owner_ended(void *userdata)
{
	struct volume *v = userdata;

	switch (v->operation) {
	case OPERATION_CREATE:
		volume_fail(v, FAILURE_OWNER_GONE, v->container, "container %s ended meanwhile",
			    v->container);
		volume_create_abort(v);
		break;
	case OPERATION_NONE:
	case OPERATION_ADOPT:
		log_print(LOG_INFO, "volume %s of uid %u: container %s has ended", v->spec.name,
			  v->spec.owner, v->container);
		volume_begin_release(v, volume_settings(v)->release_timeout_ms);
		break;
	case OPERATION_UNWIND:
		break;
	}
}

/* Consumes pidfd. */
static int watch(struct volume *v, const char *id, int pidfd, struct failure *failure)
{
	int r = container_new(v->set->manager->event, pidfd, volume_owner_ended, v, &v->owner);

	if (r == -ESRCH)
		return failure_set(failure, FAILURE_OWNER_GONE, id, "container %s has ended", id);
	if (r < 0)
		return failure_set(failure, FAILURE_INVALID_PARAMETER, "container",
				   "cannot watch container %s by its pidfd: %s", id, strerror(-r));
	return 0;
}

int volume_start_container(struct volume *v)
{
	int r;

	/* Not asked for, or bound while the creation waited. */
	if (!v->container[0] || v->owner)
		return STEP_DONE;
	r = watch(v, v->container, take_fd(&v->container_pidfd), &v->failure);
	return r < 0 ? r : STEP_DONE;
}

int volume_undo_container(struct volume *v)
{
	container_free(v->owner);
	v->owner = NULL;
	return STEP_DONE;
}

/* Binding again is no error, but to another process it would be another thing. */
static int check_same(const struct volume *v, int pidfd, struct failure *failure)
{
	pid_t pid;

	if (!v->owner || process_pid(pidfd, &pid) < 0 || pid == container_identity(v->owner)->pid)
		return 0;
	return failure_set(failure, FAILURE_VOLUME_BOUND, v->container,
			   "volume %s is bound to container %s, whose init is pid %d", v->spec.name,
			   v->container, container_identity(v->owner)->pid);
}

int volume_bind(struct volume *v, const char *id, int pidfd, struct failure *failure)
{
	_cleanup_(closep) int consumed = pidfd;
	int r;

	if (v->container[0] && strcmp(v->container, id) != 0)
		return failure_set(failure, FAILURE_VOLUME_BOUND, v->container,
				   "volume %s is bound to container %s", v->spec.name,
				   v->container);
	if (v->container[0] && v->operation != OPERATION_UNWIND)
		return check_same(v, pidfd, failure);
	r = volume_check_settled(v, failure);
	if (r < 0)
		return r;
	if (v->operation == OPERATION_CREATE && v->failure.kind != FAILURE_NONE) {
		/* Only the end of the step that it is in is waited for. */
		*failure = v->failure;
		return -ECANCELED;
	}
	if (volume_find(v->set->manager, v->spec.owner, id, v->spec.name))
		return failure_set(failure, FAILURE_VOLUME_EXISTS, id,
				   "container %s has a volume %s already", id, v->spec.name);
	r = watch(v, id, take_fd(&consumed), failure);
	if (r < 0)
		return r;
	snprintf(v->container, sizeof(v->container), "%s", id);
	v->passed_on = true;
	failure_memory_forget(&v->set->manager->failures, v->spec.owner, id, v->spec.name);
	volume_changed_for_good(v, "its binding");
	return 0;
}
