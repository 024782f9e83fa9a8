// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dm-user: a device-mapper target whose requests are answered by a process. This file brings the
 * module up and down. target.h has the theory of operation and the lock order.
 *
 * A live target holds the module through device-mapper, an open channel through its file and cdev,
 * so by the time of exit there is neither.
 */
#include <linux/device-mapper.h>
#include <linux/module.h>

#include "clock.h"
#include "node.h"
#include "target.h"

static int __init dmu_init(void)
{
	int ret;

	ret = dmu_clocks_init();
	if (ret)
		return ret;
	ret = dmu_nodes_init();
	if (ret)
		goto exit_clocks;
	ret = dm_register_target(&dmu_target_type);
	if (ret)
		goto exit_nodes;
	return 0;

exit_nodes:
	dmu_nodes_exit();
exit_clocks:
	dmu_clocks_exit();
	return ret;
}

static void __exit dmu_exit(void)
{
	dm_unregister_target(&dmu_target_type);
	dmu_nodes_exit();
	dmu_clocks_exit();
}

module_init(dmu_init);
module_exit(dmu_exit);

MODULE_DESCRIPTION("device-mapper target whose requests a process answers");
MODULE_AUTHOR("The dmuser developers");
MODULE_LICENSE("GPL");
/* the same number as dmu_target_type.version, where a modinfo or /sys/module reader finds it */
MODULE_VERSION("1.4.0");
