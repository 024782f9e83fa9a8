/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream: one direction of a channel, and how far its current message has come.
 *
 * Any size of read() and write() works, down to one byte, so a message may take many calls. The
 * stream remembers between them which request it is about and what is left of it.
 *
 * A copy needs the request's bio to stay, but must not hold a lock that others need. So the copier
 * claims the request: whoever else wants it then (a channel that breaks, a target that goes) only
 * says what is to become of it, and the copier does that when it lets go. A claim is never held
 * over a page fault, so that is soon.
 */
#ifndef DMU_STREAM_H
#define DMU_STREAM_H

#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/mutex.h>

#include <linux/dm-user.h>

struct dmu_request;

/**
 * enum dmu_fate - what becomes of a request whose channel has ended
 * @DMU_FATE_STAYS:	it waits with the channel
 * @DMU_FATE_REPEATS:	it is queued again
 * @DMU_FATE_FAILS:	it ends with EIO
 */
enum dmu_fate {
	DMU_FATE_STAYS,
	DMU_FATE_REPEATS,
	DMU_FATE_FAILS,
};

/**
 * struct dmu_stream - the current message of one direction
 * @mutex:	makes each read() or write() one piece of the stream; held while the caller's
 *		pages are faulted in, so only this channel's readers, or writers, may want it
 * @header:	the message's header, as far as @pos; @mutex
 * @pos:	bytes of the header that went through; @mutex
 * @payload:	what has not gone through of the payload; @mutex
 * @req:	the request that the message is about, or NULL; channel->lock. Only a holder of
 *		@mutex sets it; anybody may take it while it is not claimed
 * @claimed:	a copy is going on; channel->lock
 * @fate:	of a claimed request, for its copier; else STAYS; channel->lock
 */
struct dmu_stream {
	struct mutex mutex;
	struct dm_user_message header;
	size_t pos;
	struct bvec_iter payload;
	struct dmu_request *req;
	bool claimed;
	enum dmu_fate fate;
};

/* With channel->lock held. Who looks without it gets one value or the other, as a hint. */
static inline void dmu_stream_set(struct dmu_stream *s, struct dmu_request *req)
{
	WRITE_ONCE(s->req, req);
}

void dmu_stream_init(struct dmu_stream *s);
void dmu_stream_exit(struct dmu_stream *s);
int dmu_stream_lock(struct dmu_stream *s, struct kiocb *iocb);

#endif /* DMU_STREAM_H */
