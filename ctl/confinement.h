/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker may do, as the kernel says it in /proc: read here, not asked of dmuserd.
 *
 * Needs no power for what everyone may read; the rest (namespaces, root, descriptors) is unknown
 * then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CONFINEMENT_UNKNOWN (-1)

enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FILE_SYSTEM, ID_COUNT };
enum { CAP_SET_INH, CAP_SET_PRM, CAP_SET_EFF, CAP_SET_BND, CAP_SET_AMB, CAP_SET_COUNT };

struct confinement {
	char program[512];
	/* It is what it calls itself, because the kernel's answer was not to be had. */
	bool program_is_its_word;
	int64_t uids[ID_COUNT], gids[ID_COUNT];
	char groups[128]; /* supplementary ones, blank-separated */
	uint64_t capabilities[CAP_SET_COUNT];
	int no_new_privs, seccomp, seccomp_filters, threads;

	unsigned int namespaces_own, namespaces_shared; /* bits, in the order of the names */
	int root_entries;
	int descriptors;
};

/* Reads the text of /proc/PID/status. 0, or -EINVAL: a line is missing or malformed. */
int confinement_parse_status(const char *text, struct confinement *c);

/* Reads all of a living process. 0; -ESRCH; or what open(2) returned for its status. */
int confinement_read(pid_t pid, struct confinement *ret);

void confinement_print(const struct confinement *c, FILE *file);
