// SPDX-License-Identifier: Apache-2.0
/* When a container ends: real processes, and real cgroups where they can be made. */
#include "dmuserd/supervisor/container.h"
#include "dmuserd/supervisor/process.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct fixture {
	sd_event *event;
	size_t fds;
	bool ended;
	unsigned int calls;
	char cgroup[300]; /* empty: none can be made here */
};

static void on_ended(void *userdata)
{
	struct fixture *f = userdata;

	f->ended = true;
	f->calls++;
}

static void make_cgroup(struct fixture *f)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		char events[340];

		snprintf(f->cgroup, sizeof(f->cgroup), "%s/dmuser-test-%d", mounts[i], getpid());
		if (mkdir(f->cgroup, 0755) < 0)
			continue;
		snprintf(events, sizeof(events), "%s/cgroup.events", f->cgroup);
		if (access(events, R_OK) == 0)
			return;
		rmdir(f->cgroup);
	}
	f->cgroup[0] = '\0';
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->event = new_loop();
	make_cgroup(f);
	f->fds = count_fds();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(count_fds(), f->fds);
	if (f->cgroup[0])
		rmdir(f->cgroup);
	sd_event_unref(f->event);
	free(f);
	return 0;
}

static void enter_cgroup(const char *cgroup)
{
	char path[340];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	close(fd);
}

/* A process that lives until it is killed. cgroup NULL: ours. pid_namespace: init of a new one. */
static pid_t start_process(const char *cgroup, bool pid_namespace)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_return_code(pipe(ready), errno);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD | (pid_namespace ? CLONE_NEWPID : 0), NULL, NULL,
			     NULL, NULL);
	if (pid == 0) {
		if (cgroup)
			enter_cgroup(cgroup);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid > 0)
		assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void inits_death_ends_a_container_without_a_cgroup_of_its_own(void **state)
{
	struct fixture *f = *state;
	pid_t pid = start_process(NULL, false);
	struct container *c;

	assert_int_equal(container_new(f->event, pidfd_of(pid), on_ended, f, &c), 0);
	assert_int_equal(container_identity(c)->pid, pid);
	assert_string_equal(container_identity(c)->cgroup, "");
	run_pending(f->event);
	assert_false(f->ended);
	end_process(pid);
	run_until_flag(f->event, &f->ended);
	run_pending(f->event);
	assert_int_equal(f->calls, 1);
	container_free(c);
}

static void a_container_that_has_ended_is_refused(void **state)
{
	struct fixture *f = *state;
	pid_t pid = start_process(NULL, false);
	int pidfd = pidfd_of(pid);
	struct container *c;

	end_process(pid);
	assert_int_equal(container_new(f->event, pidfd, on_ended, f, &c), -ESRCH);
}

static void what_is_no_pidfd_is_refused(void **state)
{
	struct fixture *f = *state;
	struct container *c;

	assert_int_equal(container_new(f->event, open("/dev/null", O_RDONLY), on_ended, f, &c),
			 -EBADF);
	assert_int_equal(container_new(f->event, -EBADF, on_ended, f, &c), -EBADF);
}

static void a_container_lives_as_long_as_its_cgroup(void **state)
{
	struct fixture *f = *state;
	struct container *c;
	pid_t init, second;

	if (!f->cgroup[0])
		skip();
	init = start_process(f->cgroup, false);
	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	assert_string_equal(container_identity(c)->cgroup, f->cgroup);
	/* What it starts itself is its own; here another process plays that. */
	second = start_process(f->cgroup, false);
	end_process(init);
	/* Longer than the sweep's interval, of which each finds it populated. */
	for (int i = 0; i < 3; i++)
		assert_return_code(sd_event_run(f->event, 250000), 0);
	assert_false(f->ended);
	end_process(second);
	run_until_flag(f->event, &f->ended);
	assert_int_equal(f->calls, 1);
	container_free(c);
}

static void an_empty_cgroup_does_not_end_a_container_whose_init_lives(void **state)
{
	struct fixture *f = *state;
	struct container *c;
	char procs[340], pid_text[16];
	pid_t init;
	int fd, n;

	if (!f->cgroup[0])
		skip();
	init = start_process(f->cgroup, false);
	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	snprintf(procs, sizeof(procs), "%s/../cgroup.procs", f->cgroup);
	fd = open(procs, O_WRONLY);
	n = snprintf(pid_text, sizeof(pid_text), "%d", init);
	assert_int_equal(write(fd, pid_text, (size_t)n), n);
	close(fd);
	for (int i = 0; i < 2; i++)
		assert_return_code(sd_event_run(f->event, 100000), 0);
	assert_false(f->ended);
	end_process(init);
	run_until_flag(f->event, &f->ended);
	container_free(c);
}

static void a_removed_cgroup_is_an_empty_one(void **state)
{
	struct fixture *f = *state;
	struct container *c;
	pid_t init;

	if (!f->cgroup[0])
		skip();
	init = start_process(f->cgroup, false);
	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	end_process(init);
	assert_return_code(rmdir(f->cgroup), errno);
	run_until_flag(f->event, &f->ended);
	container_free(c);
}

static void a_cgroup_that_others_live_in_is_not_its_own(void **state)
{
	struct fixture *f = *state;
	struct container *c;
	pid_t other, init;

	if (!f->cgroup[0])
		skip();
	other = start_process(f->cgroup, false);
	init = start_process(f->cgroup, false);
	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	assert_string_equal(container_identity(c)->cgroup, "");
	end_process(init);
	run_until_flag(f->event, &f->ended);
	end_process(other);
	container_free(c);
}

static void a_container_is_found_again(void **state)
{
	struct fixture *f = *state;
	struct container_identity identity;
	struct container *c;
	pid_t init = start_process(f->cgroup[0] ? f->cgroup : NULL, false);

	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	identity = *container_identity(c);
	container_free(c);
	assert_int_equal(container_find(f->event, &identity, on_ended, f, &c), 0);
	end_process(init);
	run_until_flag(f->event, &f->ended);
	container_free(c);
	assert_int_equal(container_find(f->event, &identity, on_ended, f, &c), -ESRCH);
}

static void another_process_of_the_same_pid_is_not_the_container(void **state)
{
	struct fixture *f = *state;
	struct container_identity identity = {};
	struct container *c;
	pid_t pid = start_process(NULL, false);

	identity.pid = pid;
	assert_int_equal(process_start_time(pid, &identity.start_time), 0);
	identity.start_time--;
	assert_int_equal(container_find(f->event, &identity, on_ended, f, &c), -ESRCH);
	end_process(pid);
}

static void a_container_without_init_is_found_while_its_cgroup_lives(void **state)
{
	struct fixture *f = *state;
	struct container_identity identity;
	struct container *c;
	pid_t init, second;

	if (!f->cgroup[0])
		skip();
	init = start_process(f->cgroup, false);
	assert_int_equal(container_new(f->event, pidfd_of(init), on_ended, f, &c), 0);
	identity = *container_identity(c);
	container_free(c);
	second = start_process(f->cgroup, false);
	end_process(init);
	assert_int_equal(container_find(f->event, &identity, on_ended, f, &c), 0);
	run_pending(f->event);
	assert_false(f->ended);
	end_process(second);
	run_until_flag(f->event, &f->ended);
	container_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(inits_death_ends_a_container_without_a_cgroup_of_its_own),
		T(a_container_that_has_ended_is_refused),
		T(what_is_no_pidfd_is_refused),
		T(a_container_lives_as_long_as_its_cgroup),
		T(an_empty_cgroup_does_not_end_a_container_whose_init_lives),
		T(a_removed_cgroup_is_an_empty_one),
		T(a_cgroup_that_others_live_in_is_not_its_own),
		T(a_container_is_found_again),
		T(another_process_of_the_same_pid_is_not_the_container),
		T(a_container_without_init_is_found_while_its_cgroup_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
