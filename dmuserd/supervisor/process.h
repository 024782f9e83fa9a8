/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes, named so that a reused pid is never taken for them.
 *
 * A pidfd names a process for good; a pid does only together with the time at which it started.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether the process of pidfd has not ended. */
bool process_is_alive(int pidfd);

/* The pid behind a pidfd, as seen from here. -ESRCH when it has ended, -EREMOTE when not seen from
 * here. */
int process_pid(int pidfd, pid_t *ret_pid);

/* When it started, in clock ticks since boot. -ESRCH if there is none. */
int process_start_time(pid_t pid, uint64_t *ret_start_time);

/* Its real uid, however it has made itself undumpable. Errors of process_pid(). */
int process_owner(int pidfd, uid_t *ret_uid);

/* A pidfd of the process that had that pid and started then. -ESRCH if it has ended. */
int process_open(pid_t pid, uint64_t start_time, int *ret_pidfd);
