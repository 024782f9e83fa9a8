// SPDX-License-Identifier: Apache-2.0
/*
 * Targets come, change and go while memory is short.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <unistd.h>

#include "../kmod/channel.h"
#include "case.h"
#include "device.h"
#include "prove.h"
#include "sweep.h"

/* Of a table that is loaded beside the first. */
#define OTHER_NODE PROVE_NAME "-other"

static struct target t;

/* Where the last sweep's device may be gone, or its table be suspended: brings it back. */
static void bring_back(void)
{
	if (!prove_exists(&t))
		prove_create(&t);
	CHECK_EQ(device_resume(&t), 0);
}

/* --- Coming */

/* What its device lacks, device-mapper calls ENXIO; a disk that lacks its name, the driver core
 * EINVAL. */
static int do_create(void)
{
	int r = device_define(&t);

	r = r ? r : device_load(&t, t.name);
	return r ? r : device_resume(&t);
}

/* What a failed attempt left behind would be in the way of the next, which would then say so. */
static void after_create(int r)
{
	if (r == 0 && prove_has_node(&t))
		prove_serves(&t);
	else
		CHECK(sweep_hit());
	prove_remove(&t);
}

static void creating_a_target_bears_every_fault(void)
{
	prove_name(&t, "6 max_outstanding 9 on_close requeue request_timeout_ms 60000");
	CHECK(sweep(&(struct operation){ .name = "create",
					 .run = do_create,
					 .after = after_create,
					 .also = { ENXIO, EINVAL } }) > 0);
	prove_create(&t);
	prove_serves(&t);
	prove_remove(&t);
}

/* --- Changing */

/* The tables that take turns in being live, which differ in their nodes. */
static struct target tables[2];
static int live;

static void begin_tables(void)
{
	prove_name(&tables[0], NULL);
	prove_create(&tables[0]);
	tables[1] = tables[0];
	strcpy(tables[1].node, DM_USER_DIRECTORY "/" OTHER_NODE);
	live = 0;
}

static void end_tables(void)
{
	CHECK_EQ(device_remove(&tables[0], 0), 0);
	CHECK(!prove_has_node(&tables[0]));
	CHECK(!prove_has_node(&tables[1]));
}

static int do_load(void)
{
	return device_load(&tables[0], live ? PROVE_NAME : OTHER_NODE);
}

/* The old table serves, and the name of one that failed is free for the next attempt. */
static void after_load(int r)
{
	prove_serves(&tables[0]);
	CHECK_EQ(target_clear(&tables[0]), 0);
	CHECK(!prove_has_node(&tables[1]));
	prove_forget_node(&tables[1]);
}

static void loading_another_table_bears_every_fault(void)
{
	begin_tables();
	CHECK(sweep(&(struct operation){ .name = "load", .run = do_load, .after = after_load }) >
	      0);
	end_tables();
}

static void before_swap(void)
{
	CHECK_EQ(do_load(), 0);
}

static int do_resume(void)
{
	return device_resume(&tables[0]);
}

/* One of the two tables serves, once the device is resumed; the node of the other may only look so.
 */
static void after_swap(int r)
{
	CHECK_EQ(do_resume(), 0);
	CHECK(prove_has_node(&tables[0]) != prove_has_node(&tables[1]));
	live = prove_has_node(&tables[1]);
	prove_serves(&tables[live]);
	prove_forget_node(&tables[!live]);
	CHECK_EQ(target_clear(&tables[0]), 0);
}

static void swapping_tables_bears_every_fault(void)
{
	begin_tables();
	CHECK(sweep(&(struct operation){ .name = "swap",
					 .before = before_swap,
					 .run = do_resume,
					 .after = after_swap }) > 0);
	end_tables();
}

static int do_suspend(void)
{
	return device_suspend(&t, 0);
}

static int do_suspend_noflush(void)
{
	return device_suspend(&t, DM_NOFLUSH_FLAG);
}

static int do_plain_resume(void)
{
	return device_resume(&t);
}

static void before_resume(void)
{
	bring_back();
	CHECK_EQ(device_suspend(&t, 0), 0);
}

static void after_suspend(int r)
{
	bring_back();
	prove_serves(&t);
}

static void suspending_and_resuming_bear_every_fault(void)
{
	prove_name(&t, NULL);
	CHECK(sweep(&(struct operation){ .name = "suspend",
					 .before = bring_back,
					 .run = do_suspend,
					 .after = after_suspend }) > 0);
	CHECK(sweep(&(struct operation){ .name = "suspend without flush",
					 .before = bring_back,
					 .run = do_suspend_noflush,
					 .after = after_suspend }) > 0);
	CHECK(sweep(&(struct operation){ .name = "resume",
					 .before = before_resume,
					 .run = do_plain_resume,
					 .after = after_suspend }) > 0);
	prove_remove(&t);
}

/* --- Going */

static int channel = -1;

static void before_remove(void)
{
	bring_back();
	channel = channel_open(&t, 0);
}

static int do_remove(void)
{
	return device_remove(&t, 0);
}

/* It is there and serves, or it is gone: not one without the other. */
static void after_remove(int r)
{
	char byte;
	bool exists = prove_exists(&t);

	CHECK(exists || r == 0 || r == -EFAULT);
	if (exists) {
		CHECK(r < 0);
		close(channel);
		prove_serves(&t);
		return;
	}
	CHECK(read(channel, &byte, 1) < 0 && errno == ENOTBLK);
	close(channel);
	prove_forget_node(&t);
	prove_remove(&t);
}

static void removing_a_target_bears_every_fault(void)
{
	prove_name(&t, NULL);
	CHECK(sweep(&(struct operation){ .name = "remove",
					 .before = before_remove,
					 .run = do_remove,
					 .after = after_remove }) > 0);
}

const struct test_case device_cases[] = {
	CASE(creating_a_target_bears_every_fault),
	CASE(loading_another_table_bears_every_fault),
	CASE(swapping_tables_bears_every_fault),
	CASE(suspending_and_resuming_bear_every_fault),
	CASE(removing_a_target_bears_every_fault),
	{ 0 },
};
