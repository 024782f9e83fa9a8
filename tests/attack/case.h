/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case: one sentence about confinement, and the function that proves it. Each runs in a process
 * of its own, as root, with a deadline; a check that does not hold ends the process with its place
 * and values.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attack_case {
	const char *name;
	void (*run)(const char *build);
};

#define CASE(function)              \
	{                           \
#function, function \
	}

extern const struct attack_case spawner_cases[], service_cases[], step_cases[], inside_cases[],
	death_cases[], profile_cases[];

#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: %s does not hold (errno %d)\n", __FILE__, \
				__LINE__, #condition, errno);                             \
			exit(1);                                                          \
		}                                                                         \
	} while (0)

#define CHECK_EQ(actual, expected)                                                                \
	do {                                                                                      \
		long long actual_ = (actual), expected_ = (expected);                             \
		if (actual_ != expected_) {                                                       \
			fprintf(stderr, "%s:%d: %s is %lld, not %s (%lld)\n", __FILE__, __LINE__, \
				#actual, actual_, #expected, expected_);                          \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

#define CHECK_STR(actual, expected)                                                              \
	do {                                                                                     \
		const char *actual_ = (actual), *expected_ = (expected);                         \
		if (strcmp(actual_, expected_) != 0) {                                           \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, \
				#actual, actual_, expected_);                                    \
			exit(1);                                                                 \
		}                                                                                \
	} while (0)
