// SPDX-License-Identifier: Apache-2.0
/*
 * Nudges threads that have not come on for a while.
 */
#include "nudge.h"

#include <signal.h>

static void ignore(int signal)
{
}

void nudge_init(void)
{
	/* no SA_RESTART */
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void nudge_if_still(pthread_t thread, unsigned beats, unsigned *seen)
{
	if (beats == *seen)
		pthread_kill(thread, SIGUSR1);
	*seen = beats;
}
