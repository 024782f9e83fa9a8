/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about another process's threads, for tests of confinement. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Threads of the process. */
unsigned int proc_count_threads(pid_t pid);

/* Fails the test unless the line "field:" of every thread's status is this value. */
void proc_expect_every_thread(pid_t pid, const char *field, unsigned long long value);

/* The value of a field of the process's own status, in decimal. */
unsigned long long proc_value(pid_t pid, const char *field);

/* Page faults so far, of all threads, whether something was read for them or not. */
unsigned long long proc_count_faults(pid_t pid);

/* KiB of the files that the process has mapped, and how many of them are in memory. For root alone. */
void proc_count_mapped(pid_t pid, unsigned long long *ret_size, unsigned long long *ret_resident);

/* KiB of the process's mappings that have the flag, as smaps spells it in VmFlags. For root alone. */
unsigned long long proc_count_flagged(pid_t pid, const char *flag);

/* Fails the test unless soft and hard limit of that name in /proc/PID/limits are both value. */
void proc_expect_limit(pid_t pid, const char *name, const char *value);
