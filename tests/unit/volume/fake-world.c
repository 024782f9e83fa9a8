// SPDX-License-Identifier: Apache-2.0
/* See fake-world.h. */
#include "tests/unit/volume/fake-world.h"
#include "tests/unit/volume/fake-silence.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct world *world;

static void on_event(struct manager *m, const struct volume *v, bool news)
{
	static const char *const states[] = {
		[VOLUME_CREATED] = "created",	  [VOLUME_ATTACHED] = "attached",
		[VOLUME_ACTIVE] = "active",	  [VOLUME_DEGRADED] = "degraded",
		[VOLUME_RELEASING] = "releasing", [VOLUME_GONE] = "gone",
	};
	size_t used = strlen(world->events);
	struct volume_info info;

	volume_get_info(v, &info);
	if (!news)
		return;
	world->n_unsized += info.size_bytes == 0;
	snprintf(world->events + used, sizeof(world->events) - used, " %s:%s", info.name,
		 states[info.state]);
}

void world_start(void)
{
	assert_int_equal(volumes_new(&world->m, &world->m.volumes), 0);
	volume_set_observer(&world->m, on_event);
}

void world_stop(void)
{
	volumes_free(world->m.volumes);
	world->m.volumes = NULL;
	/* Its callbacks end with the link. */
	spawner_link_free(NULL);
}

void world_restart(void)
{
	world_stop();
	world_start();
}

static bool is_adopted(void *userdata)
{
	return world->m.volumes->adopted;
}

bool world_is_playable(void)
{
	if (geteuid() == 0)
		return true;
	fprintf(stderr, "needs root: every worker has a uid of its own\n");
	return false;
}

int world_setup(void **state)
{
	struct settings *s;

	world = calloc(1, sizeof(*world));
	if (!world)
		return -1;
	world->directory = make_directory();
	world->m.event = new_loop();
	world->m.machine_lock = -EBADF;
	s = &world->m.settings;
	snprintf(s->run_dir, sizeof(s->run_dir), "%s", world->directory);
	s->worker_uid_base = 1900000000;
	s->worker_uid_count = WORKER_UIDS;
	/* How busy the machine is decides nothing: what is too late, a test says. */
	s->worker_start_timeout_ms = 10 * TEST_DEADLINE_MS;
	s->device_mapper_timeout_ms = 10 * TEST_DEADLINE_MS;
	s->release_timeout_ms = 400;
	world_start();
	run_until(world->m.event, is_adopted, NULL);
	world->operations[0] = '\0';
	run_pending(world->m.event);
	world->fds = count_fds();
	return 0;
}

static void assert_all_uids_are_free(void)
{
	uid_t taken[WORKER_UIDS], one_more;

	for (size_t i = 0; i < WORKER_UIDS; i++)
		assert_int_equal(uid_pool_take(world->m.volumes->uids, &taken[i]), 0);
	assert_int_equal(uid_pool_take(world->m.volumes->uids, &one_more), -EAGAIN);
	for (size_t i = 0; i < WORKER_UIDS; i++)
		uid_pool_release(world->m.volumes->uids, taken[i]);
}

void assert_nothing_is_left(void)
{
	run_until_no_volume();
	run_until_fds(world->m.event, world->fds);
	assert_null(world->devices);
	assert_null(world->children);
	assert_true(directory_is_empty(world->directory, "journal"));
	assert_true(directory_is_empty(world->directory, "workers"));
	assert_all_uids_are_free();
	assert_true(waitpid(-1, NULL, WNOHANG) <= 0);
}

int world_teardown(void **state)
{
	assert_nothing_is_left();
	assert_int_equal(world->n_unsized, 0);
	world_stop();
	sd_event_unref(world->m.event);
	remove_directory(world->directory);
	free(world);
	world = NULL;
	return 0;
}

static bool is_empty(void *userdata)
{
	return TAILQ_EMPTY(&world->m.volumes->list);
}

void run_until_no_volume(void)
{
	run_until(world->m.event, is_empty, NULL);
}

static bool no_worker_lives(void *userdata)
{
	return world_n_children_alive() == 0;
}

void run_until_no_worker(void)
{
	run_until(world->m.event, no_worker_lives, NULL);
}

struct state_goal {
	struct volume *volume;
	enum volume_state state;
};

static bool is_in_state(void *userdata)
{
	struct state_goal *goal = userdata;

	return goal->volume->state == goal->state;
}

void run_until_state(struct volume *v, enum volume_state state)
{
	struct state_goal goal = { v, state };

	run_until(world->m.event, is_in_state, &goal);
}

struct step_goal {
	struct volume *volume;
	const char *step;
};

static bool is_in_step(void *userdata)
{
	struct step_goal *goal = userdata;

	return goal->volume->steps && strcmp(volume_step_name(goal->volume), goal->step) == 0;
}

void run_until_step(struct volume *v, const char *step)
{
	struct step_goal goal = { v, step };

	run_until(world->m.event, is_in_step, &goal);
}

static bool is_to_fail(void *userdata)
{
	const struct volume *v = userdata;

	return v->failure.kind != FAILURE_NONE;
}

void run_until_failure(struct volume *v)
{
	run_until(world->m.event, is_to_fail, v);
}

void world_end_silence(void)
{
	fake_dm_end_silence();
	fake_spawner_end_silence();
}

struct volume *volume_named(const char *name)
{
	struct failure failure;
	struct volume *v = NULL;

	volume_pick(&world->m, 0, NULL, name, &v, &failure);
	return v;
}

struct volume_spec spec_of(const char *name, const char *backend, uint64_t size)
{
	struct volume_spec spec = { .size_bytes = size, .block_size = 512 };

	snprintf(spec.name, sizeof(spec.name), "%s", name);
	spec.backend = backend_find(&world->m, backend);
	return spec;
}

static void on_created(void *userdata, struct volume *volume, bool created,
		       const struct failure *failure)
{
	struct caller *c = userdata;

	c->calls++;
	c->done = true;
	c->volume = volume;
	c->created = created;
	c->failed = failure != NULL;
	if (failure)
		c->failure = *failure;
	assert_true((volume == NULL) == (failure != NULL));
}

static void on_released(void *userdata, const char *name, uid_t owner,
			const struct release_result *result, const struct failure *failure)
{
	struct caller *c = userdata;

	c->calls++;
	c->done = true;
	c->failed = failure != NULL;
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (failure)
		c->failure = *failure;
	else
		c->result = *result;
}

int create(struct caller *c, const struct volume_spec *spec, const char *container, pid_t pid)
{
	int pidfd = container && pid > 0 ? pidfd_of(pid) : -EBADF;
	int r;

	*c = (struct caller){};
	r = volume_create(&world->m, spec, container, pidfd, on_created, c, &c->failure);
	/* Never from within. */
	assert_int_equal(c->calls, 0);
	return r;
}

struct volume *create_and_wait(struct caller *c, const struct volume_spec *spec)
{
	assert_int_equal(create(c, spec, NULL, 0), 0);
	run_until_flag(world->m.event, &c->done);
	if (c->failed)
		fail_msg("%s: %s", c->failure.subject, c->failure.reason);
	return c->volume;
}

int release(struct caller *c, struct volume *v, uint64_t timeout_ms)
{
	int r;

	*c = (struct caller){};
	r = volume_release(v, timeout_ms, on_released, c, &c->failure);
	assert_int_equal(c->calls, 0);
	return r;
}

int release_unless_open(struct caller *c, struct volume *v)
{
	int r;

	*c = (struct caller){};
	r = volume_release_unless_open(v, 60000, on_released, c, &c->failure);
	assert_int_equal(c->calls, 0);
	return r;
}

void release_and_wait(struct caller *c, struct volume *v)
{
	assert_int_equal(release(c, v, PARSER_UNSET), 0);
	run_until_flag(world->m.event, &c->done);
	assert_false(c->failed);
	assert_int_equal(c->result.stage, RELEASE_GONE);
}

pid_t start_container(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd_close_all_but(NULL, 0);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

void end_container(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
