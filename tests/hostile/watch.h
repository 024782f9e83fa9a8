/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that sees to it that the others end, and says what became of them.
 */
#pragma once

#include <sys/types.h>

#define WATCH_PROCESSES 3

/* Until all have ended. Returns the program's exit status. */
int watch_until_end(const pid_t pids[WATCH_PROCESSES]);
