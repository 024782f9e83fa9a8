/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's one way out for words to an administrator.
 *
 * They go to the journal, or to stderr where there is none, with a <priority> prefix if that leads to the
 * journal. A message that a client can cause at will is written by log_limited(), so that no client can
 * fill a disk or push what matters out of the journal. The one state of the process that is not in struct
 * manager: where messages go belongs to the process.
 */
#pragma once

#include <syslog.h>

/* Looks once where messages go. Before it, and without it, they go to stderr. */
void log_open(void);

/* priority: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO. One line, without a newline. errno survives. */
void log_print(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same within a budget that all its callers share; what was left out is counted and told later. */
void log_limited(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
