// SPDX-License-Identifier: Apache-2.0
/* A new supervisor on what an earlier one left: taken over where it is sound, removed where it is
 * not. */
#include "dmuserd/supervisor/spawner-link.h"
#include "tests/unit/volume/fake-world.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A volume of the first supervisor, and its uuid for the time after. */
static struct volume *new_volume(struct caller *c, char uuid[static 40])
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct volume *v = create_and_wait(c, &spec);

	strcpy(uuid, v->uuid);
	return v;
}

static bool is_known(void *userdata)
{
	return world->m.volumes->adopted;
}

static struct volume *find_data(void)
{
	return volume_named("data");
}

static void a_volume_in_use_is_taken_over(void **state)
{
	struct volume_info info;
	struct caller c;
	struct volume *v;
	char uuid[40];
	pid_t worker;

	new_volume(&c, uuid);
	worker = world_child(uuid)->pid;
	world->gate_calls = 0;
	world_restart();
	v = find_data();
	assert_non_null(v);
	assert_int_equal(v->state, VOLUME_DEGRADED);
	assert_false(world_child(uuid)->held);
	run_until_state(v, VOLUME_ACTIVE);
	assert_true(world_child(uuid)->held);
	volume_get_info(v, &info);
	assert_string_equal(info.uuid, uuid);
	assert_int_equal(info.worker_pid, worker);
	assert_int_equal(info.worker_uid, world_child(uuid)->uid);
	assert_int_equal(info.size_bytes, MIB);
	assert_null(info.error);
	assert_string_equal(info.device, v->device);
	/* Looked at again, with its channel. */
	assert_int_equal(world->gate_calls, 1);
	assert_int_equal(world->gate_fds, 4);
	/* Its memory came back. */
	assert_int_equal(v->n_resources, 1);
	release_and_wait(&c, v);
}

/* It was started with its image as large as that was then. */
static void a_worker_is_taken_over_whose_image_has_shrunk(void **state)
{
	struct volume_spec spec = spec_of("data", "file", MIB);
	struct caller c;
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/image", world->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_return_code(ftruncate(fd, 2 * MIB), errno);
	strcpy(spec.options[0].name, "path");
	snprintf(spec.options[0].value, sizeof(spec.options[0].value), "%s", path);
	spec.n_options = 1;
	create_and_wait(&c, &spec);
	assert_int_equal(world->gate_fsize, 2 * MIB);
	assert_return_code(ftruncate(fd, MIB), errno);
	close(fd);
	world->gate_fsize = 0;
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	/* What it has, which the gate holds against this, is what it was started with. */
	assert_true(world->gate_fsize >= 2 * MIB);
	assert_int_equal(world->gate_oom_score, WORLD_NOT_ASKED);
	release_and_wait(&c, find_data());
}

static void a_volume_is_taken_over_as_often_as_need_be(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	for (int i = 0; i < 5; i++) {
		world_restart();
		run_until_state(find_data(), VOLUME_ACTIVE);
	}
	release_and_wait(&c, find_data());
}

static void the_same_specification_finds_what_was_taken_over(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	assert_ptr_equal(create_and_wait(&c, &spec), find_data());
	assert_false(c.created);
	spec.size_bytes *= 2;
	assert_true(create(&c, &spec, NULL, 0) < 0);
	assert_int_equal(c.failure.kind, FAILURE_SPECIFICATION_MISMATCH);
	release_and_wait(&c, find_data());
}

static void until_it_is_known_nothing_is_done_to_it(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct failure f = {};
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_restart();
	assert_true(release(&c, find_data(), 0) < 0);
	assert_int_equal(c.failure.kind, FAILURE_OPERATION_PENDING);
	assert_true(create(&c, &spec, NULL, 0) < 0);
	assert_int_equal(c.failure.kind, FAILURE_OPERATION_PENDING);
	/* A binding could not be written down now, and would be gone with this supervisor. */
	assert_true(volume_bind(find_data(), "c1", pidfd_of(pid), &f) < 0);
	assert_int_equal(f.kind, FAILURE_OPERATION_PENDING);
	run_until_state(find_data(), VOLUME_ACTIVE);
	release_and_wait(&c, find_data());
	end_container(pid);
}

static void what_was_asked_to_be_kept_is_kept_by_the_next_supervisor(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	struct caller c;

	spec.keep = true;
	create_and_wait(&c, &spec);
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	assert_true(find_data()->spec.keep);
	release_and_wait(&c, find_data());
}

static void a_creation_waits_until_what_is_there_is_known(void **state)
{
	struct volume_spec other = spec_of("other", "memory", MIB);
	struct caller c, d;
	char uuid[40];
	uid_t uid;

	new_volume(&c, uuid);
	uid = world_child(uuid)->uid;
	world_restart();
	assert_int_equal(create(&d, &other, NULL, 0), 0);
	run_until_flag(world->m.event, &d.done);
	assert_false(d.failed);
	/* And does not get the uid of one that lives. */
	assert_int_not_equal(world_child(d.volume->uuid)->uid, uid);
	run_until_state(find_data(), VOLUME_ACTIVE);
	release_and_wait(&c, find_data());
	release_and_wait(&d, d.volume);
}

static void a_worker_that_died_meanwhile_leaves_a_degraded_volume(void **state)
{
	struct volume_info info;
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_stop();
	world_kill(world_child(uuid), SIGSYS);
	run_until_no_worker();
	world_start();
	run_until(world->m.event, is_known, NULL);
	run_pending(world->m.event);
	volume_get_info(find_data(), &info);
	assert_int_equal(info.state, VOLUME_DEGRADED);
	assert_non_null(strstr(info.error, "SIGSYS"));
	assert_true(world_device(uuid)->failed);
	release_and_wait(&c, find_data());
}

/* The spawner's successor does not know how it ended, but the supervisor did. */
static void why_a_volume_is_degraded_outlasts_everybody(void **state)
{
	struct volume_info info;
	struct volume *v;
	struct caller c;
	char uuid[40];

	v = new_volume(&c, uuid);
	world_kill(world_child(uuid), SIGSYS);
	run_until_state(v, VOLUME_DEGRADED);
	world_stop();
	spawner_forget(NULL, uuid);
	world_start();
	run_until(world->m.event, is_known, NULL);
	run_pending(world->m.event);
	volume_get_info(find_data(), &info);
	assert_int_equal(info.state, VOLUME_DEGRADED);
	assert_non_null(strstr(info.error, "SIGSYS"));
	release_and_wait(&c, find_data());
}

static void a_container_that_ended_meanwhile_ends_its_volume(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct caller c;

	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	world_stop();
	end_container(pid);
	world_start();
	run_until_no_volume();
}

/* Its device is in use, so that it goes on for as long as that. */
static void one_that_is_being_released_is_not_being_taken_over(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct world_device *d;
	struct volume_info info;
	struct caller c;

	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	d = world_device(c.volume->uuid);
	d->open_count = 1;
	world_stop();
	end_container(pid);
	world_start();
	volume_get_info(find_data(), &info);
	assert_non_null(strstr(info.error, "taken over"));
	run_until_state(find_data(), VOLUME_RELEASING);
	volume_get_info(find_data(), &info);
	assert_null(info.error);
	world_restart();
	run_until_state(find_data(), VOLUME_RELEASING);
	volume_get_info(find_data(), &info);
	assert_null(info.error);
	world_close_device(d);
	run_until_no_volume();
}

static void one_that_is_released_still_says_why_it_was_degraded(void **state)
{
	struct volume_info info;
	struct world_device *d;
	struct volume *v;
	struct caller c;
	char uuid[40];

	v = new_volume(&c, uuid);
	d = world_device(uuid);
	d->open_count = 1;
	world_kill(world_child(uuid), SIGSYS);
	run_until_state(v, VOLUME_DEGRADED);
	assert_int_equal(release(&c, v, 600000), 0);
	world_restart();
	run_until_state(find_data(), VOLUME_RELEASING);
	volume_get_info(find_data(), &info);
	assert_non_null(strstr(info.error, "SIGSYS"));
	world_close_device(d);
	run_until_no_volume();
}

static void a_container_that_lives_is_watched_again(void **state)
{
	struct volume_spec spec = spec_of("data", "memory", MIB);
	pid_t pid = start_container();
	struct volume_info info;
	struct caller c;

	assert_int_equal(create(&c, &spec, "c1", pid), 0);
	run_until_flag(world->m.event, &c.done);
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	volume_get_info(find_data(), &info);
	assert_string_equal(info.container, "c1");
	assert_int_equal(info.container_pid, pid);
	end_container(pid);
	run_until_no_volume();
}

static void a_binding_outlives_the_supervisor(void **state)
{
	pid_t pid = start_container();
	struct failure f = {};
	struct caller c;
	char uuid[40];

	assert_int_equal(volume_bind(new_volume(&c, uuid), "c1", pidfd_of(pid), &f), 0);
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	/* The worker is where it was spawned, not where its volume is bound now. */
	assert_string_equal(find_data()->group, uuid);
	end_container(pid);
	run_until_no_volume();
}

static void a_worker_that_is_not_confined_any_more_is_killed(void **state)
{
	struct volume_info info;
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world->gate_closed = true;
	world_restart();
	run_until(world->m.event, is_known, NULL);
	run_until_no_worker();
	run_pending(world->m.event);
	volume_get_info(find_data(), &info);
	assert_int_equal(info.state, VOLUME_DEGRADED);
	assert_non_null(strstr(info.error, "gate: capabilities"));
	assert_true(world_device(uuid)->failed);
	release_and_wait(&c, find_data());
}

static void a_worker_that_gives_back_something_else_is_killed(void **state)
{
	struct volume_info info;
	struct caller c;
	char uuid[40];

	world->manner = WORKER_GIVES_WRONG_RESOURCES;
	new_volume(&c, uuid);
	world_restart();
	run_until(world->m.event, is_known, NULL);
	run_until_no_worker();
	run_pending(world->m.event);
	volume_get_info(find_data(), &info);
	assert_non_null(strstr(info.error, "not what it was given"));
	release_and_wait(&c, find_data());
}

static void a_worker_that_does_not_answer_is_killed(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_kill(world_child(uuid), SIGSTOP);
	world->m.settings.worker_start_timeout_ms = WORLD_LITTLE_TIME_MS;
	world_restart();
	run_until(world->m.event, is_known, NULL);
	run_until_no_worker();
	release_and_wait(&c, find_data());
}

static void a_release_goes_on_under_the_next_supervisor(void **state)
{
	struct caller c;
	char uuid[40];
	struct volume *v = new_volume(&c, uuid);

	world_device(uuid)->open_count = 1;
	assert_int_equal(release(&c, v, 3600 * 1000), 0);
	run_pending(world->m.event);
	world_restart();
	assert_int_equal(c.calls, 0);
	run_until_state(find_data(), VOLUME_RELEASING);
	run_until_flag(world->m.event, &world_device(uuid)->deferred);
	world_close_device(world_device(uuid));
	run_until_no_volume();
}

static void a_release_can_be_asked_for_while_the_worker_is_looked_at(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_kill(world_child(uuid), SIGSTOP);
	world_restart();
	run_until(world->m.event, is_known, NULL);
	assert_int_equal(find_data()->operation, OPERATION_ADOPT);
	release_and_wait(&c, find_data());
}

/* Nobody has looked yet whether its device is open. */
static void what_is_being_taken_over_is_released_by_force_only(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_device(uuid)->open_count = 1;
	world_kill(world_child(uuid), SIGSTOP);
	world_restart();
	run_until(world->m.event, is_known, NULL);
	assert_int_equal(find_data()->operation, OPERATION_ADOPT);
	assert_int_equal(release_unless_open(&c, find_data()), -EBUSY);
	assert_int_equal(c.failure.kind, FAILURE_OPERATION_PENDING);
	assert_false(world_device(uuid)->deferred);
	world_kill(world_child(uuid), SIGCONT);
	run_until_state(find_data(), VOLUME_ACTIVE);
	world_close_device(world_device(uuid));
	release_and_wait(&c, find_data());
}

static void a_device_whose_entry_is_lost_is_removed_and_its_worker_ended(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_stop();
	assert_int_equal(journal_remove(world->directory, uuid), 0);
	world_start();
	run_until(world->m.event, is_known, NULL);
	/* Nobody sees it. */
	assert_null(find_data());
	assert_null(volume_next(&world->m, NULL));
	run_until_no_volume();
}

static void a_device_whose_entry_is_damaged_is_removed(void **state)
{
	struct caller c;
	char uuid[40], path[300];
	int fd;

	new_volume(&c, uuid);
	world_stop();
	snprintf(path, sizeof(path), "%s/journal/%s", world->directory, uuid);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1);
	close(fd);
	world_start();
	run_until(world->m.event, is_known, NULL);
	run_until_no_volume();
}

static void an_entry_whose_device_is_lost_ends_with_its_worker(void **state)
{
	struct caller c;
	char uuid[40];

	world->manner = WORKER_IGNORES_STOP;
	new_volume(&c, uuid);
	world_stop();
	close(world->devices->channel_write);
	free(world->devices);
	world->devices = NULL;
	world_start();
	run_until_no_volume();
}

static void a_worker_alone_is_killed(void **state)
{
	struct caller c;
	char uuid[40];

	world->manner = WORKER_IGNORES_STOP;
	new_volume(&c, uuid);
	world_stop();
	close(world->devices->channel_write);
	free(world->devices);
	world->devices = NULL;
	assert_int_equal(journal_remove(world->directory, uuid), 0);
	world_start();
	run_until(world->m.event, is_known, NULL);
	run_until_no_volume();
}

static void a_dead_worker_alone_is_forgotten(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_stop();
	close(world->devices->channel_write);
	free(world->devices);
	world->devices = NULL;
	run_until_no_worker();
	assert_int_equal(journal_remove(world->directory, uuid), 0);
	world_start();
	run_until(world->m.event, is_known, NULL);
	run_until_no_volume();
}

static void a_device_that_cannot_be_removed_yet_does_not_keep_others_waiting(void **state)
{
	struct volume_spec other = spec_of("other", "memory", MIB);
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world_stop();
	assert_int_equal(journal_remove(world->directory, uuid), 0);
	world_device(uuid)->open_count = 1;
	world_start();
	release_and_wait(&c, create_and_wait(&c, &other));
	world_close_device(world_device(uuid));
	run_until_no_volume();
}

static void a_backend_that_is_not_installed_any_more_still_has_a_name(void **state)
{
	struct volume_info info;
	struct journal_entry *e = calloc(1, sizeof(*e));
	struct caller c;
	char uuid[40], path[300];
	int fd;

	assert_non_null(e);
	new_volume(&c, uuid);
	world_stop();
	snprintf(path, sizeof(path), "%s/journal/%s", world->directory, uuid);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, e, sizeof(*e)), sizeof(*e));
	close(fd);
	strcpy(e->backend, "removed");
	assert_int_equal(journal_write(world->directory, e), 0);
	free(e);
	world_start();
	run_until_state(find_data(), VOLUME_ACTIVE);
	volume_get_info(find_data(), &info);
	assert_string_equal(info.spec->backend->manifest.type, "removed");
	release_and_wait(&c, find_data());
}

static void a_stray_socket_is_removed(void **state)
{
	char path[300];

	world_stop();
	snprintf(path, sizeof(path), "%s/workers", world->directory);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/workers/01234567-89ab-cdef-0123-456789abcdef.sock",
		 world->directory);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	world_start();
	run_until(world->m.event, is_known, NULL);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_spawner_that_is_slow_is_asked_again(void **state)
{
	struct caller c;
	char uuid[40];

	new_volume(&c, uuid);
	world->list_error = -ETIMEDOUT;
	world_restart();
	run_until_state(find_data(), VOLUME_ACTIVE);
	assert_int_equal(world->list_error, 0);
	assert_int_equal(world_n_children_alive(), 1);
	release_and_wait(&c, find_data());
}

static int loop_until_exit(void)
{
	/* sd_event_loop() returns what sd_event_exit() was told. */
	return sd_event_loop(world->m.event);
}

static void without_the_spawners_list_the_supervisor_does_not_guess(void **state)
{
	struct caller c;
	char uuid[40];

	assert_int_equal(world_setup(state), 0);
	new_volume(&c, uuid);
	world->list_error = -ECONNRESET;
	world_restart();
	assert_int_equal(loop_until_exit(), -ECONNRESET);
	/* All is as it was, for the next one. */
	assert_true(world_device(uuid)->live);
	assert_false(world_device(uuid)->failed);
	assert_int_equal(world_n_children_alive(), 1);
	world_stop();
	sd_event_unref(world->m.event);
	world->m.event = new_loop();
	world_kill(world_child(uuid), SIGKILL);
	_exit(0);
}

static void without_device_mappers_list_the_supervisor_does_not_guess(void **state)
{
	struct caller c;
	char uuid[40];

	assert_int_equal(world_setup(state), 0);
	new_volume(&c, uuid);
	world->dm_error[DM_OP_LIST] = -EIO;
	world_restart();
	assert_int_equal(loop_until_exit(), -EIO);
	assert_false(world_device(uuid)->failed);
	assert_int_equal(world_n_children_alive(), 1);
	world_kill(world_child(uuid), SIGKILL);
	_exit(0);
}

/* A loop that was told to exit is of no use to a teardown, so these two run in a process of their
 * own. */
static void in_a_child(void (*test)(void **state), void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* What it waits for in vain ends it. */
		alarm(TEST_DEADLINE_MS / 1000);
		test(state);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_cannot_be_known_is_not_guessed(void **state)
{
	in_a_child(without_the_spawners_list_the_supervisor_does_not_guess, state);
	in_a_child(without_device_mappers_list_the_supervisor_does_not_guess, state);
}

static void without_device_mapper_and_without_volumes_a_supervisor_starts(void **state)
{
	world_stop();
	world->dm_error[DM_OP_LIST] = -ENOENT;
	world_start();
	run_until(world->m.event, is_known, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_volume_in_use_is_taken_over),
		WORLD_TEST(a_worker_is_taken_over_whose_image_has_shrunk),
		WORLD_TEST(a_volume_is_taken_over_as_often_as_need_be),
		WORLD_TEST(the_same_specification_finds_what_was_taken_over),
		WORLD_TEST(until_it_is_known_nothing_is_done_to_it),
		WORLD_TEST(what_was_asked_to_be_kept_is_kept_by_the_next_supervisor),
		WORLD_TEST(a_creation_waits_until_what_is_there_is_known),
		WORLD_TEST(a_worker_that_died_meanwhile_leaves_a_degraded_volume),
		WORLD_TEST(why_a_volume_is_degraded_outlasts_everybody),
		WORLD_TEST(a_container_that_ended_meanwhile_ends_its_volume),
		WORLD_TEST(one_that_is_being_released_is_not_being_taken_over),
		WORLD_TEST(one_that_is_released_still_says_why_it_was_degraded),
		WORLD_TEST(a_container_that_lives_is_watched_again),
		WORLD_TEST(a_binding_outlives_the_supervisor),
		WORLD_TEST(a_worker_that_is_not_confined_any_more_is_killed),
		WORLD_TEST(a_worker_that_gives_back_something_else_is_killed),
		WORLD_TEST(a_worker_that_does_not_answer_is_killed),
		WORLD_TEST(a_release_goes_on_under_the_next_supervisor),
		WORLD_TEST(a_release_can_be_asked_for_while_the_worker_is_looked_at),
		WORLD_TEST(what_is_being_taken_over_is_released_by_force_only),
		WORLD_TEST(a_device_whose_entry_is_lost_is_removed_and_its_worker_ended),
		WORLD_TEST(a_device_whose_entry_is_damaged_is_removed),
		WORLD_TEST(an_entry_whose_device_is_lost_ends_with_its_worker),
		WORLD_TEST(a_worker_alone_is_killed),
		WORLD_TEST(a_dead_worker_alone_is_forgotten),
		WORLD_TEST(a_device_that_cannot_be_removed_yet_does_not_keep_others_waiting),
		WORLD_TEST(a_backend_that_is_not_installed_any_more_still_has_a_name),
		WORLD_TEST(a_stray_socket_is_removed),
		WORLD_TEST(a_spawner_that_is_slow_is_asked_again),
		cmocka_unit_test(what_cannot_be_known_is_not_guessed),
		WORLD_TEST(without_device_mapper_and_without_volumes_a_supervisor_starts),
	};

	return world_is_playable() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
