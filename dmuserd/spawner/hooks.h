/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How tests leave out, or break, one step of confinement by its name: to see that the gate refuses what comes
 * of it, and that a failure carries its step's name. Builds without -Dtest_hooks=true have none of it.
 *
 * The names are in <run>/test-skip-step and <run>/test-fail-step, read anew for each child. Two steps are the
 * spawner's own, taken at its start: "io-flusher" and "no-new-privs".
 */
#pragma once

#include <stdbool.h>

#ifdef DMUSER_TEST_HOOKS
#include "util/proc.h"

#include <string.h>

#define HOOK_NAME_SIZE 32

struct hooks {
	char skip[HOOK_NAME_SIZE];
	char fail[HOOK_NAME_SIZE];
};

static inline void hook_read_name(int run_fd, const char *file, char *name)
{
	if (proc_read(run_fd, file, name, HOOK_NAME_SIZE) < 0)
		name[0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static inline void hooks_read(struct hooks *hooks, int run_fd)
{
	hook_read_name(run_fd, "test-skip-step", hooks->skip);
	hook_read_name(run_fd, "test-fail-step", hooks->fail);
}

static inline bool hook_skips(const struct hooks *hooks, const char *step)
{
	return strcmp(hooks->skip, step) == 0;
}

static inline bool hook_fails(const struct hooks *hooks, const char *step)
{
	return strcmp(hooks->fail, step) == 0;
}
#else
struct hooks {
};

static inline void hooks_read(struct hooks *hooks, int run_fd)
{
}

static inline bool hook_skips(const struct hooks *hooks, const char *step)
{
	return false;
}

static inline bool hook_fails(const struct hooks *hooks, const char *step)
{
	return false;
}
#endif
