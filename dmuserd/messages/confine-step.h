/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of confining a child, in their order, with the names by which errors and tests know them.
 *
 * Steps up to EXEC are the spawner's (before and after clone3), those from CAPABILITIES on are done by
 * the confined program itself (libdmuser's seal). What each one is for stands where it is done.
 */
#pragma once

#include <stdint.h>

#define CONFINE_STEPS(X)                                                                           \
	X(CGROUP, "cgroup")                                                                        \
	X(CLONE, "clone")                                                                          \
	X(ID_MAP, "id-map")                                                                        \
	X(OOM_SCORE, "oom-score")                                                                  \
	X(MEMLOCK_LIMIT, "memlock-limit")                                                          \
	X(SIGNALS, "signals")                                                                      \
	X(DESCRIPTORS, "descriptors")                                                              \
	X(ROOT, "root")                                                                            \
	X(BOUNDING_SET, "bounding-set")                                                            \
	X(GROUPS, "groups")                                                                        \
	X(UID, "uid")                                                                              \
	X(PARENT_DEATH, "parent-death")                                                            \
	X(NO_NEW_PRIVS, "no-new-privs")                                                            \
	X(OUTER_FILTER, "outer-filter")                                                            \
	X(EXEC, "exec")                                                                            \
	X(CAPABILITIES, "capabilities")                                                            \
	X(DUMPABLE, "dumpable")                                                                    \
	X(SETUP, "setup")                                                                          \
	X(PREPARE, "prepare")                                                                      \
	X(MLOCK, "mlock")                                                                          \
	X(RLIMITS, "rlimits")                                                                      \
	X(LISTEN, "listen")                                                                        \
	X(LANDLOCK, "landlock")                                                                    \
	X(THREADS, "threads")                                                                      \
	X(INNER_FILTER, "inner-filter")

enum confine_step {
	CONFINE_NONE = 0,
#define X(id, name) CONFINE_##id,
	CONFINE_STEPS(X)
#undef X
	CONFINE_SEALED, /* all of them done */
};

/* "sealed" for CONFINE_SEALED, "unknown" for what is none of them. Never NULL. */
static inline const char *confine_step_name(uint32_t step)
{
	switch (step) {
#define X(id, name)                                                                                \
	case CONFINE_##id:                                                                         \
		return name;
	CONFINE_STEPS(X)
#undef X
	case CONFINE_SEALED:
		return "sealed";
	default:
		return "unknown";
	}
}

/* The descriptors that a confined child starts with. 0, 1 and 2 are /dev/null. */
enum {
	CONFINE_FD_LINK = 3,      /* worker: its bound control socket; parser: the supervisor's pair */
	CONFINE_FD_SETUP = 4,     /* setup in, one confine_report out; closed once sealed */
	CONFINE_FD_PROFILE = 5,   /* the inner filter's BPF program; closed once loaded */
	CONFINE_FD_RESOURCES = 6, /* the first of the resources, in the order of the manifest */
};
#define CONFINE_RESOURCES_MAX 8
/*
 * How many descriptors a sealed worker may have: one more than is ever in use, so that a second channel
 * arrives and can be refused with an error instead of breaking the connection.
 */
#define CONFINE_NOFILE(n_resources) (CONFINE_FD_RESOURCES + (n_resources) + 1)

/* Sent once by the child on CONFINE_FD_SETUP, by whichever program got there. */
struct confine_report {
	uint32_t step;      /* CONFINE_SEALED, or the step that failed */
	int32_t error;      /* 0, or the negative errno of that step */
	char detail[120];   /* NUL-terminated words for a person, or empty */
};
_Static_assert(sizeof(struct confine_report) == 128, "no padding");
