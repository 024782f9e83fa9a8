/* SPDX-License-Identifier: Apache-2.0 */
/* dmuserctl's exit codes; dmuserctl(8) documents them, scripts depend on them. */
#pragma once

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,      /* dmuserd refused, or something here went wrong */
	EXIT_USAGE = 2,       /* the command line makes no sense */
	EXIT_UNREACHABLE = 3, /* dmuserd is not there, or went away */
	EXIT_DENIED = 4,      /* the caller may not do that */
	EXIT_NO_VOLUME = 5,   /* there is no such volume */
	EXIT_TIMED_OUT = 6,   /* a deadline passed */
	EXIT_BUSY = 7,        /* the volume or its device is in use */
};
