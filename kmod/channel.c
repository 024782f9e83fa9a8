// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A channel: what it owns between calls, and how it ends. It owns the requests that were delivered
 * on it, until they are answered. It trusts nothing that comes from its holder, and never lets a
 * holder keep a request past the channel's release.
 */
#include "channel.h"

#include <linux/log2.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "request.h"
#include "roster.h"
#include "target.h"

/*
 * Chains in an index, where max_outstanding does not say how many there need be: 32 KiB a channel,
 * and ten steps to an answer when forty thousand are outstanding. Delivery must not allocate.
 */
#define DMU_INDEX_CHAINS	4096

/* seqs count up, so their low bits spread them over the chains as evenly as can be. */
static struct hlist_head *dmu_channel_chain(struct dmu_channel *c, u64 seq)
{
	return &c->index[seq & c->index_mask];
}

/* Out of line part of dmu_channel_error(). */
int dmu_channel_end_error(u8 ends)
{
	if (ends & DMU_GONE)
		return -ENOTBLK;
	if (ends & DMU_FENCED)
		return -ESTALE;
	return -EIO;
}

/**
 * dmu_channel_claim - keep others from ending a stream's request during a copy
 * @c:	the channel
 * @s:	one of its streams, locked by the caller, with a request
 *
 * Returns 0, or why the channel carries nothing any more; then the request is no longer ours.
 */
int dmu_channel_claim(struct dmu_channel *c, struct dmu_stream *s)
{
	int ret;

	lockdep_assert_held(&s->mutex);

	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (likely(!ret))
		s->claimed = true;
	spin_unlock(&c->lock);
	return ret;
}

/* Keeps @c->full, for a target with max_outstanding. */
static void dmu_channel_recount(struct dmu_channel *c)
{
	unsigned int most = c->target->options.max_outstanding;
	bool full = most && c->nr_outstanding >= most;

	if (likely(full == c->full))
		return;
	WRITE_ONCE(c->full, full);
	if (full)
		atomic_inc(&c->target->nr_full);
	else
		atomic_dec(&c->target->nr_full);
}

/* A request has come to the channel; c->lock held. */
void dmu_channel_taken(struct dmu_channel *c)
{
	lockdep_assert_held(&c->lock);

	c->nr_outstanding++;
	dmu_channel_recount(c);
}

/* One has left it; c->lock held. Returns whether the channel was full until now. */
bool dmu_channel_dropped(struct dmu_channel *c)
{
	bool was_full = c->full;

	lockdep_assert_held(&c->lock);

	c->nr_outstanding--;
	dmu_channel_recount(c);
	return was_full;
}

static void dmu_channel_give(struct dmu_request *req, enum dmu_fate fate, struct dmu_orphans *o)
{
	list_add_tail(&req->link, fate == DMU_FATE_REPEATS ? &o->repeated : &o->failed);
}

/* Out of line part of dmu_channel_unclaim(): the channel has ended. */
void dmu_channel_unclaim_ended(struct dmu_channel *c, struct dmu_stream *s, struct dmu_orphans *o)
{
	lockdep_assert_held(&c->lock);

	if (s->fate != DMU_FATE_STAYS)
		dmu_channel_orphan_stream(c, s, s->fate, o);
}

/* The worker has read all of @req: its answer may come. Called with c->lock held. */
void dmu_channel_answerable(struct dmu_channel *c, struct dmu_request *req)
{
	lockdep_assert_held(&c->lock);

	list_add_tail(&req->link, &c->answerable);
	hlist_add_head(&req->hash, dmu_channel_chain(c, req->seq));
}

/* The request @seq, if it may be answered, or NULL; c->lock held. */
struct dmu_request *dmu_channel_find(struct dmu_channel *c, u64 seq)
{
	struct dmu_request *req;

	lockdep_assert_held(&c->lock);

	hlist_for_each_entry(req, dmu_channel_chain(c, seq), hash) {
		if (req->seq == seq)
			return req;
	}
	return NULL;
}

/* Takes a request that may be answered out of the channel's lists; c->lock held. */
void dmu_channel_take(struct dmu_channel *c, struct dmu_request *req)
{
	lockdep_assert_held(&c->lock);

	hlist_del_init(&req->hash);
	list_del(&req->link);
}

/* Takes a request that may be answered from the channel, to fail it. */
void dmu_channel_orphan(struct dmu_channel *c, struct dmu_request *req, struct dmu_orphans *o)
{
	lockdep_assert_held(&c->lock);

	hlist_del_init(&req->hash);
	list_move_tail(&req->link, &o->failed);
	dmu_channel_dropped(c);
}

/* Takes a stream's request, if it has one, or has the copier do it; the channel has ended. */
void dmu_channel_orphan_stream(struct dmu_channel *c, struct dmu_stream *s, enum dmu_fate fate,
			       struct dmu_orphans *o)
{
	lockdep_assert_held(&c->lock);

	if (!s->req)
		return;
	if (s->claimed) {
		/* to fail is final */
		s->fate = max(s->fate, fate);
		return;
	}
	dmu_channel_give(s->req, fate, o);
	dmu_stream_set(s, NULL);
	s->fate = DMU_FATE_STAYS;
	dmu_channel_dropped(c);
}

/**
 * dmu_channel_collect - take every request from a channel
 * @c:		the channel, its lock held, ended or being released
 * @fate:	what is to become of them
 * @o:		gets the requests, for the caller to deal with
 *
 * A request that is being copied stays behind; its copier follows. However many there are, this
 * takes the same time: every bio that is being mapped may wait for the caller's lock. For that the
 * index is left as it is; no answer is looked up in it any more.
 */
void dmu_channel_collect(struct dmu_channel *c, enum dmu_fate fate, struct dmu_orphans *o)
{
	lockdep_assert_held(&c->lock);

	list_splice_tail_init(&c->answerable,
			      fate == DMU_FATE_REPEATS ? &o->repeated : &o->failed);
	c->nr_outstanding = !!c->in.req + !!c->out.req;
	dmu_channel_recount(c);
	dmu_channel_orphan_stream(c, &c->in, fate, o);
	dmu_channel_orphan_stream(c, &c->out, fate, o);
}

static struct dmu_channel *dmu_channel_new(struct dmu_target *t)
{
	unsigned int most = t->options.max_outstanding;
	unsigned int chains = most ? roundup_pow_of_two(most) : DMU_INDEX_CHAINS;
	struct dmu_channel *c;

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return NULL;
	c->index = kvcalloc(chains, sizeof(*c->index), GFP_KERNEL_ACCOUNT);
	if (!c->index) {
		kfree(c);
		return NULL;
	}
	c->index_mask = chains - 1;
	c->target = t;
	spin_lock_init(&c->lock);
	INIT_LIST_HEAD(&c->answerable);
	dmu_stream_init(&c->out);
	dmu_stream_init(&c->in);
	return c;
}

static void dmu_channel_free(struct dmu_channel *c)
{
	dmu_stream_exit(&c->in);
	dmu_stream_exit(&c->out);
	kvfree(c->index);
	kfree(c);
}

/*
 * open(2). Process context, sleeps. Runs beside everything, also beside the destructor of a target
 * whose node was looked up just before it went: then the target refuses. The cdev that was found
 * keeps the target's memory.
 */
static int dmu_channel_open(struct inode *inode, struct file *file)
{
	struct dmu_target *t = container_of(inode->i_cdev, struct dmu_target, cdev);
	struct dmu_channel *c;
	int ret;

	c = dmu_channel_new(t);
	if (!c)
		return -ENOMEM;
	ret = dmu_roster_join(t, c);
	if (ret) {
		dmu_channel_free(c);
		return ret;
	}

	file->private_data = c;
	/* no call blocks but a read() that may wait, and poll() says when it would not */
	file->f_mode |= FMODE_NOWAIT;
	return stream_open(inode, file);
}

/*
 * The last close. Process context, sleeps. No other call on this channel can run: each holds the
 * file. So no copy is in flight, and all that is left can be taken. Runs beside mapping, the
 * destructor and other channels.
 */
static int dmu_channel_release(struct inode *inode, struct file *file)
{
	struct dmu_channel *c = file->private_data;

	dmu_roster_leave(c->target, c);
	WARN_ON_ONCE(c->nr_outstanding);
	dmu_channel_free(c);
	return 0;
}

/* poll(2), and epoll from anywhere that wakes. Process context, does not sleep, takes no lock. */
static __poll_t dmu_channel_poll(struct file *file, poll_table *wait)
{
	struct dmu_channel *c = file->private_data;
	__poll_t mask = 0;
	u8 ends;

	poll_wait(file, &c->target->wq, wait);
	/*
	 * Pairs with wq_has_sleeper() in whoever adds a request or breaks a channel: either that
	 * sees this waiter, or the following sees what it did.
	 */
	smp_mb();

	ends = READ_ONCE(c->ends);
	if (ends & DMU_GONE)
		mask |= EPOLLHUP;
	if (ends & (DMU_BROKEN | DMU_FENCED))
		mask |= EPOLLERR;
	if (mask)
		return mask;

	mask = EPOLLOUT | EPOLLWRNORM;
	if (dmu_target_ready(c->target, c))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

const struct file_operations dmu_channel_fops = {
	.owner = THIS_MODULE,
	.open = dmu_channel_open,
	.release = dmu_channel_release,
	.read_iter = dmu_read_iter,
	.write_iter = dmu_write_iter,
	.poll = dmu_channel_poll,
	.unlocked_ioctl = dmu_channel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
