/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node: /dev/dm-user/NAME, by which a worker reaches its target.
 */
#ifndef DMU_NODE_H
#define DMU_NODE_H

#include <linux/types.h>

struct device;
struct dmu_target;

int dmu_nodes_init(void);
void dmu_nodes_exit(void);

bool dmu_node_name_valid(const char *name);
int dmu_node_init(struct dmu_target *t, const char *name, void (*release)(struct device *dev));
int dmu_node_add(struct dmu_target *t);
void dmu_node_remove(struct dmu_target *t);

#endif /* DMU_NODE_H */
