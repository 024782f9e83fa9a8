// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes: the module's own character-device region, the class that gives /dev/dm-user/NAME its place
 * and mode, and the table of live names. A name is live from its target's constructor to its
 * destructor, however many channels stay open longer.
 *
 * Not a misc device per target: those share 128 dynamic minors before 6.2.
 */
#include "node.h"

#include <linux/cdev.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/stringhash.h>

#include "channel.h"
#include "compat.h"
#include "target.h"

#define DMU_NODES_MAX	65536

/* Process context only. Held for the two tables alone, never while a device comes or goes. */
static DEFINE_MUTEX(dmu_node_lock);
/* Live targets by name, and minors to targets: both protected by dmu_node_lock. */
static DEFINE_HASHTABLE(dmu_node_names, 10);
static DEFINE_IDR(dmu_node_minors);
/* The region's first number; constant while the module lives. */
static dev_t dmu_node_base;

static char *dmu_node_path(DMU_DEVNODE_DEVICE *dev, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, "dm-user/%s", dev_name(dev));
}

static struct class dmu_node_class = {
	.name = "dm-user",
	.devnode = dmu_node_path,
};

int dmu_nodes_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&dmu_node_base, 0, DMU_NODES_MAX, "dm-user");
	if (ret)
		return ret;

	ret = class_register(&dmu_node_class);
	if (ret)
		unregister_chrdev_region(dmu_node_base, DMU_NODES_MAX);
	return ret;
}

void dmu_nodes_exit(void)
{
	class_unregister(&dmu_node_class);
	unregister_chrdev_region(dmu_node_base, DMU_NODES_MAX);
	idr_destroy(&dmu_node_minors);
}

/*
 * [A-Za-z0-9][A-Za-z0-9._-]{0,63}: nothing that a path, a uevent or a table line could stumble on.
 */
bool dmu_node_name_valid(const char *name)
{
	size_t len = strnlen(name, DM_USER_NAME_MAX + 1);
	size_t i;

	if (len == 0 || len > DM_USER_NAME_MAX)
		return false;
	for (i = 0; i < len; i++) {
		/* the kernel's isalnum() also takes Latin-1 */
		if (isascii(name[i]) && isalnum(name[i]))
			continue;
		if (i > 0 && strchr("._-", name[i]))
			continue;
		return false;
	}
	return true;
}

/**
 * dmu_node_init - make a target's device, which from now on owns the target's memory
 * @t:		zeroed
 * @name:	valid
 * @release:	frees @t once the last reference is gone
 *
 * After success and after failure alike, put_device() is the way to free @t.
 */
int dmu_node_init(struct dmu_target *t, const char *name, void (*release)(struct device *dev))
{
	device_initialize(&t->dev);
	t->dev.class = &dmu_node_class;
	t->dev.release = release;
	cdev_init(&t->cdev, &dmu_channel_fops);
	t->cdev.owner = THIS_MODULE;
	return dev_set_name(&t->dev, "%s", name);
}

static bool dmu_node_name_live(const char *name, u32 hash)
{
	struct dmu_target *t;

	hash_for_each_possible(dmu_node_names, t, name_link, hash) {
		if (!strcmp(dmu_target_name(t), name))
			return true;
	}
	return false;
}

/*
 * Reserves the name and a minor. Minors go round, so that whoever kept an old node's inode (an
 * O_PATH descriptor, say) does not find the next target behind it.
 */
static int dmu_node_reserve(struct dmu_target *t)
{
	const char *name = dmu_target_name(t);
	u32 hash = full_name_hash(NULL, name, strlen(name));
	int ret;

	mutex_lock(&dmu_node_lock);
	if (dmu_node_name_live(name, hash)) {
		ret = -EEXIST;
		goto unlock;
	}
	ret = idr_alloc_cyclic(&dmu_node_minors, t, 0, DMU_NODES_MAX, GFP_KERNEL);
	if (ret < 0)
		goto unlock;
	t->minor = ret;
	hash_add(dmu_node_names, &t->name_link, hash);
	ret = 0;
unlock:
	mutex_unlock(&dmu_node_lock);
	return ret;
}

static void dmu_node_unreserve(struct dmu_target *t)
{
	mutex_lock(&dmu_node_lock);
	hash_del(&t->name_link);
	idr_remove(&dmu_node_minors, t->minor);
	mutex_unlock(&dmu_node_lock);
}

/**
 * dmu_node_add - let the node appear; it may be opened before this returns
 * @t:	complete
 *
 * Returns 0, -EEXIST if the name is live, -ENOSPC if there are no minors left, or what the driver
 * core says. Sleeps.
 */
int dmu_node_add(struct dmu_target *t)
{
	int ret;

	ret = dmu_node_reserve(t);
	if (ret)
		return ret;

	t->dev.devt = MKDEV(MAJOR(dmu_node_base), MINOR(dmu_node_base) + t->minor);
	ret = cdev_device_add(&t->cdev, &t->dev);
	if (ret)
		dmu_node_unreserve(t);
	return ret;
}

/* Takes the node away: nobody new finds the target. Those who have it open keep it. Sleeps. */
void dmu_node_remove(struct dmu_target *t)
{
	cdev_device_del(&t->cdev, &t->dev);
	dmu_node_unreserve(t);
}
