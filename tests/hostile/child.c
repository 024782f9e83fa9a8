// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that hold a channel, and exit, are killed, or are stopped with it. A child makes system
 * calls only: it was forked beside other threads.
 */
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "holder.h"

/* It holds no other channel, or that would be open for as long as this one. */
static void keep_only(int fd)
{
	if (fd > 3)
		close_range(3, fd - 1, 0);
	close_range(fd + 1, ~0U, 0);
}

/* Reads, and answers what it has read: at once, and with nothing behind the header. */
static void child_serve(struct holder *h, int fd)
{
	/* its own: the parent's buffers were not copied */
	struct dm_user_message m;
	struct iovec iov = { &m, sizeof(m) };

	for (unsigned i = prng_small(&h->prng, 100); i && !arena->stop; i--) {
		int flags = prng_one_in(&h->prng, 4) ? 0 : RWF_NOWAIT;

		if (tally_count(TALLY_CHILD_READ, preadv2(fd, &iov, 1, -1, flags)) != sizeof(m))
			continue;
		if (m.type > DM_USER_REQ_MAP_WRITE_ZEROES)
			continue;
		m.type = prng_below(&h->prng, 3);
		m.flags = m.sector = m.len = 0;
		tally_count(TALLY_CHILD_WRITE, write(fd, &m, sizeof(m)));
	}
}

static void child_live(struct holder *h, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* in case nobody kills it; not while it is stopped, but then its parent is alive */
	alarm(30);
	keep_only(fd);
	switch (prng_below(&h->prng, 3)) {
	case 0:
		break;
	case 1:
		pause();
		break;
	default:
		child_serve(h, fd);
	}
	_exit(0);
}

static pid_t *random_child(struct holder *h)
{
	return &h->children[prng_below(&h->prng, HOLDER_CHILDREN)];
}

static void end_child(pid_t *pid)
{
	if (*pid) {
		tally_count(TALLY_SIGNAL, kill(*pid, SIGKILL));
		while (waitpid(*pid, NULL, 0) < 0 && !arena->quit)
			;
	}
	*pid = 0;
}

void child_fork(struct holder *h, int fd)
{
	pid_t *place = random_child(h);

	end_child(place);
	pid_t pid = fork();
	if (pid == 0)
		child_live(h, fd);
	tally_count(TALLY_FORK, pid);
	/* the child has drawn from the same stream: go on elsewhere */
	prng_next(&h->prng);
	if (pid > 0)
		*place = pid;
}

void child_disturb(struct holder *h)
{
	static const int signals[] = { SIGSTOP, SIGCONT, SIGUSR1, SIGSTOP, SIGCONT };
	pid_t *place = random_child(h);

	if (!*place)
		return;
	if (prng_one_in(&h->prng, 6))
		end_child(place);
	else
		tally_count(TALLY_SIGNAL, kill(*place, signals[prng_below(&h->prng, 5)]));
}

void child_end_all(struct holder *h)
{
	for (unsigned i = 0; i < HOLDER_CHILDREN; i++)
		end_child(&h->children[i]);
}
