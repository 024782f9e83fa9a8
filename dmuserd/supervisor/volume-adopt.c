// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier supervisor left, taken over or cleaned up.
 *
 * Three witnesses are heard: device-mapper (which targets are there), the spawner (which workers
 * live), and the journal (what they were for). The kernel's word counts; the journal is a hint:
 *   target, worker and entry     checked as a new worker is, and active again
 *   target and entry, no worker  degraded: its I/O fails, and it waits to be released
 *   an entry of anything less    released, from where it stood
 *   target or worker alone       nobody's: failed, removed, killed; only with our uuid, only our children
 * Nothing new is created before all of it is known.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define UUID_PREFIX "DMUSER-"

struct child {
	TAILQ_ENTRY(child) entry;
	struct spawner_reply told;
	int pidfd;
	bool claimed;
};

struct adoption {
	struct volumes *set;
	struct dm_call *dm_call;
	struct dm_device *targets;
	size_t n_targets;
	bool targets_known, children_known;
	TAILQ_HEAD(, child) children;
};

static int on_entry(void *userdata, const struct journal_entry *entry)
{
	struct volumes *set = userdata;
	struct volume *v;
	int r = volume_from_journal(set, entry, &v);

	if (r < 0)
		return r;
	v->left = malloc(sizeof(*v->left));
	if (!v->left)
		return -ENOMEM;
	*v->left = *entry;
	v->operation = OPERATION_ADOPT;
	v->state = VOLUME_DEGRADED;
	snprintf(v->error, sizeof(v->error), "it is being taken over from an earlier supervisor");
	/* Before anyone asks for a new one. */
	uid_pool_claim(set->uids, entry->worker_uid);
	v->has_uid = true;
	return 0;
}

static struct child *find_child(struct adoption *a, const char *uuid)
{
	struct child *c;

	TAILQ_FOREACH(c, &a->children, entry)
		if (strcmp(c->told.name, uuid) == 0)
			break;
	return c;
}

static struct volume *find_uuid(struct adoption *a, const char *uuid)
{
	struct volume *v;

	TAILQ_FOREACH(v, &a->set->list, entry)
		if (strcmp(v->uuid, uuid) == 0)
			break;
	return v;
}

static const struct dm_device *find_target(const struct adoption *a, const char *uuid)
{
	for (size_t i = 0; i < a->n_targets; i++)
		if (strcmp(a->targets[i].uuid + strlen(UUID_PREFIX), uuid) == 0)
			return &a->targets[i];
	return NULL;
}

static void take_target(struct volume *v, const struct dm_device *target)
{
	v->device_exists = true;
	snprintf(v->dm_name, sizeof(v->dm_name), "%s", target->name);
	snprintf(v->dm_uuid, sizeof(v->dm_uuid), "%s", target->uuid);
	volume_set_devno(v, target->devno);
}

/* v->worker exists afterwards, alive or not, so that its socket and its entry are cleaned up with
 * it. */
static int take_worker(struct volume *v, struct child *child)
{
	int r = volume_new_worker(v);

	if (r < 0 || !child)
		return r;
	child->claimed = true;
	if (!child->told.alive)
		return 0;
	v->worker_uid = child->told.uid;
	uid_pool_claim(v->set->uids, v->worker_uid);
	v->has_uid = true;
	return worker_adopt(v->worker, child->told.pid, take_fd(&child->pidfd), v->worker_uid,
			    v->group);
}

/* -ESRCH: its container has ended. */
static int take_owner(struct volume *v)
{
	const struct journal_entry *e = v->left;
	struct container_identity id = {
		.pid = e->container_pid,
		.start_time = e->container_start_time,
	};

	if (!e->container[0])
		return 0;
	snprintf(id.cgroup, sizeof(id.cgroup), "%s", e->container_cgroup);
	return container_find(v->set->manager->event, &id, volume_owner_ended, v, &v->owner);
}

/* The steps of a worker that looks well. */

static int start_hello(struct volume *v)
{
	return volume_await_worker(v, worker_connect(v->worker, true, volume_worker_deadline(v)));
}

static int start_resources(struct volume *v)
{
	return volume_await_worker(v, worker_ask_resources(v->worker, volume_worker_deadline(v)));
}

/* It is the worker that gives them back: they must be what it was given. */
static int start_compare(struct volume *v)
{
	const struct journal_entry *e = v->left;

	v->n_resources = worker_take_resources(v->worker, v->resources, CONFINE_RESOURCES_MAX);
	if (v->n_resources != e->n_resources)
		return volume_fail(v, FAILURE_BACKEND_FAILED, NULL,
				   "it gave back %zu resources instead of %u", v->n_resources,
				   e->n_resources);
	for (size_t i = 0; i < v->n_resources; i++) {
		struct statx stx;

		if (fd_identify(v->resources[i], &stx) < 0 || stx.stx_ino != e->resources[i].ino ||
		    makedev(stx.stx_dev_major, stx.stx_dev_minor) != e->resources[i].dev)
			return volume_fail(v, FAILURE_BACKEND_FAILED, NULL,
					   "its resource %zu is not what it was given", i);
	}
	return STEP_DONE;
}

static int start_gate(struct volume *v)
{
	_cleanup_(closep) int channel = -EBADF;
	char detail[256], node[CHANNEL_NODE_SIZE];
	struct worker_limits limits;
	int r;

	channel_node(v->uuid, v->generation, node);
	r = channel_open_path(node, &channel);
	if (r < 0)
		return volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL, "cannot find %s: %s", node,
				   strerror(-r));
	volume_worker_limits(v, &limits);
	/*
	 * It was started by another manifest, perhaps, and with an image of another size. It passed the gate
	 * then, and cannot raise its limits.
	 */
	limits.memlock_max_bytes = UINT64_MAX;
	limits.file_max_bytes = UINT64_MAX;
	limits.oom_score_known = false;
	if (worker_check(v->worker, &limits, channel, v->resources, v->n_resources, sizeof(detail),
			 detail) != 0)
		return volume_fail(v, FAILURE_BACKEND_FAILED, NULL, "gate: %s", detail);
	return STEP_DONE;
}

static const struct volume_step adopt_steps[] = {
	{ "hello", start_hello, NULL },
	{ "resources", start_resources, NULL },
	{ "compare", start_compare, NULL },
	{ "gate", start_gate, NULL },
};

static void forget_left(struct volume *v)
{
	free(v->left);
	v->left = NULL;
}

void volume_adopt_finished(struct volume *v, int r)
{
	forget_left(v);
	if (r < 0) {
		volume_set_error(v, "its worker was not taken over: %s", v->failure.reason);
		v->failure = (struct failure){};
		worker_kill(v->worker);
		volume_degrade(v);
		volume_changed(v);
		return;
	}
	v->operation = OPERATION_NONE;
	v->error[0] = '\0';
	log_print(LOG_INFO, "volume %s of uid %u: taken over", v->spec.name, v->spec.owner);
	volume_set_state(v, VOLUME_ACTIVE);
}

/* What is to be done with what was found. */

static void release_left(struct volume *v, uint64_t timeout_ms)
{
	volume_begin_release(v, timeout_ms);
	forget_left(v);
}

static void go_on(struct volume *v)
{
	volume_go(v, OPERATION_ADOPT, adopt_steps, ARRAY_SIZE(adopt_steps));
}

static void degrade_left(struct volume *v, const struct child *child)
{
	char how[160];

	worker_describe_status(child ? child->told.status : -1, sizeof(how), how);
	if (v->left->error[0])
		volume_set_error(v, "%s", v->left->error);
	else
		volume_set_error(v, "the worker %s", how);
	forget_left(v);
	volume_degrade(v);
	volume_changed(v);
}

static int take_over(struct adoption *a, struct volume *v)
{
	const struct journal_entry *e = v->left;
	const struct dm_device *target = find_target(a, v->uuid);
	struct child *child = find_child(a, v->uuid);
	int r = take_worker(v, child);

	if (r < 0)
		return r;
	if (target)
		take_target(v, target);
	if (e->stage != JOURNAL_COMPLETE || !target) {
		release_left(v, 0);
		return 0;
	}
	r = take_owner(v);
	if (r == -ESRCH)
		release_left(v, volume_settings(v)->release_timeout_ms);
	else if (r == 0 && worker_is_alive(v->worker))
		go_on(v);
	else if (r == 0)
		degrade_left(v, child);
	else
		return r;
	return 0;
}

/* Something of nobody's, as a volume that only ends. */
static int clean_up(struct adoption *a, const char *uuid, const struct dm_device *target,
		    struct child *child)
{
	struct volume_spec spec = { .owner = 0, .block_size = 512 };
	struct volume *v;
	int r;

	log_print(LOG_WARNING, "%s %s belongs to no volume and is removed",
		  target ? "device" : "worker", target ? target->name : uuid);
	snprintf(spec.name, sizeof(spec.name), "%.*s", NAME_VOLUME_MAX,
		 target ? target->name : uuid);
	r = volume_new(a->set, &spec, &v);
	if (r < 0)
		return r;
	v->hidden = true;
	if (name_is_uuid(uuid))
		snprintf(v->uuid, sizeof(v->uuid), "%s", uuid);
	r = take_worker(v, child);
	if (r < 0)
		return r;
	if (target)
		take_target(v, target);
	volume_begin_release(v, 0);
	return 0;
}

static int clean_up_rest(struct adoption *a)
{
	struct child *c;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_targets; i++) {
		const char *uuid = a->targets[i].uuid + strlen(UUID_PREFIX);

		if (!find_uuid(a, uuid))
			r = clean_up(a, uuid, &a->targets[i], find_child(a, uuid));
	}
	TAILQ_FOREACH(c, &a->children, entry)
		if (r == 0 && !c->claimed)
			r = clean_up(a, c->told.name, NULL, c);
	return r;
}

/* Sockets of workers that nobody knows any more. */
static void clean_up_sockets(struct adoption *a)
{
	_cleanup_(closedirp) DIR *d = NULL;
	char path[sizeof(a->set->manager->settings.run_dir) + 16];
	struct dirent *file;

	snprintf(path, sizeof(path), "%s/workers", a->set->manager->settings.run_dir);
	d = opendir(path);
	while (d && (file = readdir(d))) {
		char uuid[NAME_UUID_LEN + 1];

		snprintf(uuid, sizeof(uuid), "%.*s", NAME_UUID_LEN, file->d_name);
		if (name_is_uuid(uuid) && !find_uuid(a, uuid))
			unlinkat(dirfd(d), file->d_name, 0);
	}
}

static int reconcile(struct adoption *a)
{
	struct volume *v, *next;
	int r = 0;

	for (v = TAILQ_FIRST(&a->set->list); v && r == 0; v = next) {
		next = TAILQ_NEXT(v, entry);
		if (v->left)
			r = take_over(a, v);
	}
	if (r == 0)
		r = clean_up_rest(a);
	clean_up_sockets(a);
	return r;
}

static void tell_known(struct volumes *set)
{
	struct volume *v, *next;

	set->adopted = true;
	for (v = TAILQ_FIRST(&set->list); v; v = next) {
		next = TAILQ_NEXT(v, entry);
		volume_adoption_known(v);
	}
}

/*
 * What is not known cannot be guessed; whoever starts the supervisor again gives it another chance.
 */
static void give_up(struct adoption *a, int error, const char *what)
{
	log_print(LOG_ERR, "cannot tell what an earlier supervisor left: %s: %s", what,
		  spawner_describe_error(error));
	sd_event_exit(a->set->manager->event, error);
}

static void when_known(struct adoption *a)
{
	struct volumes *set = a->set;
	int r;

	if (!a->targets_known || !a->children_known)
		return;
	r = reconcile(a);
	if (r < 0) {
		give_up(a, r, "taking it over");
		return;
	}
	set->adoption = NULL;
	volumes_adopt_free(a);
	tell_known(set);
}

static void on_targets(void *userdata, const struct dm_result *result)
{
	struct adoption *a = userdata;

	a->dm_call = NULL;
	/* Without device-mapper there is no target; that is fine if there should be none. */
	if (result->error < 0 && !TAILQ_EMPTY(&a->set->list)) {
		give_up(a, result->error, result->message);
		return;
	}
	if (result->error == 0 && result->n_devices > 0) {
		a->targets = calloc(result->n_devices, sizeof(*a->targets));
		if (!a->targets) {
			give_up(a, -ENOMEM, "targets");
			return;
		}
		memcpy(a->targets, result->devices, result->n_devices * sizeof(*a->targets));
		a->n_targets = result->n_devices;
	}
	a->targets_known = true;
	when_known(a);
}

static void on_child(void *userdata, const struct spawner_reply *told, int pidfd)
{
	_cleanup_(closep) int consumed = pidfd;
	struct adoption *a = userdata;
	struct child *c;

	if (told->role != SPAWNER_WORKER)
		return;
	/* It is watched when the targets are known, too; a spawner may be lost and found before that. */
	if (told->alive)
		(void)spawner_hold(a->set->manager->spawner, told->name);
	c = calloc(1, sizeof(*c));
	if (!c) {
		give_up(a, -ENOMEM, "workers");
		return;
	}
	c->told = *told;
	c->told.name[sizeof(c->told.name) - 1] = '\0';
	c->pidfd = take_fd(&consumed);
	TAILQ_INSERT_TAIL(&a->children, c, entry);
}

static void forget_children(struct adoption *a)
{
	struct child *c;

	while ((c = TAILQ_FIRST(&a->children))) {
		TAILQ_REMOVE(&a->children, c, entry);
		closep(&c->pidfd);
		free(c);
	}
}

static void on_listed(void *userdata, int error)
{
	struct adoption *a = userdata;

	/* It is there, and slow, as the next supervisor's would be: nothing is gained by ending. */
	if (error == -ETIMEDOUT) {
		log_print(LOG_WARNING, "the spawner does not say which workers there are; it is "
				       "asked again");
		forget_children(a);
		error = spawner_list(a->set->manager->spawner, on_child, on_listed, a);
		if (error == 0)
			return;
	}
	if (error < 0) {
		give_up(a, error, "the spawner's list");
		return;
	}
	a->children_known = true;
	when_known(a);
}

int volumes_adopt(struct volumes *set)
{
	struct manager *m = set->manager;
	struct dm_request list = { .operation = DM_OP_LIST };
	struct adoption *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->set = set;
	TAILQ_INIT(&a->children);
	set->adoption = a;
	r = journal_read_all(m->settings.run_dir, on_entry, set);
	if (r == 0)
		r = dm_start(m->event, &list, m->settings.device_mapper_timeout_ms, on_targets, a,
			     &a->dm_call);
	if (r == 0)
		r = spawner_list(m->spawner, on_child, on_listed, a);
	return r;
}

void volumes_adopt_free(struct adoption *a)
{
	if (!a)
		return;
	dm_cancel(a->dm_call);
	forget_children(a);
	free(a->targets);
	free(a);
}
