// SPDX-License-Identifier: Apache-2.0
/* Checks that several groups of cases share; see check.h. */
#include "tests/attack/check.h"
#include "tests/attack/case.h"

void check_gate_expecting(const struct gate_expectation *expected, const char *what)
{
	struct gate_verdict verdict = {};
	int r = gate_check(expected, &verdict);

	if (strcmp(verdict.what, what) != 0)
		fprintf(stderr, "the gate: %d: %s: %s (thread %d)\n", r, verdict.what,
			verdict.detail, verdict.tid);
	CHECK_STR(verdict.what, what);
	CHECK_EQ(r, what[0] == '\0' ? 0 : 1);
}

void check_gate(const struct worker *w, const char *what)
{
	struct gate_expectation expected;

	worker_expect(w, &expected);
	check_gate_expecting(&expected, what);
}

void check_ends(struct rig *rig, struct worker *w, int status)
{
	struct spawner_reply reply;

	CHECK_EQ(rig_wait_for(rig, SPAWNER_EXITED, w->name, &reply, NULL), 0);
	CHECK_EQ(reply.status, status);
	CHECK_EQ(reply.alive, 0);
	CHECK(process_is_gone(w->pidfd, 0));
}
