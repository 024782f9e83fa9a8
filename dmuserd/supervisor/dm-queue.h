/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper operations in turn: no more than DM_QUEUE_RUNNING_MAX children at a time.
 *
 * A thousand volumes that come or go at once are a thousand operations, and each is a process. What does not
 * run yet waits in the order in which it came; its deadline begins when it runs. What runs is bounded by its
 * own deadline, so what waits is, too.
 */
#pragma once

#include "dmuserd/supervisor/device-mapper.h"

/*
 * Most of an operation's time is waiting, for udev or for I/O; a few that hang must not hold up the others.
 */
#define DM_QUEUE_RUNNING_MAX 32

struct dm_queue;
struct dm_ticket; /* one operation, waiting or running */

int dm_queue_new(sd_event *event, struct dm_queue **ret_queue);
/* No callback any more for anybody. NULL is fine. */
void dm_queue_free(struct dm_queue *queue);
static inline void dm_queue_freep(struct dm_queue **queue)
{
	dm_queue_free(*queue);
}

/*
 * As dm_start(). `done` is called once from the loop, unless cancelled; with the error, if the operation
 * could not be started when its turn came. The ticket is the queue's, and none any more when `done` is
 * called.
 */
int dm_queue_add(struct dm_queue *queue, const struct dm_request *request, uint64_t timeout_ms,
		 dm_done_fn done, void *userdata, struct dm_ticket **ret_ticket);
/* No callback any more; a child that runs is killed. NULL is fine. */
void dm_queue_cancel(struct dm_ticket *ticket);
