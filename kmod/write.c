// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * write(2) on a channel: answers from the worker.
 *
 * An answer is a header and, for a READ that succeeded, the request's bytes; a write() takes one
 * answer at most, or as much of it as there is. Nothing in it is believed but seq and type: the
 * lengths are the request's own. A header that makes no sense breaks the channel, since nobody can
 * say where the next one would begin.
 */
#include <linux/device-mapper.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "channel.h"
#include "copy.h"
#include "request.h"
#include "roster.h"
#include "target.h"

#define DM_MSG_PREFIX "user"

/**
 * struct dmu_answered - what a write() must end once it holds no lock
 * @req:	answered, or NULL
 * @status:	for @req
 * @unfilled:	the channel was full, and is not any more
 * @orphans:	requests of a channel that has ended
 */
struct dmu_answered {
	struct dmu_request *req;
	blk_status_t status;
	bool unfilled;
	struct dmu_orphans orphans;
};

/* An answer is complete: takes @req, which is in no list, from the channel; c->lock held. */
static void dmu_write_complete(struct dmu_channel *c, struct dmu_request *req,
			       struct dmu_answered *ret_answered)
{
	u64 response = c->in.header.type;

	lockdep_assert_held(&c->lock);

	/* before the submitter hears of it, and so before any flush that must cover it */
	if (dmu_request_may_be_cached(req, response))
		c->written = READ_ONCE(c->target->flush.nr_mapped) + 1;
	ret_answered->req = req;
	ret_answered->status = dmu_request_status(req, response);
	ret_answered->unfilled = dmu_channel_dropped(c);
}

/* Finds the answered request. 1: all of the answer is there. 0: its payload must come. */
static int dmu_write_match(struct dmu_channel *c, struct dmu_answered *ret_answered)
{
	struct dmu_stream *in = &c->in;
	struct dmu_request *req;
	int ret;

	if (in->header.type > DM_USER_RESP_UNSUPPORTED)
		return -EINVAL;

	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (ret)
		goto unlock;

	req = dmu_channel_find(c, in->header.seq);
	if (!req) {
		ret = -EINVAL;
		goto unlock;
	}

	in->payload = dmu_request_payload_in(req, in->header.type);
	if (in->payload.bi_size) {
		dmu_stream_set(in, req);
	} else {
		dmu_write_complete(c, req, ret_answered);
		ret = 1;
	}
unlock:
	spin_unlock(&c->lock);
	return ret;
}

/* Takes header bytes. 1: the answer is complete. 0: more must come. */
static int dmu_write_header(struct dmu_channel *c, struct iov_iter *from,
			    struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	int ret = dmu_channel_error(c);

	if (ret)
		return ret;

	in->pos += dmu_copy_header_in(&in->header, in->pos, from);
	if (in->pos < sizeof(in->header))
		return 0;

	ret = dmu_write_match(c, answered);
	if (ret == -EINVAL) {
		DMWARN_LIMIT("%s: bad answer (seq %llu, type %llu): channel broken",
			     dmu_target_name(c->target), in->header.seq, in->header.type);
		dmu_roster_break(c->target, c, &answered->orphans);
	}
	return ret;
}

/* Takes payload bytes. 1: the answer is complete. 0: more must come. */
static int dmu_write_payload(struct dmu_channel *c, struct iov_iter *from,
			     struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	int ret = dmu_channel_claim(c, in);

	if (ret)
		return ret;

	dmu_copy_bio_in(dmu_request_bio(in->req), &in->payload, from);

	spin_lock(&c->lock);
	if (!dmu_channel_unclaim(c, in, &answered->orphans)) {
		ret = dmu_channel_error(c);
	} else if (!in->payload.bi_size) {
		dmu_write_complete(c, in->req, answered);
		dmu_stream_set(in, NULL);
		ret = 1;
	}
	spin_unlock(&c->lock);
	return ret;
}

/* Bytes that the rest of the current part needs; a header that is complete has its payload next. */
static size_t dmu_write_left(const struct dmu_stream *in)
{
	if (in->pos < sizeof(in->header))
		return sizeof(in->header) - in->pos;
	return in->payload.bi_size;
}

/*
 * One answer, or as much of it as the caller brought. The stream is locked. Returns the bytes
 * taken; or, if there are none, or if they made a header that breaks the channel, what is wrong.
 */
static ssize_t dmu_write_answer(struct dmu_channel *c, struct iov_iter *from,
				struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	size_t count = iov_iter_count(from);
	ssize_t taken;
	int ret = 0;

	while (iov_iter_count(from)) {
		size_t before = iov_iter_count(from);
		size_t want = min(dmu_write_left(in), before);

		if (in->pos < sizeof(in->header))
			ret = dmu_write_header(c, from, answered);
		else
			ret = dmu_write_payload(c, from, answered);
		if (ret)
			break;

		want -= before - iov_iter_count(from);
		if (!want)
			continue;
		/* a page is missing: nothing is claimed now, so getting it may take its time */
		ret = -EFAULT;
		if (fault_in_iov_iter_readable(from, want) == want)
			break;
		ret = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		ret = 0;
		cond_resched();
	}

	if (ret > 0)
		in->pos = 0;
	if (ret == -EINVAL)
		return ret;
	taken = count - iov_iter_count(from);
	return taken ?: ret;
}

/*
 * write(2) and its siblings. Process context; sleeps only for the stream and for the caller's own
 * pages. Runs beside everything but the channel's own release; writers of one channel take turns.
 */
ssize_t dmu_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct dmu_channel *c = iocb->ki_filp->private_data;
	struct dmu_answered answered = { .orphans = DMU_ORPHANS_INIT(answered.orphans) };
	ssize_t ret;

	if (!iov_iter_count(from))
		return 0;

	ret = dmu_stream_lock(&c->in, iocb);
	if (ret)
		return ret;
	ret = dmu_write_answer(c, from, &answered);
	mutex_unlock(&c->in.mutex);

	if (unlikely(answered.unfilled))
		dmu_target_wake_all(c->target);
	if (answered.req)
		dmu_request_end(c->target, answered.req, answered.status);
	dmu_target_settle(c->target, &answered.orphans);
	return ret;
}
