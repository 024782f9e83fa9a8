// SPDX-License-Identifier: Apache-2.0
/*
 * The steps of confinement, one by one (builds with test hooks): left out, and the gate refuses
 * what comes of it; made to fail, and the failure carries its name and leaves nothing.
 */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
#include "util/cleanup.h"

#include <signal.h>
#include <sys/wait.h>

static const char child_program[] = "tests/attack/attack-child", profile[] = "seccomp/memory.bpf";
static struct rig rig;

static void begin_without(const char *build, const char *step, unsigned int n_leaked)
{
	/* Before the spawner is there, for the steps that it takes at its own start. */
	CHECK_EQ(rig_prepare(&rig, build), 0);
	CHECK_EQ(rig_hook(&rig, "test-skip-step", step), 0);
	CHECK_EQ(rig_start_spawner(&rig, n_leaked), 0);
}

static void gate_refuses_without(const char *build, const char *step, const char *what)
{
	struct worker w;

	/* More than the child is given, so that some are left when its own are in their places. */
	begin_without(build, step, 8);
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, what);
}

/*
 * A later step cannot be taken without this one, so the child ends before there is anything to ask
 * the gate.
 */
static void child_fails_without(const char *build, const char *step, const char *failing)
{
	struct confine_report report;
	struct spawner_reply reply;
	struct worker w;

	begin_without(build, step, 0);
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_spawn(&rig, &w, child_program, profile, &reply), 0);
	CHECK_EQ(reply.error, 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(confine_step_name(report.step), failing);
	CHECK(report.error < 0);
	check_ends(&rig, &w, 1 << 8);
}

#define GATE_REFUSES(name, step, what)                                         \
	static void the_gate_refuses_a_child_without_##name(const char *build) \
	{                                                                      \
		gate_refuses_without(build, step, what);                       \
	}

#define CHILD_FAILS(name, step, failing)                                         \
	static void a_child_without_##name##_cannot_be_sealed(const char *build) \
	{                                                                        \
		child_fails_without(build, step, failing);                       \
	}

GATE_REFUSES(io_flusher, "io-flusher", "io-flusher")
GATE_REFUSES(its_cgroup, "cgroup", "cgroup")
GATE_REFUSES(all_its_namespaces, "clone", "namespace-net")
GATE_REFUSES(reset_signals, "signals", "signals")
GATE_REFUSES(closed_descriptors, "descriptors", "fd")
GATE_REFUSES(an_empty_root, "root", "root")
GATE_REFUSES(an_empty_bounding_set, "bounding-set", "capabilities")
GATE_REFUSES(its_groups_dropped, "groups", "gid")
GATE_REFUSES(its_own_uid, "uid", "uid")
GATE_REFUSES(the_outer_filter, "outer-filter", "seccomp-filters")
GATE_REFUSES(dumps_forbidden, "dumpable", "dumpable")
GATE_REFUSES(locked_memory, "mlock", "locked-memory")
GATE_REFUSES(the_inner_filter, "inner-filter", "seccomp-filters")
CHILD_FAILS(id_maps, "id-map", "groups")
CHILD_FAILS(a_limit_for_locked_memory, "memlock-limit", "mlock")
CHILD_FAILS(no_new_privs, "no-new-privs", "landlock")

static void a_child_without_parent_death_outlives_its_spawner(const char *build)
{
	struct worker w;

	begin_without(build, "parent-death", 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	rig_kill_spawner(&rig);
	CHECK(!process_is_gone(w.pidfd, 0));
	CHECK(worker_has_process(&w));
}

/*
 * exec has left it none: this step is the second lock, and its absence alone changes nothing to be
 * seen.
 */
static void capabilities_are_gone_before_the_child_drops_them(const char *build)
{
	struct worker w;

	begin_without(build, "capabilities", 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	check_gate(&w, "");
}

static void a_child_without_listen_cannot_be_connected_to(const char *build)
{
	struct worker w;

	begin_without(build, "listen", 0);
	CHECK_EQ(worker_start(&rig, &w), -ECONNREFUSED);
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
	for (enum confine_step step = CONFINE_CGROUP; step <= CONFINE_EXEC; step++)
		fail_step(step);
}

const struct attack_case step_cases[] = {
	CASE(the_gate_refuses_a_child_without_io_flusher),
	CASE(the_gate_refuses_a_child_without_its_cgroup),
	CASE(the_gate_refuses_a_child_without_all_its_namespaces),
	CASE(a_child_without_id_maps_cannot_be_sealed),
	CASE(a_child_without_a_limit_for_locked_memory_cannot_be_sealed),
	CASE(the_gate_refuses_a_child_without_reset_signals),
	CASE(the_gate_refuses_a_child_without_closed_descriptors),
	CASE(the_gate_refuses_a_child_without_an_empty_root),
	CASE(the_gate_refuses_a_child_without_an_empty_bounding_set),
	CASE(the_gate_refuses_a_child_without_its_groups_dropped),
	CASE(the_gate_refuses_a_child_without_its_own_uid),
	CASE(a_child_without_parent_death_outlives_its_spawner),
	CASE(a_child_without_no_new_privs_cannot_be_sealed),
	CASE(the_gate_refuses_a_child_without_the_outer_filter),
	CASE(capabilities_are_gone_before_the_child_drops_them),
	CASE(the_gate_refuses_a_child_without_dumps_forbidden),
	CASE(the_gate_refuses_a_child_without_locked_memory),
	CASE(a_child_without_listen_cannot_be_connected_to),
	CASE(the_gate_refuses_a_child_without_the_inner_filter),
	CASE(each_failing_step_is_reported_by_its_name_and_leaves_nothing),
	{},
};
