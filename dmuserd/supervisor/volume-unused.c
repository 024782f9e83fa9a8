// SPDX-License-Identifier: Apache-2.0
/*
 * A release of what nobody uses: first a look whether the device is open, which changes nothing.
 *
 * For people, who would rather be told that a volume is mounted. What is opened between the look and the release
 * is in the way of that release as of any other. Whoever waits for a release while none has begun waits for the
 * look; a release that begins meanwhile ends the look, and answers them too.
 */
#include "dmuserd/supervisor/volume-internal.h"

#include <errno.h>
#include <string.h>

void volume_look_cancel(struct volume *v)
{
	dm_queue_cancel(v->look.dm_call);
	holders_cancel(v->look.holders_call);
	v->look = (struct volume_look){};
}

static void answer_open(struct volume *v, const struct holders *holders)
{
	struct release_result result = { .open_count = v->look.open_count };
	struct failure failure;

	if (holders)
		result.holders = *holders;
	v->look = (struct volume_look){};
	failure_set(&failure, FAILURE_VOLUME_BUSY, NULL, "its device is open");
	volume_reply_released(v, &result, &failure);
}

static void answer_unknown(struct volume *v, const struct dm_result *result)
{
	struct failure failure;

	if (result->error == -ETIMEDOUT)
		failure_set(&failure, FAILURE_TIMED_OUT, "device", "%s", result->message);
	else
		failure_set(&failure, FAILURE_DRIVER_UNAVAILABLE, NULL, "%s", result->message);
	v->look = (struct volume_look){};
	volume_reply_released(v, NULL, &failure);
}

static void on_holders(void *userdata, const struct holders *holders)
{
	struct volume *v = userdata;

	v->look.holders_call = NULL;
	answer_open(v, holders);
}

static void on_status(void *userdata, const struct dm_result *result)
{
	struct volume *v = userdata;

	v->look.dm_call = NULL;
	if (result->error < 0 && result->error != -ENXIO) {
		answer_unknown(v, result);
	} else if (result->error == 0 && result->open_count > 0) {
		v->look.open_count = (unsigned int)result->open_count;
		if (volume_holders_start(v, on_holders, &v->look.holders_call) < 0)
			answer_open(v, NULL);
	} else {
		volume_begin_release(v, v->look.timeout_ms);
	}
}

static int start_look(struct volume *v)
{
	struct dm_request request;

	volume_dm_request(v, DM_OP_STATUS, &request);
	return dm_queue_add(v->set->dm_queue, &request,
			    volume_settings(v)->device_mapper_timeout_ms, on_status, v,
			    &v->look.dm_call);
}

int volume_release_unless_open(struct volume *v, uint64_t timeout_ms, volume_released_fn done,
			       void *userdata, struct failure *failure)
{
	bool looking = v->look.dm_call || v->look.holders_call;
	int r;

	if (v->operation == OPERATION_ADOPT)
		return volume_check_settled(v, failure);
	if (v->operation != OPERATION_NONE || !v->device_exists)
		return volume_release(v, timeout_ms, done, userdata, failure);
	if (timeout_ms == PARSER_UNSET)
		timeout_ms = volume_settings(v)->release_timeout_ms;
	if (!looking || timeout_ms < v->look.timeout_ms)
		v->look.timeout_ms = timeout_ms;
	r = volume_add_waiter(v, NULL, done, false, userdata);
	if (r == 0 && !looking)
		r = start_look(v);
	if (r < 0)
		volume_forget_waiters(v, userdata);
	return r < 0 ? failure_set(failure, FAILURE_QUOTA_EXCEEDED, "memory", "%s", strerror(-r)) : 0;
}
