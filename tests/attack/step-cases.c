// SPDX-License-Identifier: Apache-2.0
/*
 * Steps of confinement left out or failing (builds with test hooks), as far as the real supervisor
 * cannot be made to show it: what concerns the spawner itself, what no place of /proc tells, and
 * each failure's name from nearer by. The steps one by one, through dmuserd: tests/attack/steps.
 */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char child_program[] = "tests/attack/attack-child", profile[] = "seccomp/memory.bpf";
static struct rig rig;

static void begin_without(const char *build, const char *steps)
{
	/* Before the spawner is there, for the steps that it takes at its own start. */
	CHECK_EQ(rig_prepare(&rig, build), 0);
	CHECK_EQ(rig_hook(&rig, "test-skip-step", steps), 0);
	CHECK_EQ(rig_start_spawner(&rig, 0), 0);
}

static void the_gate_refuses_a_child_without_io_flusher(const char *build)
{
	struct worker w;

	begin_without(build, "io-flusher");
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "io-flusher");
}

/* Before the supervisor's look at the socket's peer, which would stop it by itself. */
static void the_gate_refuses_a_child_without_its_own_uid(const char *build)
{
	struct worker w;

	begin_without(build, "uid");
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "uid");
}

/* The spawner has left it out as well; or its child would have it from there. */
static void a_child_without_no_new_privs_cannot_be_sealed(const char *build)
{
	struct confine_report report;
	struct spawner_reply reply;
	struct worker w;

	begin_without(build, "no-new-privs");
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_spawn(&rig, &w, child_program, profile, &reply), 0);
	CHECK_EQ(reply.error, 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), "landlock");
	CHECK_EQ(report.error, -EPERM);
	check_ends(&rig, &w, 1 << 8);
}

/* The rig's spawner may lock nothing, one that may would hand that on. */
static void a_limit_for_locked_memory_that_was_not_set_is_noticed(const char *build)
{
	struct rlimit much = { RIG_MEMLOCK_BYTES / 2, RIG_MEMLOCK_BYTES * 2 };
	struct confine_report report;
	struct spawner_reply reply;
	struct worker w;

	begin_without(build, "memlock-limit");
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_spawn(&rig, &w, child_program, profile, &reply), 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), "mlock");
	check_ends(&rig, &w, 1 << 8);
	CHECK_EQ(prlimit(rig.spawner, RLIMIT_MEMLOCK, &much, NULL), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "locked-memory-limit");
}

static void the_gate_refuses_each_limit_that_is_too_high(const char *build)
{
	static const struct {
		__rlimit_resource_t resource;
		const char *what;
	} limits[] = {
		{ RLIMIT_CORE, "core-limit" },
		{ RLIMIT_NOFILE, "descriptor-limit" },
		{ RLIMIT_FSIZE, "file-size-limit" },
		{ RLIMIT_MEMLOCK, "locked-memory-limit" },
	};
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit before, higher;

		check_gate(&w, "");
		CHECK_EQ(prlimit(w.pid, limits[i].resource, NULL, &before), 0);
		higher = (struct rlimit){ before.rlim_cur, before.rlim_max + 1 };
		CHECK_EQ(prlimit(w.pid, limits[i].resource, &higher, NULL), 0);
		check_gate(&w, limits[i].what);
		CHECK_EQ(prlimit(w.pid, limits[i].resource, &before, NULL), 0);
	}
}

/* What of the step can be seen, and what it is for. */
static void a_child_without_parent_death_outlives_its_spawner(const char *build)
{
	struct worker w;

	begin_without(build, "parent-death");
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "session");
	rig_kill_spawner(&rig);
	CHECK(!process_is_gone(w.pidfd, 0));
	CHECK(worker_has_process(&w));
}

/* Landlock alone: the filters are the spawner's and one that allows to open. */
static int64_t open_root_without(const char *build, const char *steps)
{
	struct order order = { .kind = ORDER_OPEN_ROOT };
	struct confine_report report;
	struct spawner_reply reply;
	struct answer answer;
	struct worker w;

	begin_without(build, steps);
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_spawn(&rig, &w, child_program, "tests/attack/open.bpf", &reply), 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), "sealed");
	CHECK_EQ(worker_connect(&w), 0);
	CHECK_EQ(worker_order(&w, &order, &answer), 0);
	return answer.result;
}

static void landlock_refuses_what_a_filter_has_let_through(const char *build)
{
	CHECK_EQ(open_root_without(build, "outer-filter"), -EACCES);
}

static void without_landlock_the_same_filter_lets_a_child_open(const char *build)
{
	CHECK(open_root_without(build, "outer-filter landlock") >= 0);
}

/*
 * Started by root and not by the spawner, so that there are capabilities to be dropped. Its
 * bounding set the seal cannot empty; the spawner does.
 */
_Noreturn static void become_child(const struct worker *w, const char *build, const char *steps)
{
	char program[512], filter[512], option[64];
	int fds[4] = { w->listener, w->setup_child, -EBADF, w->memfd };
	struct rlimit memlock = { RIG_MEMLOCK_BYTES, RIG_MEMLOCK_BYTES };

	snprintf(program, sizeof(program), "%s/%s", build, child_program);
	snprintf(filter, sizeof(filter), "%s/%s", build, profile);
	snprintf(option, sizeof(option), "--test-steps=%s::", steps);
	fds[2] = open(filter, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (dup2(fds[i], CONFINE_FD_LINK + (int)i) < 0)
			_exit(5);
	/* As the spawner's child does: Landlock and filters are refused to who has neither. */
	if (setgroups(0, NULL) < 0 || setrlimit(RLIMIT_MEMLOCK, &memlock) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
		_exit(6);
	execl(program, program, option, NULL);
	_exit(7);
}

static void gate_names_of_root(const char *build, const char *steps, const char *set)
{
	struct gate_verdict verdict = {};
	struct gate_expectation expected;
	struct confine_report report;
	struct worker w;

	CHECK_EQ(rig_prepare(&rig, build), 0);
	CHECK_EQ(worker_init(&rig, &w), 0);
	w.pid = fork();
	if (w.pid == 0)
		become_child(&w, build, steps);
	w.pidfd = (int)syscall(SYS_pidfd_open, w.pid, 0U);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), "sealed");
	worker_expect(&w, &expected);
	expected.uid = 0;
	CHECK_EQ(gate_check(&expected, &verdict), 1);
	kill(w.pid, SIGKILL);
	CHECK_STR(verdict.what, "capabilities");
	if (!strstr(verdict.detail, set)) {
		fprintf(stderr, "the gate: %s\n", verdict.detail);
		exit(1);
	}
}

static void a_child_started_with_capabilities_drops_them(const char *build)
{
	gate_names_of_root(build, "", "the bounding set");
}

static void the_gate_refuses_a_child_that_has_kept_capabilities(const char *build)
{
	gate_names_of_root(build, "capabilities", "the permitted set");
}

static void fail_step(enum confine_step step)
{
	const char *name = confine_step_name(step);
	struct confine_report report;
	struct spawner_reply reply;
	struct worker w;

	CHECK_EQ(rig_hook(&rig, "test-fail-step", name), 0);
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_spawn(&rig, &w, child_program, profile, &reply), 0);
	if (step <= CONFINE_MEMLOCK_LIMIT) {
		CHECK_EQ(reply.error, -ECANCELED);
		CHECK_STR(confine_step_name(reply.step), name);
		CHECK_EQ(w.pidfd, -EBADF);
	} else {
		CHECK_EQ(reply.error, 0);
		CHECK_EQ(worker_wait_report(&w, &report), 0);
		CHECK_EQ(report.error, -ECANCELED);
		CHECK_STR(confine_step_name(report.step), name);
		check_ends(&rig, &w, 1 << 8);
	}
	CHECK_EQ(worker_wait_end(&w), 0);
	CHECK(!worker_has_cgroup(&w));
}

static void each_failing_step_is_reported_by_its_name_and_leaves_nothing(const char *build)
{
	CHECK_EQ(rig_start(&rig, build, 0), 0);
	for (enum confine_step step = CONFINE_CGROUP; step < CONFINE_SEALED; step++)
		fail_step(step);
}

const struct attack_case step_cases[] = {
	CASE(the_gate_refuses_a_child_without_io_flusher),
	CASE(the_gate_refuses_a_child_without_its_own_uid),
	CASE(a_child_without_no_new_privs_cannot_be_sealed),
	CASE(a_limit_for_locked_memory_that_was_not_set_is_noticed),
	CASE(the_gate_refuses_each_limit_that_is_too_high),
	CASE(a_child_without_parent_death_outlives_its_spawner),
	CASE(landlock_refuses_what_a_filter_has_let_through),
	CASE(without_landlock_the_same_filter_lets_a_child_open),
	CASE(a_child_started_with_capabilities_drops_them),
	CASE(the_gate_refuses_a_child_that_has_kept_capabilities),
	CASE(each_failing_step_is_reported_by_its_name_and_leaves_nothing),
	{},
};
