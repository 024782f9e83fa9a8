// SPDX-License-Identifier: Apache-2.0
/*
 * faults: the cases of this folder, as tests/kmod/runner.h has them. As root, with the module
 * loaded, on a kernel that injects faults as tests/faults/run tells it to.
 */
#include <sys/mman.h>

#include "../kmod/runner.h"
#include "case.h"
#include "device.h"
#include "prove.h"

static const struct test_case *const groups[] = {
	device_cases, control_cases, channel_cases, transfer_cases, map_cases, module_cases, NULL,
};

/* Far more than the longest sweep takes under emulation. */
#define DEADLINE_S 900

/* Deeper than any case calls. */
#define STACK_BYTES (256 * 1024)

/* A page that the process itself lacks would be one more point of failure, and in any place. */
static void have_all_pages(void)
{
	volatile char stack[STACK_BYTES];

	for (size_t i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
	CHECK_EQ(mlockall(MCL_CURRENT), 0);
}

static void prepare(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	device_begin();
	have_all_pages();
}

static void fail_io(pid_t child)
{
	struct target t = { .name = PROVE_NAME };

	(void)child;
	device_begin();
	device_message(&t, "fail");
}

int main(int argc, char **argv)
{
	const struct runner runner = {
		.program = "faults",
		.groups = groups,
		.deadline_s = DEADLINE_S,
		.prepare = prepare,
		.fail_io = fail_io,
	};

	return runner_main(&runner, argc, argv);
}
