// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ioctl(2) on a channel: what it is told, and what it opts in to. Structures grow at their ends, so
 * an ioctl is known by its number without its size, and any size is taken that the first version's
 * structure fits into. Trusts nothing that it copies in, and never copies with a lock held.
 */
#include <linux/kernel.h>
#include <linux/uaccess.h>

#include "channel.h"
#include "target.h"

#define DMU_IOC_SIZELESS(cmd)	((cmd) & ~(unsigned int)IOCSIZE_MASK)

/* The structures' first sizes: these stay when the structures grow. */
#define DMU_INFO_SIZE_MIN	72
#define DMU_BATCH_SIZE_MIN	8

static void dmu_ioctl_describe(struct dmu_channel *c, struct dm_user_info *ret_info)
{
	struct dmu_target *t = c->target;
	const struct dmu_options *o = &t->options;

	*ret_info = (struct dm_user_info){
		.version = DM_USER_ABI_VERSION,
		.flags = (o->read_only ? DM_USER_INFO_READ_ONLY : 0) |
			 (o->requeue ? DM_USER_INFO_REQUEUE : 0) |
			 (o->volatile_cache ? DM_USER_INFO_VOLATILE_CACHE : 0) |
			 (READ_ONCE(c->batch) ? DM_USER_INFO_BATCH : 0),
		.features = DM_USER_FEATURE_BATCH,
		.sectors = t->sectors,
		.generation = c->generation,
		.block_size = o->block_size,
		.max_io = o->max_io_kb << 10,
		.max_outstanding = o->max_outstanding,
		.attach_timeout_ms = o->attach_timeout_ms,
		.request_timeout_ms = o->request_timeout_ms,
		.discard = o->discard,
		.discard_grain = o->discard ? dmu_options_discard_grain(o) : 0,
		.secure_erase = o->secure_erase,
		.write_zeroes = o->write_zeroes,
	};
}

/* All that it tells is constant but for @batch, so it takes no lock, and works after the end. */
static long dmu_ioctl_info(struct dmu_channel *c, void __user *to, size_t size)
{
	struct dm_user_info info;
	size_t known = min(size, sizeof(info));

	BUILD_BUG_ON(sizeof(info) != DMU_INFO_SIZE_MIN);
	if (size < DMU_INFO_SIZE_MIN)
		return -EINVAL;

	dmu_ioctl_describe(c, &info);
	if (copy_to_user(to, &info, known) || clear_user(to + known, size - known))
		return -EFAULT;
	return 0;
}

/* No call is in the middle of a message, and none begins one: both mutexes are held. */
static int dmu_ioctl_opt_in(struct dmu_channel *c)
{
	int ret = dmu_channel_error(c);

	if (ret || c->batch)
		return ret;
	if (READ_ONCE(c->out.req) || c->in.pos)
		return -EBUSY;
	WRITE_ONCE(c->batch, true);
	return 0;
}

static long dmu_ioctl_batch(struct dmu_channel *c, const void __user *from, size_t size)
{
	struct dm_user_batch batch;
	int ret;

	BUILD_BUG_ON(sizeof(batch) != DMU_BATCH_SIZE_MIN);
	if (size < DMU_BATCH_SIZE_MIN)
		return -EINVAL;

	ret = copy_struct_from_user(&batch, sizeof(batch), from, size);
	if (ret)
		return ret;
	if (batch.flags || batch.padding)
		return -EINVAL;

	/* a reader may hold its mutex for as long as its page takes to come */
	if (mutex_lock_interruptible(&c->out.mutex))
		return -ERESTARTSYS;
	ret = -ERESTARTSYS;
	if (mutex_lock_interruptible_nested(&c->in.mutex, SINGLE_DEPTH_NESTING))
		goto unlock_out;
	ret = dmu_ioctl_opt_in(c);
	mutex_unlock(&c->in.mutex);
unlock_out:
	mutex_unlock(&c->out.mutex);
	return ret;
}

/*
 * Process context, sleeps for the caller's pages and the streams. Runs beside everything but the
 * channel's own release.
 */
long dmu_channel_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dmu_channel *c = file->private_data;

	switch (DMU_IOC_SIZELESS(cmd)) {
	case DMU_IOC_SIZELESS(DM_USER_IOC_INFO):
		return dmu_ioctl_info(c, (void __user *)arg, _IOC_SIZE(cmd));
	case DMU_IOC_SIZELESS(DM_USER_IOC_BATCH):
		return dmu_ioctl_batch(c, (const void __user *)arg, _IOC_SIZE(cmd));
	default:
		return -ENOTTY;
	}
}
