// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device-mapper target `user`: what dm calls, the queue between it and the channels, and which
 * channel may take from it. Trusts dm to call in the order it documents. Never sleeps or allocates
 * while mapping, and never waits for a worker.
 *
 * Why a channel is held. A worker that sent a bad answer may be confused enough to carry out an old
 * write later. Its requests have failed, and whoever retries them on a new worker must not have the
 * old worker's write land on top. So a channel that was opened after the break gets no request
 * until every broken channel has really been released, by its last holder.
 */
#include "target.h"

#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "channel.h"
#include "node.h"
#include "request.h"

#define DM_MSG_PREFIX "user"

/* The longest range that a bio can say: its size has 32 bits. A longer one comes in several. */
#define DMU_RANGE_SECTORS_MAX	(UINT_MAX >> SECTOR_SHIFT)

bool dmu_target_holds(struct dmu_target *t, struct dmu_channel *c)
{
	return READ_ONCE(t->nr_broken) && c->number >= READ_ONCE(t->fence);
}

/*
 * Whether a read() on @c would not wait: there is something, or something is wrong. Takes no lock;
 * who acts on it looks again.
 */
bool dmu_target_ready(struct dmu_target *t, struct dmu_channel *c)
{
	if (dmu_channel_error(c) || READ_ONCE(c->out.req))
		return true;
	return !list_empty(&t->queue) && !dmu_target_holds(t, c);
}

/**
 * dmu_target_wake_one - there is a request in the queue: wake one sleeping reader, and all pollers
 * @t:	the target
 *
 * The wait queue itself says who sleeps, so there is no flag to go stale. wq_has_sleeper() has the
 * barrier between the caller's list_add() and the look; its pair is in whoever goes to sleep.
 */
void dmu_target_wake_one(struct dmu_target *t)
{
	if (!list_empty(&t->queue) && wq_has_sleeper(&t->wq))
		wake_up_interruptible_poll(&t->wq, EPOLLIN | EPOLLRDNORM);
}

/**
 * dmu_target_deliver - move the first request into a channel's out stream, claimed
 * @t:	the target
 * @c:	one of its channels, its out stream locked and empty
 *
 * The seq is given here and not when mapping: so the numbers that a worker sees have no gaps, even
 * after a suspend took undelivered requests back.
 *
 * Returns 0, -EAGAIN if there is nothing for this channel, or why it carries nothing any more.
 */
int dmu_target_deliver(struct dmu_target *t, struct dmu_channel *c)
{
	struct dmu_request *req;
	int ret;

	spin_lock(&t->lock);
	spin_lock(&c->lock);
	ret = dmu_channel_error(c);
	if (ret)
		goto unlock;

	req = list_first_entry_or_null(&t->queue, struct dmu_request, link);
	if (!req || dmu_target_holds(t, c)) {
		ret = -EAGAIN;
		goto unlock;
	}

	list_del(&req->link);
	t->nr_queued--;
	req->seq = t->next_seq++;
	c->nr_requests++;
	c->out.claimed = true;
	WRITE_ONCE(c->out.req, req);
unlock:
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);
	return ret;
}

/* A channel is being opened. Returns 0, or -ENODEV if the target went meanwhile. */
int dmu_target_join(struct dmu_target *t, struct dmu_channel *c)
{
	int ret = -ENODEV;

	spin_lock(&t->lock);
	if (!t->gone) {
		c->number = t->nr_opens++;
		list_add_tail(&c->link, &t->channels);
		t->nr_channels++;
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

/**
 * dmu_target_leave - a channel is being released
 * @t:		the target
 * @c:		nobody uses it any more
 * @dead:	gets its requests, for the caller to fail
 */
void dmu_target_leave(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead)
{
	bool unfenced = false;

	spin_lock(&t->lock);
	list_del(&c->link);
	t->nr_channels--;
	spin_lock(&c->lock);
	dmu_channel_collect(c, dead);
	if (c->broken) {
		WRITE_ONCE(t->nr_broken, t->nr_broken - 1);
		unfenced = !t->nr_broken;
	}
	spin_unlock(&c->lock);
	spin_unlock(&t->lock);

	/* held readers sleep without being exclusive, and several may now take requests */
	if (unfenced)
		wake_up_interruptible_all(&t->wq);
}

static void dmu_target_break_locked(struct dmu_target *t, struct dmu_channel *c,
				    struct list_head *dead)
{
	lockdep_assert_held(&t->lock);

	spin_lock(&c->lock);
	if (!c->broken) {
		WRITE_ONCE(c->broken, true);
		if (!t->nr_broken)
			WRITE_ONCE(t->fence, t->nr_opens);
		WRITE_ONCE(t->nr_broken, t->nr_broken + 1);
		dmu_channel_collect(c, dead);
	}
	spin_unlock(&c->lock);
}

/**
 * dmu_target_break - a bad answer came on a channel
 * @t:		the target
 * @c:		the channel
 * @dead:	gets its requests, for the caller to fail
 */
void dmu_target_break(struct dmu_target *t, struct dmu_channel *c, struct list_head *dead)
{
	spin_lock(&t->lock);
	dmu_target_break_locked(t, c, dead);
	spin_unlock(&t->lock);

	/*
	 * the channel's own sleepers and pollers must hear of it; the others look and sleep again
	 */
	wake_up_interruptible_all(&t->wq);
}

/*
 * `fail`: every request ends with EIO now, and every new one at once, until `unfail`. Nobody is waited
 * for, so this works beside a suspend that hangs on a worker.
 *
 * The channels break, because a worker may still be at what has just failed: after `unfail`, none that is
 * opened gets a request before those have been released.
 */
static void dmu_target_fail(struct dmu_target *t)
{
	struct dmu_channel *c;
	LIST_HEAD(dead);

	spin_lock(&t->lock);
	t->failing = true;
	list_for_each_entry(c, &t->channels, link)
		dmu_target_break_locked(t, c, &dead);
	list_splice_tail_init(&t->queue, &dead);
	t->nr_queued = 0;
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_request_end_list(t, &dead);
}

static void dmu_target_unfail(struct dmu_target *t)
{
	spin_lock(&t->lock);
	t->failing = false;
	spin_unlock(&t->lock);
}

/* The destructor's part: no more requests, no more channels, everybody is told. */
static void dmu_target_end(struct dmu_target *t)
{
	struct dmu_channel *c;
	LIST_HEAD(dead);

	spin_lock(&t->lock);
	t->gone = true;
	list_for_each_entry(c, &t->channels, link) {
		spin_lock(&c->lock);
		WRITE_ONCE(c->gone, true);
		dmu_channel_collect(c, &dead);
		spin_unlock(&c->lock);
	}
	list_splice_tail_init(&t->queue, &dead);
	t->nr_queued = 0;
	spin_unlock(&t->lock);

	wake_up_interruptible_all(&t->wq);
	dmu_request_end_list(t, &dead);
}

/*
 * The device's release: the last reference is gone, so no file is open and no list holds anything.
 */
static void dmu_target_free(struct device *dev)
{
	kfree(container_of(dev, struct dmu_target, dev));
}

static struct dmu_target *dmu_target_new(struct dm_target *ti, const char *name)
{
	struct dmu_target *t;
	int ret;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return ERR_PTR(-ENOMEM);

	t->begin = ti->begin;
	init_waitqueue_head(&t->wq);
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->queue);
	INIT_LIST_HEAD(&t->channels);

	ret = dmu_node_init(t, name, dmu_target_free);
	if (ret) {
		put_device(&t->dev);
		return ERR_PTR(ret);
	}
	return t;
}

/* The table line: START LEN user 0 LEN NAME. */
static int dmu_target_check(struct dm_target *ti, unsigned int argc, char **argv)
{
	u64 value;

	if (argc != 3) {
		ti->error = "Exactly three arguments are needed: 0, the length, a name";
		return -EINVAL;
	}
	if (kstrtou64(argv[0], 10, &value) || value != 0) {
		ti->error = "The first argument must be 0";
		return -EINVAL;
	}
	if (kstrtou64(argv[1], 10, &value) || value != ti->len) {
		ti->error = "The second argument must be the target's length";
		return -EINVAL;
	}
	if (!dmu_node_name_valid(argv[2])) {
		ti->error = "The name must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}";
		return -EINVAL;
	}
	return 0;
}

static void dmu_target_set_features(struct dm_target *ti)
{
	ti->per_io_data_size = sizeof(struct dmu_request);
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
}

/*
 * Table load. Process context, sleeps. Until it returns, only opens of the new node run beside it.
 */
static int dmu_target_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dmu_target *t;
	int ret;

	ret = dmu_target_check(ti, argc, argv);
	if (ret)
		return ret;

	ret = dm_set_target_max_io_len(ti, DM_USER_MAX_IO_BYTES >> SECTOR_SHIFT);
	if (ret)
		return ret;

	t = dmu_target_new(ti, argv[2]);
	if (IS_ERR(t)) {
		ti->error = "Cannot allocate the target";
		return PTR_ERR(t);
	}

	ret = dmu_node_add(t);
	if (ret) {
		ti->error = ret == -EEXIST ? "The name is in use by a live target" :
					     "Cannot create the node";
		put_device(&t->dev);
		return ret;
	}

	dmu_target_set_features(ti);
	ti->private = t;
	return 0;
}

/*
 * The table goes: dm has seen every bio end and maps no more. Process context, sleeps, but waits
 * for no worker. Channels' calls and releases, and opens that found the node just before, run
 * beside it.
 */
static void dmu_target_dtr(struct dm_target *ti)
{
	struct dmu_target *t = ti->private;

	dmu_node_remove(t);
	dmu_target_end(t);
	put_device(&t->dev);
}

/*
 * A bio. Process context, must not sleep (DM_TARGET_NOWAIT). Runs beside everything, itself
 * included; dm keeps the table, and so the target, until it returns. The bio may have ended by
 * then.
 */
static int dmu_target_map(struct dm_target *ti, struct bio *bio)
{
	struct dmu_target *t = ti->private;
	struct dmu_request *req = dmu_request_init(bio);
	int ret = DM_MAPIO_SUBMITTED;

	if (unlikely(!req))
		return DM_MAPIO_KILL;

	spin_lock(&t->lock);
	/*
	 * Asked under the lock: dm raises its flag before it calls presuspend(), which empties the
	 * queue under the same lock, as `fail` does. So either that finds this request, or this sees
	 * the flag.
	 */
	if (unlikely(t->failing)) {
		ret = DM_MAPIO_KILL;
	} else if (unlikely(dm_noflush_suspending(ti))) {
		ret = DM_MAPIO_REQUEUE;
	} else {
		list_add_tail(&req->link, &t->queue);
		t->nr_queued++;
	}
	spin_unlock(&t->lock);

	if (likely(ret == DM_MAPIO_SUBMITTED))
		dmu_target_wake_one(t);
	else if (ret == DM_MAPIO_KILL)
		atomic64_inc(&t->errors);
	return ret;
}

/*
 * A suspend begins. Process context. Mapping and channels run beside it.
 *
 * With flush, nothing changes: dm waits for what it has mapped, and locks the file system, for
 * which the worker must go on. Without, dm wants back what has not gone out: last first, because it
 * puts each one before those it already has. From here to the end of the suspend dm's own flag
 * makes map() give back every new bio, so there is no state of ours to undo if the suspend is
 * interrupted.
 */
static void dmu_target_presuspend(struct dm_target *ti)
{
	struct dmu_target *t = ti->private;
	struct dmu_request *req, *prev;
	LIST_HEAD(back);

	if (!dm_noflush_suspending(ti))
		return;

	spin_lock(&t->lock);
	list_splice_init(&t->queue, &back);
	t->nr_queued = 0;
	spin_unlock(&t->lock);

	list_for_each_entry_safe_reverse(req, prev, &back, link)
		dmu_request_end(t, req, BLK_STS_DM_REQUEUE);
}

static unsigned int dmu_target_outstanding(struct dmu_target *t)
{
	struct dmu_channel *c;
	unsigned int n = 0;

	lockdep_assert_held(&t->lock);

	list_for_each_entry(c, &t->channels, link)
		n += READ_ONCE(c->nr_requests);
	return n;
}

/*
 * `dmsetup status`: QUEUED OUTSTANDING CHANNELS GENERATION ERRORS FAILING, as numbers, new fields at
 * the end.
 *
 *   QUEUED	requests that wait for a channel to take them
 *   OUTSTANDING	requests that a channel has taken and that have not ended
 *   CHANNELS	open channels, broken ones included
 *   GENERATION	0: nothing can advance it
 *   ERRORS	requests that ended with EIO since the table was loaded
 *   FAILING	1 between `fail` and `unfail`, else 0
 */
static void dmu_target_info(struct dmu_target *t, char *result, unsigned int maxlen)
{
	unsigned int queued, outstanding, channels, failing;
	unsigned int sz = 0;

	spin_lock(&t->lock);
	queued = t->nr_queued;
	outstanding = dmu_target_outstanding(t);
	channels = t->nr_channels;
	failing = t->failing;
	spin_unlock(&t->lock);

	DMEMIT("%u %u %u 0 %llu %u", queued, outstanding, channels, (u64)atomic64_read(&t->errors),
	       failing);
}

/* Process context. Runs beside everything; the numbers are of one moment, but for ERRORS. */
static void dmu_target_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			      char *result, unsigned int maxlen)
{
	struct dmu_target *t = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		dmu_target_info(t, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("0 %llu %s", (u64)ti->len, dmu_target_name(t));
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",name=%s;", dmu_target_name(t));
		break;
	}
}

/*
 * `dmsetup message DEVICE 0 fail|unfail`. Process context; never waits, neither for a worker nor for a
 * suspend. Runs beside everything.
 */
static int dmu_target_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			      unsigned int maxlen)
{
	struct dmu_target *t = ti->private;

	if (argc == 1 && !strcasecmp(argv[0], "fail")) {
		dmu_target_fail(t);
		return 0;
	}
	if (argc == 1 && !strcasecmp(argv[0], "unfail")) {
		dmu_target_unfail(t);
		return 0;
	}
	DMWARN_LIMIT("%s: unknown message '%s'; known are: fail, unfail", dmu_target_name(t),
		     argc ? argv[0] : "");
	return -EINVAL;
}

/*
 * There are no devices below. The callback has to be there all the same: 6.1 asks io_hints() only
 * of targets that have it, and believes in write zeroes and secure erase only after it returned 0.
 */
static int dmu_target_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				      void *data)
{
	return 0;
}

/*
 * The limits of ranges. Both the soft and the hard limit of discard, and its granularity: 6.1 takes
 * the pair as it stands and only with a granularity, 6.12 computes the soft one from the hard one.
 */
static void dmu_target_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	limits->discard_granularity = SECTOR_SIZE;
	limits->max_hw_discard_sectors = DMU_RANGE_SECTORS_MAX;
	limits->max_discard_sectors = DMU_RANGE_SECTORS_MAX;
	limits->max_secure_erase_sectors = DMU_RANGE_SECTORS_MAX;
	limits->max_write_zeroes_sectors = DMU_RANGE_SECTORS_MAX;
}

struct target_type dmu_target_type = {
	.name = "user",
	.version = { 1, 1, 0 },
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = dmu_target_ctr,
	.dtr = dmu_target_dtr,
	.map = dmu_target_map,
	.presuspend = dmu_target_presuspend,
	.status = dmu_target_status,
	.message = dmu_target_message,
	.iterate_devices = dmu_target_iterate_devices,
	.io_hints = dmu_target_io_hints,
};
