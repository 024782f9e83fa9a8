// SPDX-License-Identifier: Apache-2.0
/*
 * kmod-cases: the module's cases, as runner.h has them. As root, with the module loaded.
 */
#include <glob.h>

#include "case.h"
#include "runner.h"
#include "target.h"

static const struct test_case *const groups[] = {
	stream_cases, answer_cases, operation_cases, death_cases, suspend_cases, fail_cases,
	wait_cases, memory_cases, commit_cases, option_cases, requeue_cases, timeout_cases,
	fence_cases, flush_cases, many_cases, kill_cases, ioctl_cases, batch_cases, stats_cases,
	wake_cases, moderation_cases, event_cases, ring_cases, opt_in_cases, storm_cases, NULL,
};

/* Far more than any case needs under emulation. */
#define DEADLINE_S 180

static void fail_io(pid_t child)
{
	char pattern[64];
	glob_t nodes;

	snprintf(pattern, sizeof(pattern), "/dev/dm-user/case-%d-*", child);
	if (glob(pattern, 0, NULL, &nodes) != 0)
		return;
	for (size_t i = 0; i < nodes.gl_pathc; i++) {
		struct target t = { 0 };

		/* a device is called as its node, but in the few cases that hand over to another */
		snprintf(t.name, sizeof(t.name), "%s", strrchr(nodes.gl_pathv[i], '/') + 1);
		target_message(&t, "fail");
	}
	globfree(&nodes);
}

int main(int argc, char **argv)
{
	const char *kills = getenv("DMUSER_KILLS");
	const struct runner runner = {
		.program = "kmod-cases",
		.groups = groups,
		.deadline_s = DEADLINE_S + (kills ? atoi(kills) / 2 : 0),
		.fail_io = fail_io,
	};

	return runner_main(&runner, argc, argv);
}
