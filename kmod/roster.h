/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target's roster: which channels it has, which of them may take requests, and how each ends.
 */
#ifndef DMU_ROSTER_H
#define DMU_ROSTER_H

#include <linux/types.h>

struct dmu_channel;
struct dmu_orphans;
struct dmu_target;

int dmu_roster_join(struct dmu_target *t, struct dmu_channel *c);
void dmu_roster_leave(struct dmu_target *t, struct dmu_channel *c);
bool dmu_roster_holds(struct dmu_target *t, struct dmu_channel *c);
void dmu_roster_break(struct dmu_target *t, struct dmu_channel *c, struct dmu_orphans *o);
void dmu_roster_break_locked(struct dmu_target *t, struct dmu_channel *c, struct dmu_orphans *o);
u64 dmu_roster_fence(struct dmu_target *t);
void dmu_roster_fail(struct dmu_target *t);
void dmu_roster_unfail(struct dmu_target *t);
void dmu_roster_end(struct dmu_target *t);
void dmu_roster_orphan_all(struct dmu_target *t, struct dmu_orphans *o);

#endif /* DMU_ROSTER_H */
