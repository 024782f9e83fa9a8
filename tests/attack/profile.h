/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seccomp profile as its text means it: read and judged here a second time, without the compiler
 * in seccomp/ and without libseccomp, so that what they make can be held against it.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_RULES_MAX 512
#define PROFILE_ARGS	  6

enum profile_op { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED_EQ };

struct profile_arg {
	unsigned int index;
	enum profile_op op;
	uint64_t value; /* OP_MASKED_EQ: the mask */
	uint64_t two;	/* what is left under the mask */
};

/* One name of one entry. */
struct profile_rule {
	const char *name, *comment;
	long number;
	uint32_t action; /* SECCOMP_RET_… */
	size_t n_args;
	struct profile_arg args[PROFILE_ARGS];
};

struct profile {
	const char *name;
	uint32_t default_action;
	size_t n_rules;
	struct profile_rule rules[PROFILE_RULES_MAX];
};

/* Of this source tree, by its name: "memory". Ends the case if it cannot be read. */
void profile_load(const char *name, struct profile *ret_profile);

/* The rule that decides, or NULL where the default does. */
const struct profile_rule *profile_find(const struct profile *profile, long number,
					const uint64_t *args);
uint32_t profile_action(const struct profile *profile, long number, const uint64_t *args);

/* The compiled program of a build. instructions: room for BPF_MAXINSNS. */
void profile_read_program(const char *build, const char *name, struct sock_filter *instructions,
			  struct sock_fprog *ret_program);
