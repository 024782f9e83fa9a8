// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A channel: what it owns between calls, and how it ends. It owns the requests that were delivered
 * on it, until they are answered. It trusts nothing that comes from its holder, and never lets a
 * holder keep a request past the channel's release.
 */
#include "channel.h"

#include <linux/hash.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "request.h"
#include "target.h"

static struct hlist_head *dmu_channel_chain(struct dmu_channel *c, u64 seq)
{
	return &c->by_seq[hash_64(seq, DMU_CHANNEL_HASH_BITS)];
}

/* Why the channel carries nothing any more, or 0. Without c->lock the answer is only a hint. */
int dmu_channel_error(struct dmu_channel *c)
{
	if (unlikely(READ_ONCE(c->gone)))
		return -ENOTBLK;
	if (unlikely(READ_ONCE(c->broken)))
		return -EIO;
	return 0;
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

/**
 * dmu_channel_unclaim - end of a copy
 * @c:		the channel, its lock held
 * @s:		one of its streams, claimed by the caller
 * @dead:	gets the request, if somebody wanted it ended meanwhile
 *
 * Returns whether the request is still the stream's.
 */
bool dmu_channel_unclaim(struct dmu_channel *c, struct dmu_stream *s, struct list_head *dead)
{
	lockdep_assert_held(&c->lock);

	s->claimed = false;
	if (likely(!dmu_channel_error(c)))
		return true;

	list_add_tail(&s->req->link, dead);
	dmu_stream_set(s, NULL);
	c->nr_requests--;
	return false;
}

/* The worker has read all of @req: its answer may come. Called with c->lock held. */
void dmu_channel_outstanding(struct dmu_channel *c, struct dmu_request *req)
{
	lockdep_assert_held(&c->lock);

	list_add_tail(&req->link, &c->outstanding);
	hlist_add_head(&req->hash, dmu_channel_chain(c, req->seq));
}

/* Takes the outstanding request @seq out of the channel's list, or returns NULL. c->lock held. */
struct dmu_request *dmu_channel_find(struct dmu_channel *c, u64 seq)
{
	struct dmu_request *req;

	lockdep_assert_held(&c->lock);

	hlist_for_each_entry(req, dmu_channel_chain(c, seq), hash) {
		if (req->seq != seq)
			continue;
		hlist_del_init(&req->hash);
		list_del(&req->link);
		return req;
	}
	return NULL;
}

static void dmu_channel_collect_stream(struct dmu_stream *s, struct list_head *dead)
{
	if (!s->req || s->claimed)
		return;
	list_add_tail(&s->req->link, dead);
	dmu_stream_set(s, NULL);
}

/**
 * dmu_channel_collect - take every request from a channel that carries nothing any more
 * @c:		the channel, its lock held, gone or broken or being released
 * @dead:	gets the requests, for the caller to end without a lock
 *
 * A request that is being copied stays behind; its copier ends it. However many there are, this
 * takes the same time: every bio that is being mapped may wait for the caller's lock.
 */
void dmu_channel_collect(struct dmu_channel *c, struct list_head *dead)
{
	lockdep_assert_held(&c->lock);

	list_splice_tail_init(&c->outstanding, dead);
	memset(c->by_seq, 0, sizeof(c->by_seq));
	dmu_channel_collect_stream(&c->in, dead);
	dmu_channel_collect_stream(&c->out, dead);
	c->nr_requests = !!c->in.req + !!c->out.req;
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

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;

	c->target = t;
	spin_lock_init(&c->lock);
	INIT_LIST_HEAD(&c->outstanding);
	dmu_stream_init(&c->out);
	dmu_stream_init(&c->in);

	ret = dmu_target_join(t, c);
	if (ret) {
		kfree(c);
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
	struct dmu_target *t = c->target;
	LIST_HEAD(dead);

	dmu_target_leave(t, c, &dead);
	dmu_request_end_list(t, &dead);

	WARN_ON_ONCE(c->nr_requests);
	dmu_stream_exit(&c->in);
	dmu_stream_exit(&c->out);
	kfree(c);
	return 0;
}

/* poll(2), and epoll from anywhere that wakes. Process context, does not sleep, takes no lock. */
static __poll_t dmu_channel_poll(struct file *file, poll_table *wait)
{
	struct dmu_channel *c = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &c->target->wq, wait);
	/*
	 * Pairs with wq_has_sleeper() in whoever adds a request or breaks a channel: either that
	 * sees this waiter, or the following sees what it did.
	 */
	smp_mb();

	if (READ_ONCE(c->gone))
		mask |= EPOLLHUP;
	if (READ_ONCE(c->broken))
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
};
