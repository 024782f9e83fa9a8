/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module's tracepoints, from their start to a text that is searched.
 */
#pragma once

/* From here on all of the module's events are kept. Ends the case as skipped where there are none. */
void trace_start(void);
/* What was kept since, one line an event; the caller may cut it up. */
char *trace_stop(void);
/* The first line behind `*where` that has both; `*where` moves behind it. Ends the process without. */
void trace_expect(char **where, const char *event, const char *what);
/* The next line of the event: its text behind `key`; `*where` moves behind it. NULL without. */
const char *trace_next(char **where, const char *event, const char *key);
