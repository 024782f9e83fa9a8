/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case: one sentence about the module, and the function that proves it. Each runs in a process of
 * its own, as root, with minutes to live; a check that does not hold ends the process with its place
 * and its values. What a case leaves behind, tests/kmod/run removes.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

#define CASE(function) { #function, function }

extern const struct test_case stream_cases[], answer_cases[], operation_cases[], death_cases[],
	suspend_cases[], fail_cases[], wait_cases[], memory_cases[], storm_cases[],
	option_cases[], requeue_cases[], timeout_cases[], fence_cases[], flush_cases[],
	many_cases[], kill_cases[], ioctl_cases[], batch_cases[], stats_cases[], commit_cases[],
	wake_cases[], moderation_cases[], event_cases[], ring_cases[], opt_in_cases[];

/* A case that cannot run here says why and exits with this. */
#define SKIPPED 77

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s does not hold (errno %d)\n", __FILE__, __LINE__, \
				#condition, errno); \
			exit(1); \
		} \
	} while (0)

#define CHECK_EQ(actual, expected) \
	do { \
		long long actual_ = (actual), expected_ = (expected); \
		if (actual_ != expected_) { \
			fprintf(stderr, "%s:%d: %s is %lld, not %s (%lld) (errno %d)\n", __FILE__, \
				__LINE__, #actual, actual_, #expected, expected_, errno); \
			exit(1); \
		} \
	} while (0)
