// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracepoints' code, which the kernel's trace headers make out of trace.h. None of it is ours.
 */
#ifndef __CHECKER__
#define CREATE_TRACE_POINTS
#endif
#include "trace.h"
