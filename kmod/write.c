// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * write(2) on a channel: answers from the worker.
 *
 * An answer is a header and, for a READ that succeeded, the request's bytes. On a byte stream a
 * write() takes one answer at most, or as much of it as there is, and nothing in it is believed but
 * seq and type: the lengths are the request's own. On a channel of whole messages a write() takes
 * as many as it holds, and `len` must be what the request makes it. A header that makes no sense
 * breaks the channel, since nobody can say where the next one would begin.
 */
#include <linux/device-mapper.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "channel.h"
#include "copy.h"
#include "request.h"
#include "roster.h"
#include "target.h"
#include "trace.h"

#define DM_MSG_PREFIX "user"

/*
 * The most answers that wait for each other's copies before their bios end: enough to share what a
 * submitter's wake-up costs, and few enough for their copies not to be felt.
 */
#define DMU_WRITE_BURST		32

/**
 * enum dmu_bad - why an answer makes no sense; see dmu_write_break()
 * @DMU_BAD_TYPE:	not an enum dm_user_response
 * @DMU_BAD_SEQ:	of no request that the channel has read to its end and not begun to answer
 * @DMU_BAD_LEN:	not what the request makes it
 * @DMU_BAD_CUT:	the write() ends before the payload does
 * @DMU_BAD_SHORT:	the write() ends before the header does
 *
 * The last three are of a channel of whole messages.
 */
enum dmu_bad {
	DMU_BAD_TYPE,
	DMU_BAD_SEQ,
	DMU_BAD_LEN,
	DMU_BAD_CUT,
	DMU_BAD_SHORT,
};

/**
 * struct dmu_answered - what a write() must end once it holds no lock
 * @bios:	of the requests that were answered, which know with what
 * @flushed:	a flush is among them, which must end before anything can happen to its channel
 * @unfilled:	the channel was full, and is not any more
 * @bad:	an enum dmu_bad, where an answer was bad
 * @orphans:	requests of a channel that has ended
 */
struct dmu_answered {
	struct bio_list bios;
	bool flushed;
	bool unfilled;
	u8 bad;
	struct dmu_orphans orphans;
};

#define DMU_ANSWERED_INIT(name) { \
	.bios = BIO_EMPTY_LIST, \
	.orphans = DMU_ORPHANS_INIT((name).orphans), \
}

/* No lock is held. */
static void dmu_write_settle(struct dmu_channel *c, struct dmu_answered *answered)
{
	struct dmu_request *req;
	struct bio *bio;

	if (unlikely(answered->unfilled))
		dmu_target_wake_all(c->target);
	while ((bio = bio_list_pop(&answered->bios))) {
		req = dm_per_bio_data(bio, sizeof(*req));
		trace_dm_user_answer(c, req);
		dmu_request_end(c->target, req, dmu_request_status(req));
	}
	dmu_target_settle(c->target, &answered->orphans);
}

/* An answer is complete: takes @req, which is in no list, from the channel; c->lock held. */
static void dmu_write_complete(struct dmu_channel *c, struct dmu_request *req,
			       struct dmu_answered *answered)
{
	u64 response = c->in.header.type;

	lockdep_assert_held(&c->lock);

	dmu_stats_answered(&c->stats, req, response == DM_USER_RESP_SUCCESS);
	/* before the submitter hears of it, and so before any flush that must cover it */
	if (dmu_request_may_be_cached(req, response))
		c->written = READ_ONCE(c->target->flush.nr_mapped) + 1;
	req->response = response;
	bio_list_add(&answered->bios, dmu_request_bio(req));
	answered->flushed |= dmu_request_type(dmu_request_bio(req)) == DM_USER_REQ_MAP_FLUSH;
	answered->unfilled |= dmu_channel_dropped(c);
}

/*
 * Finds the answered request. 1: all of the answer is there. 0: its payload must come; if the
 * caller brought more than the header, namely @more bytes, the request is claimed.
 */
static int dmu_write_match(struct dmu_channel *c, size_t more, struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	struct dmu_request *req;
	int ret;

	if (in->header.type > DM_USER_RESP_UNSUPPORTED) {
		answered->bad = DMU_BAD_TYPE;
		return -EINVAL;
	}

	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (ret)
		goto unlock;

	ret = -EINVAL;
	req = dmu_channel_find(c, in->header.seq);
	if (!req) {
		answered->bad = DMU_BAD_SEQ;
		goto unlock;
	}
	in->payload = dmu_request_payload_in(req, in->header.type);
	if (c->batch && (in->header.len != in->payload.bi_size || in->payload.bi_size > more)) {
		answered->bad = in->header.len != in->payload.bi_size ? DMU_BAD_LEN : DMU_BAD_CUT;
		goto unlock;
	}

	dmu_channel_take(c, req);
	if (in->payload.bi_size) {
		dmu_stream_set(in, req);
		in->claimed = more;
		ret = 0;
	} else {
		dmu_write_complete(c, req, answered);
		ret = 1;
	}
unlock:
	spin_unlock(&c->lock);
	return ret;
}

/*
 * A bad answer came. All kinds share one line of the log, and so one limit of its rate. Returns
 * -EINVAL.
 */
static int dmu_write_break(struct dmu_channel *c, struct dmu_answered *answered)
{
	const struct dm_user_message *header = &c->in.header;
	const struct {
		const char *field;
		u64 value;
		const char *wrong;
	} why[] = {
		[DMU_BAD_TYPE] = { "type", header->type, "is no result" },
		[DMU_BAD_SEQ] = { "seq", header->seq, "cannot be answered on the channel" },
		[DMU_BAD_LEN] = { "len", header->len, "is not what the request makes it" },
		[DMU_BAD_CUT] = { "len", header->len, "is more than the write has left" },
		[DMU_BAD_SHORT] = { "a header's", c->in.pos, "bytes are not all of it" },
	}, *bad = &why[answered->bad];

	DMWARN_LIMIT("%s: bad answer: %s %llu %s (seq %llu, type %llu, len %llu): channel broken",
		     dmu_target_name(c->target), bad->field, bad->value, bad->wrong, header->seq,
		     header->type, header->len);
	dmu_roster_break(c->target, c, &answered->orphans);
	return -EINVAL;
}

/* Lets go of the request after a copy; c->lock held. 1: the answer is complete. 0: more must come. */
static int dmu_write_unclaim(struct dmu_channel *c, struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	struct dmu_request *req = in->req;

	lockdep_assert_held(&c->lock);

	if (!dmu_channel_unclaim(c, in, &answered->orphans))
		return dmu_channel_error(c);
	if (in->payload.bi_size)
		return 0;
	dmu_stream_set(in, NULL);
	dmu_write_complete(c, req, answered);
	return 1;
}

/* Takes payload bytes of a claimed request. 1: the answer is complete. 0: more must come. */
static int dmu_write_copy(struct dmu_channel *c, struct iov_iter *from,
			  struct dmu_answered *answered)
{
	int ret;

	dmu_copy_bio_in(dmu_request_bio(c->in.req), &c->in.payload, from);

	spin_lock(&c->lock);
	ret = dmu_write_unclaim(c, answered);
	spin_unlock(&c->lock);
	return ret;
}

/* Takes header bytes, and payload behind them. 1: the answer is complete. 0: more must come. */
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

	ret = dmu_write_match(c, iov_iter_count(from), answered);
	if (ret == -EINVAL)
		return dmu_write_break(c, answered);
	if (ret || !iov_iter_count(from))
		return ret;
	return dmu_write_copy(c, from, answered);
}

/* Takes payload bytes. 1: the answer is complete. 0: more must come. */
static int dmu_write_payload(struct dmu_channel *c, struct iov_iter *from,
			     struct dmu_answered *answered)
{
	int ret = dmu_channel_claim(c, &c->in);

	return ret ?: dmu_write_copy(c, from, answered);
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

	for (;;) {
		size_t want;

		if (in->pos < sizeof(in->header))
			ret = dmu_write_header(c, from, answered);
		else
			ret = dmu_write_payload(c, from, answered);
		if (ret || !iov_iter_count(from))
			break;

		want = min(dmu_write_left(in), iov_iter_count(from));
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
 * A whole answer's payload, claimed. A page that is missing leaves the request unanswered, as if
 * nothing had come: the next try copies all of it. 1: taken. 0: not taken.
 */
static int dmu_write_payload_whole(struct dmu_channel *c, struct iov_iter *from,
				   struct dmu_answered *answered)
{
	struct dmu_stream *in = &c->in;
	struct dmu_request *req = in->req;
	int ret;

	dmu_copy_bio_in(dmu_request_bio(req), &in->payload, from);

	spin_lock(&c->lock);
	ret = dmu_write_unclaim(c, answered);
	if (unlikely(!ret)) {
		dmu_stream_set(in, NULL);
		dmu_channel_answerable(c, req);
	}
	spin_unlock(&c->lock);
	return ret;
}

/*
 * One whole answer. The stream is locked. 1: taken. 0: a page of it is missing; @from is where it
 * was, and @ret_want says how many bytes are wanted there. Or what is wrong.
 */
static int dmu_write_whole(struct dmu_channel *c, struct iov_iter *from,
			   struct dmu_answered *answered, size_t *ret_want)
{
	struct dmu_stream *in = &c->in;
	size_t count = iov_iter_count(from);
	int ret = dmu_channel_error(c);

	if (ret)
		return ret;

	*ret_want = sizeof(in->header);
	if (count < sizeof(in->header)) {
		in->header = (struct dm_user_message){ .seq = ~0ULL };
		in->pos = count;
		answered->bad = DMU_BAD_SHORT;
		return dmu_write_break(c, answered);
	}
	if (dmu_copy_header_in(&in->header, 0, from) == sizeof(in->header)) {
		ret = dmu_write_match(c, count - sizeof(in->header), answered);
		if (ret == -EINVAL)
			return dmu_write_break(c, answered);
		if (!ret) {
			*ret_want += in->header.len;
			ret = dmu_write_payload_whole(c, from, answered);
		}
	}
	if (ret <= 0)
		iov_iter_revert(from, count - iov_iter_count(from));
	return ret;
}

/* As many whole answers as end together. Returns and tells as above, of the last. */
static int dmu_write_burst(struct dmu_channel *c, struct kiocb *iocb, struct iov_iter *from,
			   size_t *taken, size_t *ret_want)
{
	struct dmu_answered answered = DMU_ANSWERED_INIT(answered);
	unsigned int left = DMU_WRITE_BURST;
	int ret;

	ret = dmu_stream_lock(&c->in, iocb);
	if (ret)
		return ret;
	do {
		size_t before = iov_iter_count(from);

		ret = dmu_write_whole(c, from, &answered, ret_want);
		if (ret > 0)
			*taken += before - iov_iter_count(from);
	} while (ret > 0 && !answered.flushed && iov_iter_count(from) && --left);
	mutex_unlock(&c->in.mutex);

	dmu_write_settle(c, &answered);
	return ret;
}

/*
 * Whole answers. While a page that is missing is fetched, which may take its time, nothing is
 * claimed, no lock is held, and what was answered has ended. Returns the bytes of the answers that
 * were taken, -EINVAL if one was bad, or what is wrong with the first.
 */
static ssize_t dmu_write_answers(struct dmu_channel *c, struct kiocb *iocb, struct iov_iter *from)
{
	size_t taken = 0, want = 0;
	int ret;

	do {
		ret = dmu_write_burst(c, iocb, from, &taken, &want);
		/* all of it, because the next try begins where this one did */
		if (!ret && fault_in_iov_iter_readable(from, want))
			ret = -EFAULT;
		else if (!ret && signal_pending(current))
			ret = -ERESTARTSYS;
		if (ret < 0)
			break;
		cond_resched();
	} while (iov_iter_count(from));

	return ret == -EINVAL || !taken ? ret : taken;
}

/* As much of one answer as there is. */
static ssize_t dmu_write_stream(struct dmu_channel *c, struct kiocb *iocb, struct iov_iter *from)
{
	struct dmu_answered answered = DMU_ANSWERED_INIT(answered);
	ssize_t ret;

	ret = dmu_stream_lock(&c->in, iocb);
	if (ret)
		return ret;
	if (unlikely(c->batch)) {
		/* it has opted in while this waited */
		mutex_unlock(&c->in.mutex);
		return dmu_write_answers(c, iocb, from);
	}
	ret = dmu_write_answer(c, from, &answered);
	mutex_unlock(&c->in.mutex);

	dmu_write_settle(c, &answered);
	return ret;
}

/*
 * write(2) and its siblings. Process context; sleeps only for the stream and for the caller's own
 * pages. Runs beside everything but the channel's own release; writers of one channel take turns.
 */
ssize_t dmu_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct dmu_channel *c = iocb->ki_filp->private_data;

	if (!iov_iter_count(from))
		return 0;
	return READ_ONCE(c->batch) ? dmu_write_answers(c, iocb, from) :
				     dmu_write_stream(c, iocb, from);
}
