/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target's clocks: how long requests may wait for a channel, and for their answer.
 */
#ifndef DMU_CLOCK_H
#define DMU_CLOCK_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct dmu_request;
struct dmu_target;

/**
 * struct dmu_clock - a target's time-outs
 * @attach:	attach_timeout in jiffies; 0: none; constant
 * @request:	request_timeout in jiffies; 0: none; constant
 * @work:	looks for what is late
 *
 * The rest is protected by target->lock.
 * @armed:	@work is going to run, at @armed_for
 * @armed_for:	jiffies
 * @alone_since: jiffies when the last channel that served ended, or the target resumed without one
 * @attached_at: jiffies when the last attachment was
 * @nr_attached: attachments: times that a channel came when there was none
 * @awaited:	requests in the queue may have waited for the last one, and not been told
 * @suspended:	from the end of a suspend to the resume, and before the first
 * @deserted:	the attach time-out is over: no bio is taken until a channel serves
 */
struct dmu_clock {
	unsigned long attach;
	unsigned long request;
	struct delayed_work work;

	bool armed;
	unsigned long armed_for;
	unsigned long alone_since;
	unsigned long attached_at;
	u32 nr_attached;
	bool awaited;
	bool suspended;
	bool deserted;
};

int dmu_clocks_init(void);
void dmu_clocks_exit(void);

void dmu_clock_init(struct dmu_target *t);
void dmu_clock_stop(struct dmu_target *t);
void dmu_clock_start(struct dmu_target *t, struct dmu_request *req);
void dmu_clock_repeat(struct dmu_target *t, struct dmu_request *req);
void dmu_clock_attached(struct dmu_target *t);
void dmu_clock_served(struct dmu_target *t);
void dmu_clock_alone(struct dmu_target *t);
void dmu_clock_suspended(struct dmu_target *t);
void dmu_clock_resumed(struct dmu_target *t);

#endif /* DMU_CLOCK_H */
