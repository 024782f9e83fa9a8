// SPDX-License-Identifier: Apache-2.0
/*
 * The steps of a volume that concern its worker: made, started, checked, given its channel, ended.
 *
 * The channel is opened here and closed here: between the two lies one message to a worker that has
 * passed the gate.
 */
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "dmuserd/supervisor/volume-internal.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/proc.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* More descriptors than a worker has: the gate counts them exactly. */
#define NOFILE_MAX 64
/* Beside its request threads: the main one, and one that a backend may need for itself. */
#define EXTRA_THREADS 2
/* Every mapping counts as locked, touched or not: the program, and a stack with its guard a thread. */
#define MEMLOCK_BASE_BYTES (64ull << 20)
#define MEMLOCK_THREAD_BYTES (16ull << 20)
/* A memory file costs this share more: its page tables in the worker, its tree of pages in the kernel. */
#define MEMORY_OVERHEAD_SHARE 128

/* How long a worker has, one after the other: to see its target's end, to obey STOP, to be killed again. */
#define END_BY_ITSELF_USEC 300000
#define END_BY_STOP_USEC 1000000
#define END_BY_KILL_USEC 1000000

static int fail_worker(struct volume *v, int error, const char *detail)
{
	const char *step = volume_step_name(v);

	if (strcmp(step, "spawn") == 0 && spawner_is_gone(error))
		detail = spawner_describe_error(error);
	if (error == -ETIMEDOUT)
		return volume_fail(v, FAILURE_TIMED_OUT, step, "%s", detail);
	return volume_fail(v, FAILURE_BACKEND_FAILED, NULL, "%s: %s", step, detail);
}

static void worker_step_ended(struct volume *v)
{
	if (v->operation == OPERATION_CREATE || v->operation == OPERATION_ADOPT)
		volume_step_done(v, 0);
}

/* From a turn of its own, as what follows may free the worker that is speaking. */
static void on_worker_done(void *userdata, int error, const char *detail)
{
	struct volume *v = userdata;

	v->awaits_worker = false;
	/* No spare copies: while any is open, a dead worker looks alive. */
	fd_close_many(&v->channel, 1);
	if (error < 0)
		fail_worker(v, error, detail);
	if (volume_defer(v, worker_step_ended) < 0)
		sd_event_exit(v->set->manager->event, -ENOMEM);
}

static void add_to_error(struct volume *v, const char *more)
{
	char before[sizeof(v->error)];

	snprintf(before, sizeof(before), "%s", v->error);
	volume_set_error(v, "%.120s; and its I/O may wait instead of failing: %.80s", before, more);
}

/* Makes every request fail at once, now and later, instead of waiting for a worker that will not come. */
static void on_target_failed(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->dm_call = NULL;
	if (result->error < 0)
		add_to_error(v, result->message);
	volume_changed(v);
}

/* Nobody will be given it again: no other worker is started for a volume that has lost its own. */
static void give_memory_back(struct volume *v)
{
	/* By what it is: the manifest may be another than the one that the worker was started by. */
	for (size_t i = 0; i < v->n_resources; i++)
		if (backing_is_memory(v->resources[i]))
			fd_close_many(&v->resources[i], 1);
}

void volume_degrade(struct volume *v)
{
	int r;

	v->operation = OPERATION_NONE;
	give_memory_back(v);
	dm_queue_cancel(v->dm_call);
	v->dm_call = NULL;
	r = volume_dm_start(v, DM_OP_MESSAGE, on_target_failed);
	if (r < 0)
		add_to_error(v, strerror(-r));
	volume_set_state(v, VOLUME_DEGRADED);
	/* A hint for the next supervisor, and nothing more. */
	if (v->journaled)
		(void)volume_journal(v, JOURNAL_COMPLETE);
}

static void on_worker_ended(void *userdata, int status)
{
	struct volume *v = userdata;
	const char *words;
	char how[160];

	worker_describe_status(status, sizeof(how), how);
	fd_close_many(&v->channel, 1);
	switch (v->operation) {
	case OPERATION_CREATE:
		words = worker_last_words(v->worker);
		volume_fail(v, FAILURE_BACKEND_FAILED, NULL, "%s: %s%s", volume_step_name(v),
			    words[0] ? "" : "the worker ", words[0] ? words : how);
		volume_create_abort(v);
		break;
	case OPERATION_ADOPT:
	case OPERATION_NONE:
		v->awaits_worker = false;
		/* It may have been killed for a reason that is known already. */
		if (v->state == VOLUME_DEGRADED && v->operation == OPERATION_NONE)
			break;
		volume_set_error(v, "the worker %s", how);
		volume_degrade(v);
		break;
	case OPERATION_UNWIND:
		if (!v->ending)
			volume_device_worker_ended(v);
		else if (volume_defer(v, volume_undo_done) < 0)
			sd_event_exit(v->set->manager->event, -ENOMEM);
		break;
	}
}

int volume_new_worker(struct volume *v)
{
	struct worker_handlers handlers = {
		.done = on_worker_done,
		.ended = on_worker_ended,
		.userdata = v,
	};

	return worker_new(v->set->manager, v->uuid, v->generation, &handlers, &v->worker);
}

/* A worker is told its options, but not those that only named what it now has open. */
static bool is_workers_option(const struct volume *v, const struct worker_option *option)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;

	for (uint32_t i = 0; i < m->n_options; i++)
		if (m->options[i].opens != 0 && strcmp(m->options[i].name, option->name) == 0)
			return false;
	return true;
}

static uint32_t requests_max(const struct volume *v)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;
	uint64_t besides = worker_memory_needed(m->n_threads, 0);
	uint64_t n = 0;

	if (m->memory_max_bytes > besides)
		n = (m->memory_max_bytes - besides) / WORKER_REQUEST_BYTES;
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static struct worker_setup *new_setup(const struct volume *v)
{
	struct worker_setup *setup = calloc(1, sizeof(*setup));

	if (!setup)
		return NULL;
	setup->version = WORKER_MESSAGE_VERSION;
	setup->block_size = v->spec.block_size;
	setup->size_bytes = v->size_bytes;
	setup->generation = v->generation;
	setup->read_only = v->spec.read_only;
	setup->n_resources = (uint32_t)v->n_resources;
	setup->requests_max = requests_max(v);
	snprintf(setup->uuid, sizeof(setup->uuid), "%s", v->uuid);
	snprintf(setup->volume, sizeof(setup->volume), "%s", v->spec.name);
	for (size_t i = 0; i < v->spec.n_options; i++)
		if (is_workers_option(v, &v->spec.options[i]))
			setup->options[setup->n_options++] = v->spec.options[i];
	return setup;
}

int volume_start_sockets(struct volume *v)
{
	_cleanup_(freep) struct worker_setup *setup = new_setup(v);
	int r = setup ? volume_new_worker(v) : -ENOMEM;

	if (r == 0)
		r = worker_prepare(v->worker, setup);
	return r < 0 ? fail_worker(v, r, strerror(-r)) : STEP_DONE;
}

int volume_undo_sockets(struct volume *v)
{
	if (!v->worker)
		return STEP_DONE;
	worker_forget(v->worker);
	/* A process that nobody can name may yet run as it: that uid is not given again. */
	if (worker_is_uncertain(v->worker))
		v->has_uid = false;
	worker_free(v->worker);
	v->worker = NULL;
	return STEP_DONE;
}

/* What of the volume's data is the worker's memory. */
static uint64_t memory_bytes(const struct volume *v)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < m->n_resources; i++)
		if (m->resources[i] == MANIFEST_MEMFD)
			sum += v->size_bytes;
	return sum;
}

/*
 * An image may be larger than what is served of it: a backend with a layout of its own has more in it than
 * its volume's bytes. But it does not grow.
 */
static uint64_t largest_file(const struct volume *v)
{
	uint64_t largest = v->size_bytes;

	for (size_t i = 0; i < v->n_resources; i++) {
		struct stat st;

		if (fstat(v->resources[i], &st) == 0 && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size > largest)
			largest = (uint64_t)st.st_size;
	}
	return largest;
}

void volume_worker_limits(const struct volume *v, struct worker_limits *ret_limits)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;
	uint64_t memory = memory_bytes(v);

	*ret_limits = (struct worker_limits){
		.file_max_bytes = largest_file(v),
		.oom_score_known = true,
		.oom_score = memory > 0 ? OOM_SCORE_FIRST : OOM_SCORE_USUAL,
		.memlock_max_bytes = memory + m->memory_max_bytes + MEMLOCK_BASE_BYTES +
				     m->n_threads * MEMLOCK_THREAD_BYTES,
	};
}

/*
 * What of the volume's data the kernel cannot take back from the worker's cgroup when that is full: memory
 * files, and images that lie on a tmpfs.
 */
static uint64_t unreclaimable_bytes(const struct volume *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v->n_resources; i++) {
		struct statfs fs;
		struct stat st;

		/* A block device's node lies on a tmpfs too, devtmpfs; its bytes do not. */
		if (fstat(v->resources[i], &st) == 0 && S_ISREG(st.st_mode) &&
		    fstatfs(v->resources[i], &fs) == 0 && fs.f_type == TMPFS_MAGIC)
			sum += v->size_bytes;
	}
	return sum;
}

static void fill_request(const struct volume *v, struct spawner_request *ret)
{
	const struct parser_manifest *m = &v->spec.backend->manifest;
	uint64_t memory = unreclaimable_bytes(v);
	struct worker_limits limits;

	volume_worker_limits(v, &limits);
	*ret = (struct spawner_request){
		.role = SPAWNER_WORKER,
		.uid = v->worker_uid,
		.n_resources = (uint32_t)v->n_resources,
		.pids_max = m->n_threads + EXTRA_THREADS,
		.nofile_max = NOFILE_MAX,
		.holds_memory = memory_bytes(v) > 0,
		.memlock_max_bytes = limits.memlock_max_bytes,
	};
	if (m->memory_max_bytes > 0)
		ret->memory_max_bytes = memory + memory / MEMORY_OVERHEAD_SHARE +
					m->memory_max_bytes;
	snprintf(ret->group, sizeof(ret->group), "%s", v->group);
}

/* Nobody has put it there, or not as it is to be: another try would find the same. */
static bool is_missing(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EACCES;
}

static int fail_unopened(struct volume *v, int error, const char *path)
{
	const char *type = v->spec.backend->manifest.type;
	char detail[sizeof(v->failure.reason)];

	if (is_missing(error))
		return volume_fail(v, FAILURE_BACKEND_FAILED, NULL,
				   "backend %s is not complete: %s: %s; install it again, or "
				   "remove its manifest, %s.json",
				   type, path, strerror(-error), type);
	snprintf(detail, sizeof(detail), "%s: %s", path, strerror(-error));
	return fail_worker(v, error, detail);
}

int volume_start_spawn(struct volume *v)
{
	struct spawner_request request;
	const char *unopened;
	int r;

	fill_request(v, &request);
	r = worker_spawn(v->worker, v->spec.backend, &request, v->resources,
			 volume_in_usec(v, volume_settings(v)->worker_start_timeout_ms),
			 &unopened);
	if (r < 0 && unopened)
		return fail_unopened(v, r, unopened);
	return r < 0 ? fail_worker(v, r, strerror(-r)) : STEP_PENDING;
}

int volume_await_worker(struct volume *v, int r)
{
	if (r < 0)
		return fail_worker(v, r, strerror(-r));
	v->awaits_worker = true;
	return STEP_PENDING;
}

uint64_t volume_worker_deadline(const struct volume *v)
{
	return volume_in_usec(v, volume_settings(v)->worker_start_timeout_ms);
}

int volume_start_seal(struct volume *v)
{
	return volume_await_worker(v, worker_await_seal(v->worker, volume_worker_deadline(v)));
}

int volume_start_hello(struct volume *v)
{
	return volume_await_worker(v, worker_connect(v->worker, false, volume_worker_deadline(v)));
}

int volume_start_gate(struct volume *v)
{
	struct worker_limits limits;
	char detail[256];

	volume_worker_limits(v, &limits);
	if (worker_check(v->worker, &limits, -EBADF, v->resources, v->n_resources, sizeof(detail),
			 detail) != 0)
		return fail_worker(v, -EPERM, detail);
	return STEP_DONE;
}

int volume_start_channel(struct volume *v)
{
	char node[CHANNEL_NODE_SIZE];
	int r;

	channel_node(v->uuid, v->generation, node);
	r = channel_open(node, &v->channel);
	if (r < 0)
		return volume_fail(v, FAILURE_DRIVER_UNAVAILABLE, NULL, "cannot open %s/%s: %s",
				   DM_USER_DIRECTORY, node, strerror(-r));
	r = worker_give_channel(v->worker, v->channel, volume_worker_deadline(v));
	if (r < 0)
		fd_close_many(&v->channel, 1);
	return volume_await_worker(v, r);
}

/*
 * Its end. A worker that serves sees its target's end (ENOTBLK) and goes by itself; one that does not, is
 * asked, then killed. Killing is repeated, and its end waited for without limit: what it is holds its uid.
 */
static int on_end_timer(sd_event_source *source, uint64_t usec, void *userdata);

static void urge(struct volume *v)
{
	switch (v->end_phase++) {
	case 0:
		volume_set_timer(v, END_BY_ITSELF_USEC, on_end_timer);
		break;
	case 1:
		if (worker_stop(v->worker) == 0) {
			volume_set_timer(v, END_BY_STOP_USEC, on_end_timer);
			break;
		}
		/* fall through */
	default:
		worker_kill(v->worker);
		volume_set_timer(v, END_BY_KILL_USEC, on_end_timer);
		break;
	}
}

static int on_end_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct volume *v = userdata;

	if (worker_is_alive(v->worker))
		urge(v);
	return 0;
}

int volume_undo_spawn(struct volume *v)
{
	volume_set_timer(v, 0, NULL);
	if (v->worker && worker_is_uncertain(v->worker))
		worker_kill(v->worker);
	if (!v->worker || !worker_is_alive(v->worker))
		return STEP_DONE;
	v->ending = true;
	/* One that never was active holds nothing of anybody's. */
	v->end_phase = v->device[0] ? 0 : 2;
	urge(v);
	return STEP_PENDING;
}
