// SPDX-License-Identifier: Apache-2.0
/*
 * The spawner is killed: what may go on goes on, what may not ends, and the next one finds its way.
 */
#include "tests/attack/case.h"
#include "tests/attack/check.h"
#include "util/cleanup.h"

#include <signal.h>

static const char child_program[] = "tests/attack/attack-child", profile[] = "seccomp/memory.bpf";
static struct rig rig;

static void outlive(struct worker *w)
{
	struct order order = { .kind = ORDER_OUTLIVE };
	struct answer answer;

	CHECK_EQ(worker_order(w, &order, &answer), 0);
	CHECK_EQ(answer.result, 0);
}

static void list_nothing(void)
{
	struct spawner_request list = { .version = SPAWNER_MESSAGE_VERSION, .op = SPAWNER_LIST };
	struct spawner_reply reply;
	int fd;

	CHECK_EQ(rig_send(&rig, &list, NULL, 0), 0);
	CHECK_EQ(rig_receive(&rig, &reply, &fd), 0);
	CHECK_EQ(reply.event, SPAWNER_LISTED);
}

static void a_worker_without_a_channel_dies_with_the_spawner(const char *build)
{
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	rig_kill_spawner(&rig);
	CHECK(process_is_gone(w.pidfd, RIG_TIMEOUT_MS));
}

static void the_next_spawner_adopts_a_worker_that_serves(const char *build)
{
	struct spawner_request list = { .version = SPAWNER_MESSAGE_VERSION, .op = SPAWNER_LIST };
	struct order ping = { .kind = ORDER_PING };
	struct gate_expectation expected;
	struct spawner_reply reply;
	struct answer answer;
	struct worker w;
	int pidfd;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	outlive(&w);
	rig_kill_spawner(&rig);
	CHECK_EQ(worker_order(&w, &ping, &answer), 0);
	CHECK_EQ(rig_start_spawner(&rig, 0), 0);
	CHECK_EQ(rig_send(&rig, &list, NULL, 0), 0);
	CHECK_EQ(rig_wait_for(&rig, SPAWNER_CHILD, w.name, &reply, &pidfd), 0);
	CHECK_EQ(reply.alive, 1);
	CHECK_EQ(reply.role, SPAWNER_WORKER);
	CHECK_EQ(reply.uid, w.uid);
	CHECK_EQ(reply.pid, w.pid);
	worker_expect(&w, &expected);
	expected.pidfd = pidfd;
	check_gate_expecting(&expected, "");
	CHECK_EQ(rig_ask(&rig, SPAWNER_KILL, w.name, &reply), 0);
	CHECK_EQ(reply.error, 0);
	check_ends(&rig, &w, SPAWNER_STATUS_UNKNOWN);
	CHECK_EQ(rig_ask(&rig, SPAWNER_FORGET, w.name, &reply), 0);
	CHECK_EQ(reply.error, 0);
	CHECK(!worker_has_cgroup(&w));
}

/* Sealed, and yet not a worker: its name is not a volume's. */
static void the_next_spawner_kills_what_is_no_worker(const char *build)
{
	struct order outlive_order = { .kind = ORDER_OUTLIVE };
	struct confine_report report;
	struct spawner_reply reply;
	struct answer answer;
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	CHECK_EQ(worker_init(&rig, &w), 0);
	snprintf(w.name, sizeof(w.name), "parser-1");
	snprintf(w.cgroup, sizeof(w.cgroup), RIG_GROUP "/parser-1");
	CHECK_EQ(worker_spawn(&rig, &w, child_program, profile, &reply), 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_EQ(report.step, CONFINE_SEALED);
	CHECK_EQ(worker_connect(&w), 0);
	CHECK_EQ(worker_order(&w, &outlive_order, &answer), 0);
	rig_kill_spawner(&rig);
	CHECK(!process_is_gone(w.pidfd, 0));
	CHECK_EQ(rig_start_spawner(&rig, 0), 0);
	CHECK(process_is_gone(w.pidfd, 0));
	CHECK(!worker_has_cgroup(&w));
	list_nothing();
}

/* A child that would go on for ever, unconfined, if nobody looked. */
static void the_next_spawner_kills_what_is_not_confined(const char *build)
{
	struct worker w;

	CHECK_EQ(rig_start(&rig, build, 0), 0);
	CHECK_EQ(rig_hook(&rig, "test-skip-step", "bounding-set"), 0);
	CHECK_EQ(worker_start(&rig, &w), 0);
	outlive(&w);
	rig_kill_spawner(&rig);
	CHECK(!process_is_gone(w.pidfd, 0));
	CHECK_EQ(rig_start_spawner(&rig, 0), 0);
	CHECK(process_is_gone(w.pidfd, 0));
	CHECK(!worker_has_cgroup(&w));
	list_nothing();
}

static void kill_spawner_at(enum confine_step step)
{
	struct confine_report report;
	struct worker w;

	CHECK_EQ(rig_hook(&rig, "test-halt-step", confine_step_name(step)), 0);
	CHECK_EQ(worker_init(&rig, &w), 0);
	CHECK_EQ(worker_request(&rig, &w, child_program, profile), 0);
	CHECK_EQ(worker_wait_report(&w, &report), 0);
	CHECK_STR(report.detail, "halted");
	CHECK_STR(confine_step_name(report.step), confine_step_name(step));
	rig_kill_spawner(&rig);
	/*
	 * The child, if there is one, goes on by itself now; it has to end before it is anything.
	 */
	for (;;) {
		int r = worker_wait_report(&w, &report);

		if (r == -ECONNRESET)
			break;
		CHECK_EQ(r, 0);
		/* "descriptors" is halted at twice: it has two parts. */
		if (report.step != step)
			CHECK_STR(confine_step_name(report.step), "parent-death");
	}
	CHECK_EQ(rig_start_spawner(&rig, 0), 0);
	CHECK(!worker_has_process(&w));
	CHECK(!worker_has_cgroup(&w));
	list_nothing();
}

static void a_spawner_killed_at_any_step_leaves_no_process(const char *build)
{
	CHECK_EQ(rig_start(&rig, build, 0), 0);
	for (enum confine_step step = CONFINE_CGROUP; step < CONFINE_SEALED; step++)
		kill_spawner_at(step);
}

const struct attack_case death_cases[] = {
	CASE(a_worker_without_a_channel_dies_with_the_spawner),
	CASE(the_next_spawner_adopts_a_worker_that_serves),
	CASE(the_next_spawner_kills_what_is_no_worker),
	CASE(the_next_spawner_kills_what_is_not_confined),
	CASE(a_spawner_killed_at_any_step_leaves_no_process),
	{},
};
