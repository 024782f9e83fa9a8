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
#include "roster.h"
#include "stats.h"
#include "target.h"
#include "trace.h"

#define DM_MSG_PREFIX "user"

/* The table line: START LEN user 0 LEN NAME [#opts opt...]. Shifts what it has read. */
static int dmu_type_check(struct dm_target *ti, struct dm_arg_set *args, const char **ret_name)
{
	const char *name;
	u64 value;

	if (args->argc < 3) {
		ti->error = "At least three arguments are needed: 0, the length, a name";
		return -EINVAL;
	}
	if (kstrtou64(dm_shift_arg(args), 10, &value) || value != 0) {
		ti->error = "The first argument must be 0";
		return -EINVAL;
	}
	if (kstrtou64(dm_shift_arg(args), 10, &value) || value != ti->len) {
		ti->error = "The second argument must be the target's length";
		return -EINVAL;
	}
	name = dm_shift_arg(args);
	if (!dmu_node_name_valid(name)) {
		ti->error = "The name must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}";
		return -EINVAL;
	}
	*ret_name = name;
	return 0;
}

/* Table load. Process context, sleeps. The new node can be opened before this returns. */
static int dmu_type_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set args = { .argc = argc, .argv = argv };
	struct dmu_options options;
	struct dmu_target *t;
	const char *name;
	int ret;

	ret = dmu_type_check(ti, &args, &name);
	if (ret)
		return ret;
	ret = dmu_options_parse(ti, &args, &options);
	if (ret)
		return ret;
	ret = dmu_options_apply(ti, &options);
	if (ret)
		return ret;

	t = dmu_target_new(ti, name, &options);
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

	ti->per_io_data_size = sizeof(struct dmu_request);
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

/* What becomes of a bio. */
static __always_inline int dmu_type_decide(struct dmu_target *t, struct bio *bio)
{
	struct dmu_request *req = dmu_request_init(bio);

	if (unlikely(!req))
		return dmu_target_refuse(t, NULL);
	/* the block layer only warns of a write to a read-only device */
	if (unlikely(t->options.read_only) && op_is_write(bio_op(bio)) &&
	    !dmu_request_is_flush(bio))
		return dmu_target_refuse(t, req);
	return dmu_target_add(t, req);
}

/* Once it is decided the bio may have ended: so what is traced is kept before. */
static noinline int dmu_type_map_traced(struct dmu_target *t, struct bio *bio)
{
	int type = dmu_request_type(bio);
	u32 len = bio->bi_iter.bi_size;
	u64 sector = len ? bio->bi_iter.bi_sector - t->begin : 0;
	int decision = dmu_type_decide(t, bio);

	trace_dm_user_map(t, type, sector, len, decision);
	return decision;
}

/*
 * A bio. Process context, must not sleep (DM_TARGET_NOWAIT). Runs beside everything, itself
 * included; dm keeps the table, and so the target, until it returns. The bio may have ended by
 * then.
 */
static int dmu_type_map(struct dm_target *ti, struct bio *bio)
{
	if (trace_dm_user_map_enabled())
		return dmu_type_map_traced(ti->private, bio);
	return dmu_type_decide(ti->private, bio);
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
	if (dm_noflush_suspending(ti))
		dmu_target_return(ti->private);
}

/* The suspend has ended: dm has seen every bio end, and maps none until the resume. */
static void dmu_type_postsuspend(struct dm_target *ti)
{
	dmu_clock_suspended(ti->private);
}

static void dmu_type_resume(struct dm_target *ti)
{
	dmu_clock_resumed(ti->private);
}

/*
 * `dmsetup status`: QUEUED OUTSTANDING CHANNELS GENERATION ERRORS FAILING BROKEN DESERTED LOST
 * REPEATED TIMED_OUT, as numbers, new fields at the end.
 *
 *   QUEUED	requests that wait for a channel to take them
 *   OUTSTANDING	requests that were delivered to a channel and not answered: from the first byte
 *		of the request that is read to the last of its answer that is written
 *   CHANNELS	open channels, broken and fenced ones included
 *   GENERATION	times that `fence` was said since the table was loaded
 *   ERRORS	requests that ended with EIO since the table was loaded, whoever said so
 *   FAILING	1 between `fail` and `unfail`, else 0
 *   BROKEN	channels that are broken, and neither released nor fenced yet: while there are any,
 *		a channel that was opened after the first of them broke gets no request
 *   DESERTED	1 once no channel came within attach_timeout_ms, until one does, else 0
 *   LOST	1 if the next FLUSH will fail, because answered writes may be gone with their worker
 *   REPEATED	requests that were queued again after their channel's end, since the table was
 *		loaded
 *   TIMED_OUT	times that a request was not answered in time, likewise
 */
static void dmu_type_info(struct dmu_target *t, char *result, unsigned int maxlen)
{
	struct dmu_counts counts;
	unsigned int sz = 0;

	dmu_target_count(t, &counts);
	DMEMIT("%u %u %u %llu %llu %u %u %u %u %llu %llu", counts.queued, counts.outstanding,
	       counts.channels, counts.generation, counts.errors, counts.failing, counts.broken,
	       counts.deserted, counts.lost, counts.repeated, counts.timed_out);
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
		sz = dmu_options_show(&t->options, result, sz, maxlen);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",name=%s", dmu_target_name(t));
		sz = dmu_options_measure(&t->options, result, sz, maxlen);
		DMEMIT(";");
		break;
	}
}

/*
 * `dmsetup message DEVICE 0 fail|unfail|fence|stats|reset_stats`; fence answers with the new
 * generation, stats with what stats.c says. Process context; never waits, neither for a worker nor
 * for a suspend. Runs beside everything.
 */
static int dmu_type_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen)
{
	struct dmu_target *t = ti->private;
	unsigned int sz = 0;

	if (argc == 1 && !strcasecmp(argv[0], "fail")) {
		dmu_roster_fail(t);
		return 0;
	}
	if (argc == 1 && !strcasecmp(argv[0], "unfail")) {
		dmu_roster_unfail(t);
		return 0;
	}
	if (argc == 1 && !strcasecmp(argv[0], "fence")) {
		DMEMIT("%llu", dmu_roster_fence(t));
		return 1; /* there is a result */
	}
	if (argc == 1 && !strcasecmp(argv[0], "stats")) {
		dmu_stats_show(t, result, maxlen);
		return 1;
	}
	if (argc == 1 && !strcasecmp(argv[0], "reset_stats")) {
		dmu_stats_reset(t);
		return 0;
	}
	DMWARN_LIMIT("%s: unknown message '%s'; known are: fail, unfail, fence, stats, reset_stats",
		     dmu_target_name(t), argc ? argv[0] : "");
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

static void dmu_type_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct dmu_target *t = ti->private;

	dmu_options_limits(&t->options, limits);
}

struct target_type dmu_target_type = {
	.name = "user",
	.version = { 1, 4, 0 },
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = dmu_type_ctr,
	.dtr = dmu_type_dtr,
	.map = dmu_type_map,
	.presuspend = dmu_type_presuspend,
	.postsuspend = dmu_type_postsuspend,
	.resume = dmu_type_resume,
	.status = dmu_type_status,
	.message = dmu_type_message,
	.iterate_devices = dmu_type_iterate_devices,
	.io_hints = dmu_type_io_hints,
};
