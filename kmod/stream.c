// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stream: one direction of a channel. What each direction does with it is read.c's and write.c's.
 */
#include "stream.h"

void dmu_stream_init(struct dmu_stream *s)
{
	mutex_init(&s->mutex);
}

void dmu_stream_exit(struct dmu_stream *s)
{
	mutex_destroy(&s->mutex);
}

/*
 * Interruptible, because whoever holds the mutex may wait for a page that never comes. O_NONBLOCK
 * is about waiting for requests, not for a neighbour's copy: a write that reports EAGAIN while
 * poll() reports OUT would only be tried again. IOCB_NOWAIT (io_uring, preadv2) does mean both.
 *
 * Returns 0, -EAGAIN or -ERESTARTSYS.
 */
int dmu_stream_lock(struct dmu_stream *s, struct kiocb *iocb)
{
	if (iocb->ki_flags & IOCB_NOWAIT)
		return mutex_trylock(&s->mutex) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&s->mutex) ? -ERESTARTSYS : 0;
}
