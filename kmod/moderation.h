/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the wake-up that a request asks for may wait for more requests.
 */
#ifndef DMU_MODERATION_H
#define DMU_MODERATION_H

#include <linux/hrtimer.h>
#include <linux/types.h>

struct dmu_target;

/**
 * struct dmu_moderation - what a target knows of its submitters' pace
 * @timer:	wakes a reader for what has come meanwhile
 *
 * The rest are hints; nothing is lost if they are wrong.
 * @cpu:	the one that a reader went to sleep on last; -1: it has woken
 * @began:	requests in the queue when the timer was started
 * @pays:	the last wait brought more than those
 * @skip:	wake-ups until it is tried again, while it does not pay
 * @backoff:	how many those were last time
 */
struct dmu_moderation {
	struct hrtimer timer;
	int cpu;
	unsigned int began;
	bool pays;
	unsigned int skip;
	unsigned int backoff;
};

void dmu_moderation_init(struct dmu_target *t);
void dmu_moderation_stop(struct dmu_target *t);
void dmu_moderation_sleeps(struct dmu_target *t);
void dmu_moderation_woke(struct dmu_target *t);
void dmu_moderation_added(struct dmu_target *t);

#endif /* DMU_MODERATION_H */
