/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How tests leave out, break or halt one step of confinement by its name: to see that the gate
 * refuses what comes of it, that a failure carries its step's name, and that a spawner killed there
 * leaves nothing behind. Builds without -Dtest_hooks=true have none of it.
 *
 * The names are in <run>/test-skip-step, test-fail-step and test-halt-step, read anew for each
 * child. Two steps are the spawner's own, taken at its start, and can only be left out:
 * "io-flusher", "no-new-privs".
 */
#pragma once

#include "dmuserd/messages/confine-step.h"

#include <errno.h>
#include <stdbool.h>

#ifdef DMUSER_TEST_HOOKS
#include "util/fd.h"
#include "util/proc.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define HOOK_NAME_SIZE 32

struct hooks {
	char skip[HOOK_NAME_SIZE];
	char fail[HOOK_NAME_SIZE];
	char halt[HOOK_NAME_SIZE];
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
	hook_read_name(run_fd, "test-halt-step", hooks->halt);
}

static inline bool hook_skips(const struct hooks *hooks, const char *step)
{
	return strcmp(hooks->skip, step) == 0;
}

/*
 * Tells on the setup socket that it is there, and goes on when the spawner has died: a child, that
 * is.
 */
static inline void hook_halt(enum confine_step step, int setup_fd, int spawner_fd)
{
	struct confine_report report = { .step = step, .detail = "halted" };
	struct pollfd spawner = { .fd = spawner_fd, .events = POLLIN };

	(void)fd_send(setup_fd, &report, sizeof(report), NULL, 0, 0);
	(void)ppoll(&spawner, 1, NULL, NULL);
}

/* What a test wants instead of the step: 0 for nothing. */
static inline int hook_enter(const struct hooks *hooks, enum confine_step step, int setup_fd,
			     int spawner_fd)
{
	const char *name = confine_step_name(step);

	if (strcmp(hooks->halt, name) == 0)
		hook_halt(step, setup_fd, spawner_fd);
	return strcmp(hooks->fail, name) == 0 ? -ECANCELED : 0;
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

static inline int hook_enter(const struct hooks *hooks, enum confine_step step, int setup_fd,
			     int spawner_fd)
{
	return 0;
}
#endif
