// SPDX-License-Identifier: Apache-2.0
/*
 * Nudges threads that have not come on for a while.
 */
#include "nudge.h"

#include <signal.h>

/* A signal costs more than many a system call, and who waits for work costs nothing. */
#define PATIENCE 4

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

void nudge_if_still(struct nudge *n, pthread_t thread, unsigned beats)
{
	if (beats && beats == n->beats && ++n->times >= PATIENCE)
		pthread_kill(thread, SIGUSR1);
	if (beats != n->beats)
		n->times = 0;
	n->beats = beats;
}
