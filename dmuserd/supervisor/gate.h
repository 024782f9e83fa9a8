/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: is that process really confined? Asked of /proc, from outside, never of the process.
 *
 * The one that confines is the spawner; this is the other pair of eyes. It knows nothing of how
 * confinement is done, only how the final state looks, and only that passes. No channel is sent before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_FDS_MAX 32

struct gate_expectation {
	pid_t pid;
	int pidfd; /* must still be alive after the last look, so that no reused pid was looked at */
	uid_t uid; /* and gid: real, effective, saved, file system */
	uint32_t filters; /* exact count of seccomp filters on every thread */
	uint64_t memlock_min_bytes; /* VmLck at least; 0: not asked */
	/* What RLIMIT_… allow: memory to lock exactly, which only the spawner can have set (UINT64_MAX:
	 * not asked); of the others no more, soft and hard. Core files are always 0. */
	uint64_t memlock_limit_bytes;
	uint64_t nofile_limit;
	uint64_t fsize_limit_bytes;
	bool oom_score_known; /* false: oom_score is not asked */
	int oom_score;
	const char *cgroup; /* how its cgroup's path ends: "<group>/<name>"; NULL: not asked */
	/* Exactly these descriptors: number and (st_dev, st_ino) of the supervisor's own one. 0, 1, 2 are
	 * expected to be /dev/null without being listed. own_fd -1: a socket whose inode cannot be known
	 * here (an accepted connection). */
	size_t n_fds;
	struct {
		int fd;
		int own_fd;
	} fds[GATE_FDS_MAX];
};

struct gate_verdict {
	pid_t tid;          /* the thread that failed, or the process */
	char what[64];      /* "seccomp-filters", "capabilities", "uid", "namespace-net", "fd", "root"… */
	char detail[160];   /* expected and found */
};

/* 0: confined. 1: not confined, *ret_verdict says why. Negative errno: could not look (counts as no). */
int gate_check(const struct gate_expectation *expected, struct gate_verdict *ret_verdict);
