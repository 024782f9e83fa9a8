/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups of the spawner and its children: <base>/_spawner and <base>/<group>/<name>. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroups;

/*
 * Finds the base (see cgroup.c), moves the calling process into <base>/_spawner and switches the
 * memory and pids controllers on. -EBUSY: another spawner lives there; -ENOTEMPTY: the base was
 * delegated, and others are in it; -EOPNOTSUPP: no cgroup2, or one without these controllers; or
 * another negative errno.
 */
int cgroups_new(struct cgroups **ret_cgroups);
void cgroups_free(struct cgroups *cgroups);
void cgroups_freep(struct cgroups **cgroups);

/*
 * Makes <group>/<name>, with memory_max_bytes 0 for no limit. *ret_fd is the caller's, for clone3.
 */
int cgroups_make(const struct cgroups *cgroups, const char *group, const char *name,
		 uint64_t memory_max_bytes, uint32_t pids_max, int *ret_fd);

/*
 * Removes <group>/<name>, and the group if that was its last. 0 also if there is none; -EBUSY: not
 * empty.
 */
int cgroups_remove(const struct cgroups *cgroups, const char *group, const char *name);

/* Has the kernel killed anything in it because memory had run out, its own or the machine's? */
bool cgroups_had_oom_kill(const struct cgroups *cgroups, const char *group, const char *name);

/*
 * Kills all that is in <group>/<name> and waits until nothing is, at most timeout_ms: then
 * -ETIMEDOUT.
 */
int cgroups_kill(const struct cgroups *cgroups, const char *group, const char *name,
		 int timeout_ms);

/* The first `capacity` processes in <group>/<name>; *ret_n counts all of them. */
int cgroups_list_pids(const struct cgroups *cgroups, const char *group, const char *name,
		      pid_t *pids, size_t capacity, size_t *ret_n);

/*
 * Calls for each <group>/<name> that there is, and removes groups that hold none. Stops at an
 * error.
 */
typedef int (*cgroups_each_fn)(void *userdata, const char *group, const char *name);
int cgroups_each(const struct cgroups *cgroups, cgroups_each_fn fn, void *userdata);
