// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * read(2) on a channel: requests on their way to the worker.
 *
 * A read() ends at the end of a header or of a payload: a v1 worker reads a header, then knows how
 * much follows. A short buffer takes as much as fits, and the next read() goes on there; nothing is
 * lost when a copy fails half way. A channel of whole messages takes as many as fit, each at once;
 * one that fails half way starts again from its first byte.
 *
 * Requests leave the target's queue only in dmu_target_deliver(), one at a time, for a reader that
 * holds its stream. A reader that was woken and then did not take a request (another was faster, a
 * signal came) passes the wake-up on, or the request would wait while other readers sleep.
 */
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "channel.h"
#include "copy.h"
#include "request.h"
#include "target.h"
#include "trace.h"

/* The current request's message begins; it is claimed. */
static void dmu_read_begin(struct dmu_channel *c)
{
	struct dmu_stream *out = &c->out;

	dmu_request_describe(out->req, c->target->begin, &out->header);
	out->payload = dmu_request_payload_out(out->req);
	out->pos = 0;
}

/*
 * Makes sure that there is a current request, and claims it. -EAGAIN: there is none to be had.
 * -EMSGSIZE: the message of the next one is larger than @room.
 */
static int dmu_read_claim(struct dmu_channel *c, size_t room)
{
	struct dmu_stream *out = &c->out;
	int ret;

	/* only a holder of the mutex sets it, so NULL is reliable; the rest is looked at again */
	if (READ_ONCE(out->req))
		return dmu_channel_claim(c, out);

	ret = dmu_target_deliver(c->target, c, room);
	if (ret)
		return ret;
	/* it is claimed, so it stays, and nobody waits for a lock meanwhile */
	trace_dm_user_deliver(c, out->req);
	dmu_read_begin(c);
	return 0;
}

/* Bytes that may still go out in this call, given that it has not crossed a part's end. */
static size_t dmu_read_left(const struct dmu_stream *out)
{
	if (out->pos < sizeof(out->header))
		return sizeof(out->header) - out->pos;
	return out->payload.bi_size;
}

static size_t dmu_read_copy(struct dmu_stream *out, struct iov_iter *to)
{
	size_t n;

	if (out->pos == sizeof(out->header))
		return dmu_copy_bio_out(dmu_request_bio(out->req), &out->payload, to);

	n = dmu_copy_header_out(&out->header, out->pos, to);
	out->pos += n;
	return n;
}

/* Lets go of the request. Returns whether the rest of the message still waits for a reader. */
static bool dmu_read_unclaim(struct dmu_channel *c, struct dmu_orphans *orphans)
{
	struct dmu_stream *out = &c->out;
	bool more = false;

	spin_lock(&c->lock);
	if (dmu_channel_unclaim(c, out, orphans)) {
		more = dmu_read_left(out);
		if (!more) {
			dmu_channel_answerable(c, out->req);
			dmu_stream_set(out, NULL);
		}
	}
	spin_unlock(&c->lock);
	return more;
}

/*
 * The message goes on, and another thread may sleep on this channel: that is rare enough to wake
 * all sleepers. The barrier pairs with dmu_read_wait()'s: either that thread finds the message, or
 * it is counted here.
 */
static void dmu_read_wake_others(struct dmu_channel *c)
{
	smp_mb(); /* as said above */
	if (atomic_read(&c->sleepers))
		wake_up_interruptible_all(&c->target->wq);
}

/*
 * One part of a message, or as much of it as the caller has room for. The stream is locked. Returns
 * the bytes copied, -EAGAIN if no request is to be had, or what is wrong.
 */
static ssize_t dmu_read_part(struct dmu_channel *c, struct iov_iter *to,
			     struct dmu_orphans *orphans)
{
	struct dmu_stream *out = &c->out;
	ssize_t total = 0;
	bool more = false;
	int ret;

	for (;;) {
		size_t want, n;

		ret = dmu_read_claim(c, SIZE_MAX);
		if (ret)
			break;

		want = min(dmu_read_left(out), iov_iter_count(to));
		n = dmu_read_copy(out, to);
		more = dmu_read_unclaim(c, orphans);
		total += n;
		want -= n;
		if (!want || !more)
			break;

		/* a page is missing: nothing is claimed now, so getting it may take its time */
		ret = -EFAULT;
		if (fault_in_iov_iter_writeable(to, want) == want)
			break;
		ret = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		cond_resched();
	}

	if (more)
		dmu_read_wake_others(c);
	return total ?: ret ?: dmu_channel_error(c);
}

/*
 * Makes the next message current, claimed, from its first byte; or says why there is none that fits
 * into @room. One that a read() left half way is looked at first: it is this channel's already.
 */
static int dmu_read_claim_whole(struct dmu_channel *c, size_t room, struct dmu_orphans *orphans)
{
	struct dmu_stream *out = &c->out;
	bool left = READ_ONCE(out->req);
	int ret = dmu_read_claim(c, room);

	if (ret || !left)
		return ret;
	dmu_read_begin(c);
	if (dmu_request_message_size(out->req) <= room)
		return 0;
	dmu_read_unclaim(c, orphans);
	return -EMSGSIZE;
}

/* Copies what is left of the message, which fits. Returns the bytes. */
static size_t dmu_read_copy_whole(struct dmu_stream *out, struct iov_iter *to)
{
	size_t done = dmu_read_copy(out, to);

	if (out->pos == sizeof(out->header) && out->payload.bi_size)
		done += dmu_copy_bio_out(dmu_request_bio(out->req), &out->payload, to);
	return done;
}

/* A page is missing for the @left bytes behind @to: gets it, which may take its time. */
static int dmu_read_fault_in(struct iov_iter *to, size_t left)
{
	if (fault_in_iov_iter_writeable(to, left) == left)
		return -EFAULT;
	if (signal_pending(current))
		return -ERESTARTSYS;
	cond_resched();
	return 0;
}

/*
 * One whole message. The stream is locked. Returns its bytes; or what is wrong: then @to is where
 * it was, and the request, if it has become current, stays so.
 */
static ssize_t dmu_read_message(struct dmu_channel *c, struct iov_iter *to,
				struct dmu_orphans *orphans)
{
	struct dmu_stream *out = &c->out;
	size_t size, done = 0;
	int ret;

	ret = dmu_read_claim_whole(c, iov_iter_count(to), orphans);
	if (ret)
		return ret;
	size = dmu_request_message_size(out->req);

	for (;;) {
		done += dmu_read_copy_whole(out, to);
		if (!dmu_read_unclaim(c, orphans)) {
			/* it is gone whole, or it was taken from the channel, which has ended */
			if (done == size)
				return size;
			ret = dmu_channel_error(c);
			break;
		}
		ret = dmu_read_fault_in(to, size - done);
		if (ret)
			break;
		ret = dmu_channel_claim(c, out);
		if (ret)
			break;
	}
	iov_iter_revert(to, done);
	return ret;
}

/*
 * As many whole messages as there are and as fit. The stream is locked. Returns their bytes, or
 * what is wrong with the first.
 */
static ssize_t dmu_read_messages(struct dmu_channel *c, struct iov_iter *to,
				 struct dmu_orphans *orphans)
{
	ssize_t total = 0, ret;

	do {
		ret = dmu_read_message(c, to, orphans);
		if (ret < 0)
			break;
		total += ret;
		cond_resched();
	} while (iov_iter_count(to) >= sizeof(struct dm_user_message) &&
		 dmu_target_ready(c->target, c));

	/* one that failed half way may be had by another thread that sleeps on this channel */
	if (ret < 0 && READ_ONCE(c->out.req))
		dmu_read_wake_others(c);
	return total ?: ret;
}

/**
 * struct dmu_sleeper - a thread that sleeps in read()
 * @wait:	in the target's wait queue
 * @channel:	what it would read from
 */
struct dmu_sleeper {
	struct wait_queue_entry wait;
	struct dmu_channel *channel;
};

/*
 * A wake-up is for one, so it must not end at a sleeper whose channel may not take the request:
 * that one lets it go by. Called under the wait queue's lock.
 */
static int dmu_read_woken(struct wait_queue_entry *wait, unsigned int mode, int flags, void *key)
{
	struct dmu_channel *c = container_of(wait, struct dmu_sleeper, wait)->channel;

	if (key_to_poll(key) & DMU_WAKE_NO_READER || !dmu_target_ready(c->target, c))
		return 0;
	return autoremove_wake_function(wait, mode, flags, key);
}

/* Sleeps until there may be something to read. Returns 0 or -ERESTARTSYS. */
static int dmu_read_wait(struct dmu_channel *c)
{
	struct dmu_target *t = c->target;
	struct dmu_sleeper sleeper = { .channel = c };
	int ret;

	init_wait(&sleeper.wait);
	sleeper.wait.func = dmu_read_woken;
	sleeper.wait.flags = WQ_FLAG_EXCLUSIVE;

	atomic_inc(&c->sleepers);
	do {
		/*
		 * Its barrier pairs with those of dmu_read_wake_others(), dmu_target_wake_one() and
		 * dmu_moderation_added(), and it does not leave a wake-up with one that a signal ends.
		 */
		ret = prepare_to_wait_event(&t->wq, &sleeper.wait, TASK_INTERRUPTIBLE);
		if (dmu_target_ready(t, c)) {
			ret = 0;
			break;
		}
		if (ret)
			break;
		dmu_moderation_sleeps(t);
		schedule();
		/* as a rule it was woken for something, and need not queue to find out */
	} while (!dmu_target_ready(t, c));
	finish_wait(&t->wq, &sleeper.wait);
	dmu_moderation_woke(t);
	atomic_dec(&c->sleepers);
	return ret;
}

/*
 * read(2) and its siblings. Process context, sleeps. Runs beside everything but the channel's own
 * release; readers of one channel take turns.
 */
ssize_t dmu_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct dmu_channel *c = iocb->ki_filp->private_data;
	bool nowait = (iocb->ki_flags & IOCB_NOWAIT) || (iocb->ki_filp->f_flags & O_NONBLOCK);
	bool woken = false;
	struct dmu_orphans orphans = DMU_ORPHANS_INIT(orphans);
	ssize_t ret;

	if (!iov_iter_count(to))
		return 0;

	do {
		/* a worker comes back before there is more, as a rule; locks would tell it no more */
		if (!nowait && !dmu_target_ready(c->target, c)) {
			ret = dmu_read_wait(c);
			if (ret)
				break;
			woken = true;
		}
		if (!mutex_trylock(&c->out.mutex)) {
			/* whoever has it may be long about its page: let another channel serve */
			if (woken)
				dmu_target_wake_one(c->target);
			ret = dmu_stream_lock(&c->out, iocb);
			if (ret)
				break;
		}
		ret = c->batch ? dmu_read_messages(c, to, &orphans) :
				 dmu_read_part(c, to, &orphans);
		mutex_unlock(&c->out.mutex);
	} while (ret == -EAGAIN && !nowait);

	dmu_target_settle(c->target, &orphans);
	if (woken)
		dmu_target_wake_one(c->target);
	return ret;
}
