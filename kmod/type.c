// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The target type `user`: what device-mapper calls. Checks the table line, maps bios, hands them
 * back for a suspend, tells limits and status. Trusts dm to call in the order it documents. Never
 * sleeps or allocates while mapping, and never waits for a worker.
 */
#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "node.h"
#include "request.h"
#include "target.h"

#define DM_MSG_PREFIX "user"

/* The longest range that a bio can say: its size has 32 bits. A longer one comes in several. */
#define DMU_RANGE_SECTORS_MAX	(UINT_MAX >> SECTOR_SHIFT)

/* The table line: START LEN user 0 LEN NAME. */
static int dmu_type_check(struct dm_target *ti, unsigned int argc, char **argv)
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

static void dmu_type_set_features(struct dm_target *ti)
{
	ti->per_io_data_size = sizeof(struct dmu_request);
	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	ti->num_secure_erase_bios = 1;
	ti->num_write_zeroes_bios = 1;
}

/* Table load. Process context, sleeps. The new node can be opened before this returns. */
static int dmu_type_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dmu_target *t;
	int ret;

	ret = dmu_type_check(ti, argc, argv);
	if (ret)
		return ret;

	ret = dm_set_target_max_io_len(ti, DM_USER_MAX_IO_BYTES >> SECTOR_SHIFT);
	if (ret)
		return ret;

	t = dmu_target_new(ti->begin, argv[2]);
	if (IS_ERR(t)) {
		ti->error = "Cannot allocate the target";
		return PTR_ERR(t);
	}

	ret = dmu_node_add(t);
	if (ret) {
		ti->error = ret == -EEXIST ? "The name is in use by a live target" :
					     "Cannot create the node";
		/* its number may have been opened, before the rest of the node failed */
		dmu_target_end(t);
		put_device(&t->dev);
		return ret;
	}

	dmu_type_set_features(ti);
	ti->private = t;
	return 0;
}

/*
 * The table goes: dm has seen every bio end and maps no more. Process context, sleeps, but waits
 * for no worker. Channels' calls and releases, and opens that found the node just before, run
 * beside it.
 */
static void dmu_type_dtr(struct dm_target *ti)
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
static int dmu_type_map(struct dm_target *ti, struct bio *bio)
{
	struct dmu_request *req = dmu_request_init(bio);

	if (unlikely(!req))
		return DM_MAPIO_KILL;
	return dmu_target_add(ti->private, ti, req);
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
static void dmu_type_presuspend(struct dm_target *ti)
{
	struct dmu_target *t = ti->private;
	struct dmu_request *req, *prev;
	LIST_HEAD(back);

	if (!dm_noflush_suspending(ti))
		return;

	dmu_target_take_queued(t, &back);
	/* not a place to reschedule: dm's worker would send one again, and get it back out of turn */
	list_for_each_entry_safe_reverse(req, prev, &back, link)
		dmu_request_end(t, req, BLK_STS_DM_REQUEUE);
}

/*
 * `dmsetup status`: QUEUED OUTSTANDING CHANNELS GENERATION ERRORS FAILING, as numbers, new fields
 * at the end.
 *
 *   QUEUED	requests that wait for a channel to take them
 *   OUTSTANDING	requests that a channel has taken and that have not ended
 *   CHANNELS	open channels, broken ones included
 *   GENERATION	0: nothing can advance it
 *   ERRORS	requests that ended with EIO since the table was loaded
 *   FAILING	1 between `fail` and `unfail`, else 0
 */
static void dmu_type_info(struct dmu_target *t, char *result, unsigned int maxlen)
{
	struct dmu_counts counts;
	unsigned int sz = 0;

	dmu_target_count(t, &counts);
	DMEMIT("%u %u %u 0 %llu %u", counts.queued, counts.outstanding, counts.channels,
	       counts.errors, counts.failing);
}

/* Process context. Runs beside everything. */
static void dmu_type_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			    char *result, unsigned int maxlen)
{
	struct dmu_target *t = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		dmu_type_info(t, result, maxlen);
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
 * `dmsetup message DEVICE 0 fail|unfail`. Process context; never waits, neither for a worker nor
 * for a suspend. Runs beside everything.
 */
static int dmu_type_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
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
static int dmu_type_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				    void *data)
{
	return 0;
}

/*
 * The limits of ranges. Both the soft and the hard limit of discard, and its granularity: 6.1 takes
 * the pair as it stands and only with a granularity, 6.12 computes the soft one from the hard one.
 */
static void dmu_type_io_hints(struct dm_target *ti, struct queue_limits *limits)
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
	.ctr = dmu_type_ctr,
	.dtr = dmu_type_dtr,
	.map = dmu_type_map,
	.presuspend = dmu_type_presuspend,
	.status = dmu_type_status,
	.message = dmu_type_message,
	.iterate_devices = dmu_type_iterate_devices,
	.io_hints = dmu_type_io_hints,
};
