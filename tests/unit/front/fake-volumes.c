// SPDX-License-Identifier: Apache-2.0
/* Volumes that are played; see fake-volumes.h. */
#include "test.h"
#include "fake-volumes.h"
#include "dmuserd/supervisor/backing.h"
#include "util/cleanup.h"

#define ASKED_MAX 8

struct volume {
	struct volume *next;
	struct volume_spec spec;
	char uuid[NAME_UUID_LEN + 1];
	char container[NAME_CONTAINER_MAX + 1];
	enum volume_state state;
	struct asked {
		volume_created_fn created;
		volume_released_fn released;
		void *userdata;
	} asked[ASKED_MAX];
};

const struct backend fake_memory = {
	.manifest = { .type = "memory", .min_size_bytes = 1024, .max_size_bytes = 1ull << 40,
		      .n_threads = 1, .n_resources = 1, .resources = { MANIFEST_MEMFD } },
};

enum failure_kind fake_fails_next;
size_t fake_creates, fake_binds, fake_releases, fake_pidfds;
char fake_bound_to[NAME_CONTAINER_MAX + 1];
uint64_t fake_release_timeout_ms;
bool fake_release_unless_open;

bool fake_manifests_are_read_late;
uint64_t fake_memory_total;

static backends_ready_fn fake_ready;
static void *fake_ready_for;
static struct volume *volumes;
static volume_event_fn observer;
static struct manager *observed;
static unsigned int number;

const struct backend *backend_find(const struct manager *m, const char *type)
{
	return strcmp(type, "memory") == 0 ? &fake_memory : NULL;
}

int backends_refresh(struct manager *m, const char *type, backends_ready_fn ready, void *userdata)
{
	if (!fake_manifests_are_read_late)
		return 0;
	fake_ready = ready;
	fake_ready_for = userdata;
	return 1;
}

void backends_cancel(struct manager *m, const void *userdata)
{
	if (userdata == fake_ready_for)
		fake_ready_for = NULL;
}

bool fake_somebody_waits(void)
{
	return fake_ready_for;
}

void fake_manifests_are_read(void)
{
	void *userdata = fake_ready_for;

	assert_non_null(userdata);
	fake_ready_for = NULL;
	fake_ready(userdata);
}

const char *backend_missing(const struct backend *backend)
{
	return NULL;
}

bool backend_rejected(const struct manager *m, size_t index, const char **ret_type,
		      const char **ret_reason)
{
	*ret_type = "broken";
	*ret_reason = "field \"size\" cannot be taken";
	return index == 0;
}

const struct backend *backend_next(const struct manager *m, const struct backend *previous)
{
	return previous ? NULL : &fake_memory;
}

/* What is told of memory is not of the machine that the test runs on. */
uint64_t backing_memory_total(void)
{
	return fake_memory_total;
}

void fake_volumes_reset(void)
{
	fake_memory_total = 0;
	while (volumes) {
		struct volume *v = volumes;

		volumes = v->next;
		free(v);
	}
	fake_fails_next = FAILURE_NONE;
	fake_creates = fake_binds = fake_releases = fake_pidfds = 0;
	fake_bound_to[0] = '\0';
	fake_manifests_are_read_late = false;
	fake_ready_for = NULL;
}

static struct volume *find_any(const char *name)
{
	for (struct volume *v = volumes; v; v = v->next) {
		if (strcmp(v->spec.name, name) == 0)
			return v;
	}
	fail_msg("no volume %s", name);
	return NULL;
}

static struct volume *add(const struct volume_spec *spec)
{
	struct volume *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	v->spec = *spec;
	snprintf(v->uuid, sizeof(v->uuid), "00000000-0000-0000-0000-%012u", ++number);
	v->state = VOLUME_CREATED;
	v->next = volumes;
	volumes = v;
	return v;
}

struct volume *fake_volume_add(uid_t owner, const char *name, bool keep, const char *container)
{
	static struct volume_spec spec;
	struct volume *v;

	memset(&spec, 0, sizeof(spec));
	snprintf(spec.name, sizeof(spec.name), "%s", name);
	spec.owner = owner;
	spec.backend = &fake_memory;
	spec.size_bytes = 4096;
	spec.block_size = 512;
	spec.keep = keep;
	v = add(&spec);
	v->state = VOLUME_ACTIVE;
	if (container)
		snprintf(v->container, sizeof(v->container), "%s", container);
	return v;
}

enum volume_state fake_state(const struct volume *volume)
{
	return volume->state;
}

static struct asked *ask(struct volume *v)
{
	for (size_t i = 0; i < ASKED_MAX; i++) {
		if (!v->asked[i].userdata)
			return &v->asked[i];
	}
	fail_msg("more is asked of %s than is played", v->spec.name);
	return NULL;
}

static int fails(struct failure *failure)
{
	enum failure_kind kind = fake_fails_next;

	fake_fails_next = FAILURE_NONE;
	return kind == FAILURE_NONE ? 0 : failure_set(failure, kind, "subject", "as asked for");
}

void fake_volume_changed(struct volume *volume)
{
	if (observer)
		observer(observed, volume, true);
}

void fake_volume_stirs(struct volume *volume)
{
	if (observer)
		observer(observed, volume, false);
}

void fake_volume_has_no_size(struct volume *volume)
{
	volume->spec.size_bytes = 0;
}

static void drop(struct volume *v)
{
	struct volume **at = &volumes;

	v->state = VOLUME_GONE;
	fake_volume_changed(v);
	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	free(v);
}

void fake_create_ends(const char *name, bool created, const struct failure *failure)
{
	struct volume *v = find_any(name);

	if (!failure)
		v->state = VOLUME_ACTIVE;
	fake_volume_changed(v);
	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct asked a = v->asked[i];

		if (!a.created)
			continue;
		v->asked[i] = (struct asked){};
		a.created(a.userdata, failure ? NULL : v, created, failure);
	}
	if (failure)
		drop(v);
}

void fake_release_ends(const char *name, enum release_stage stage, const struct failure *failure)
{
	const struct release_result result = { .stage = stage, .open_count = 1, .holders = { 1, "pid 1 (x)" } };
	struct volume *v = find_any(name);

	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct asked a = v->asked[i];

		if (!a.released)
			continue;
		v->asked[i] = (struct asked){};
		a.released(a.userdata, v->spec.name, v->spec.owner, failure ? NULL : &result, failure);
	}
	if (!failure && stage == RELEASE_GONE)
		drop(v);
}

static void take_pidfd(int pidfd)
{
	if (pidfd < 0)
		return;
	fake_pidfds++;
	assert_int_equal(close(pidfd), 0);
}

int volume_create(struct manager *m, const struct volume_spec *spec, const char *container_id, int pidfd,
		  volume_created_fn done, void *userdata, struct failure *failure)
{
	struct volume *v;
	int r = fails(failure);

	fake_creates++;
	take_pidfd(pidfd);
	if (r < 0)
		return r;
	v = volume_find(m, spec->owner, container_id, spec->name) ?: add(spec);
	if (container_id)
		snprintf(v->container, sizeof(v->container), "%s", container_id);
	*ask(v) = (struct asked){ .created = done, .userdata = userdata };
	return 0;
}

struct volume *volume_next(struct manager *m, struct volume *previous)
{
	return previous ? previous->next : volumes;
}

const struct volume_spec *volume_spec(const struct volume *volume)
{
	return &volume->spec;
}

void volume_get_info(const struct volume *v, struct volume_info *ret_info)
{
	*ret_info = (struct volume_info){
		.name = v->spec.name,
		.uuid = v->uuid,
		.container = v->container[0] ? v->container : NULL,
		.owner = v->spec.owner,
		.state = v->state,
		.spec = &v->spec,
		.size_bytes = v->spec.size_bytes,
		.generation = 1,
	};
}

int volume_bind(struct volume *volume, const char *container_id, int pidfd, struct failure *failure)
{
	int r = fails(failure);

	fake_binds++;
	take_pidfd(pidfd);
	if (r < 0)
		return r;
	snprintf(volume->container, sizeof(volume->container), "%s", container_id);
	snprintf(fake_bound_to, sizeof(fake_bound_to), "%s", container_id);
	return 0;
}

int volume_release(struct volume *volume, uint64_t timeout_ms, volume_released_fn done, void *userdata,
		   struct failure *failure)
{
	int r = fails(failure);

	fake_releases++;
	fake_release_timeout_ms = timeout_ms;
	fake_release_unless_open = false;
	if (r < 0)
		return r;
	*ask(volume) = (struct asked){ .released = done, .userdata = userdata };
	volume->state = VOLUME_RELEASING;
	fake_volume_changed(volume);
	return 0;
}

int volume_release_unless_open(struct volume *volume, uint64_t timeout_ms, volume_released_fn done,
			       void *userdata, struct failure *failure)
{
	int r = volume_release(volume, timeout_ms, done, userdata, failure);

	fake_release_unless_open = true;
	return r;
}

void volume_forget_caller(struct manager *m, void *userdata)
{
	for (struct volume *v = volumes; v; v = v->next) {
		for (size_t i = 0; i < ASKED_MAX; i++) {
			if (v->asked[i].userdata == userdata)
				v->asked[i] = (struct asked){};
		}
	}
}

void volume_set_observer(struct manager *m, volume_event_fn fn)
{
	observer = fn;
	observed = m;
}
