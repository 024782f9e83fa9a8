/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How tests leave out, break or halt a step of confinement by its name: to see who notices, that a failure
 * carries its step's name, and that whoever is killed there leaves nothing behind. Builds without
 * -Dtest_hooks=true have none of it.
 *
 * <run>/test-skip-step, test-fail-step and test-halt-step hold names, with blanks between them, read anew
 * for each child. With "worker" or "parser" among them they are for such children alone. A halted
 * step says so in a report of its own, unless "quiet" is among the names, and goes on when nobody is left
 * who waits for the child. Two steps are also the spawner's own, taken at its start, and can only be left
 * out: "io-flusher", "no-new-privs". The program that is executed gets the names on its command line.
 *
 * What is a part of the program's work, and gives nothing up, cannot be left out: the skip of such a step
 * has no effect ("setup", "prepare", "threads", and what later steps need of others).
 */
#pragma once

#include "dmuserd/messages/confine-step.h"

#include <stdbool.h>

#ifdef DMUSER_TEST_HOOKS
#include "util/fd.h"
#include "util/proc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HOOK_NAMES_SIZE	 64
#define HOOK_OPTION	 "--test-steps="
#define HOOK_OPTION_SIZE (sizeof(HOOK_OPTION) + 3 * HOOK_NAMES_SIZE)

struct hooks {
	char skip[HOOK_NAMES_SIZE];
	char fail[HOOK_NAMES_SIZE];
	char halt[HOOK_NAMES_SIZE];
};

static inline bool hook_lists(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (names += strspn(names, " "); *names; names += strspn(names, " ")) {
		size_t span = strcspn(names, " ");

		if (span == length && memcmp(names, name, length) == 0)
			return true;
		names += span;
	}
	return false;
}

static inline void hook_read_names(int run_fd, const char *file, const char *role, char *names)
{
	if (proc_read(run_fd, file, names, HOOK_NAMES_SIZE) < 0)
		names[0] = '\0';
	names[strcspn(names, "\n")] = '\0';
	if ((hook_lists(names, "worker") || hook_lists(names, "parser")) && !hook_lists(names, role))
		names[0] = '\0';
}

/* role: "worker", "parser" or "spawner". */
static inline void hooks_read(struct hooks *hooks, int run_fd, const char *role)
{
	hook_read_names(run_fd, "test-skip-step", role, hooks->skip);
	hook_read_names(run_fd, "test-fail-step", role, hooks->fail);
	hook_read_names(run_fd, "test-halt-step", role, hooks->halt);
}

static inline void hooks_to_option(const struct hooks *hooks, char option[HOOK_OPTION_SIZE])
{
	snprintf(option, HOOK_OPTION_SIZE, HOOK_OPTION "%s:%s:%s", hooks->skip, hooks->fail,
		 hooks->halt);
}

static inline void hooks_from_option(struct hooks *hooks, const char *option)
{
	char *const fields[] = { hooks->skip, hooks->fail, hooks->halt };

	if (strncmp(option, HOOK_OPTION, strlen(HOOK_OPTION)) != 0)
		return;
	option += strlen(HOOK_OPTION);
	for (int i = 0; i < 3; i++) {
		size_t length = strcspn(option, ":");

		snprintf(fields[i], HOOK_NAMES_SIZE, "%.*s", (int)length, option);
		option += length + (option[length] == ':');
	}
}

static inline bool hook_skips(const struct hooks *hooks, const char *step)
{
	return hook_lists(hooks->skip, step);
}

static inline void hook_halt(const struct hooks *hooks, enum confine_step step, int setup_fd,
			     int spawner_fd)
{
	struct confine_report report = { .step = step, .detail = "halted" };
	struct pollfd ends[] = { { .fd = spawner_fd, .events = POLLIN }, { .fd = setup_fd } };

	if (!hook_lists(hooks->halt, "quiet"))
		(void)fd_send(setup_fd, &report, sizeof(report), NULL, 0, 0);
	(void)ppoll(ends, 2, NULL, NULL);
}

/* What a test wants instead of the step: 0 for nothing. spawner_fd: its pidfd, or negative. */
static inline int hook_enter(const struct hooks *hooks, enum confine_step step, int setup_fd,
			     int spawner_fd)
{
	const char *name = confine_step_name(step);

	if (hook_lists(hooks->halt, name))
		hook_halt(hooks, step, setup_fd, spawner_fd);
	return hook_lists(hooks->fail, name) ? -ECANCELED : 0;
}
#else
struct hooks {
};

static inline void hooks_read(struct hooks *hooks, int run_fd, const char *role)
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
