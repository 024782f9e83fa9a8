/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming a daemon, and telling whoever waits that the spawner is ready. */
#pragma once

#include <stdbool.h>

/*
 * Goes to the background: returns in the daemon alone, with the descriptor for daemon_ready(). The
 * process that was called ends when the daemon says that it is ready (with 0), or ends (with 1).
 */
int daemon_detach(int *ret_ready_fd);

/* Detached: standard streams become null_fd, and the caller may go on. ready_fd is consumed. */
int daemon_ready(int ready_fd, int null_fd);

/* In the foreground: tells a service manager that asked for it ($NOTIFY_SOCKET). */
int daemon_notify(void);
