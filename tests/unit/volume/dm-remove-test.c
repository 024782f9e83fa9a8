// SPDX-License-Identifier: Apache-2.0
/*
 * What is removed, failed and looked at is ours, whoever has the name by then. libdevmapper's part is played
 * here, by functions of its names: one device is there.
 */
#include "dmuserd/supervisor/device-mapper.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#define NAME "dmuser-0-data"
#define OURS "DMUSER-01234567"

static const char *there; /* the uuid of the device that has the name */

struct dm_task {
	int type;
	char name[128], uuid[128];
	int error;
};

struct dm_task *dm_task_create(int type)
{
	struct dm_task *task = calloc(1, sizeof(*task));

	if (task)
		task->type = type;
	return task;
}

void dm_task_destroy(struct dm_task *task)
{
	free(task);
}

int dm_task_set_name(struct dm_task *task, const char *name)
{
	snprintf(task->name, sizeof(task->name), "%s", name);
	return 1;
}

int dm_task_set_uuid(struct dm_task *task, const char *uuid)
{
	snprintf(task->uuid, sizeof(task->uuid), "%s", uuid);
	return 1;
}

static bool is_found(const struct dm_task *task)
{
	/* The kernel takes one of the two. */
	if (task->name[0] && task->uuid[0])
		return false;
	return strcmp(task->name, NAME) == 0 || strcmp(task->uuid, there) == 0;
}

/* The library answers a question about a device that is not there, and fails all else. */
int dm_task_run(struct dm_task *task)
{
	bool asks = task->type == DM_DEVICE_INFO || task->type == DM_DEVICE_STATUS;

	task->error = is_found(task) || asks ? 0 : ENXIO;
	return task->error == 0;
}

int dm_task_get_errno(struct dm_task *task)
{
	return task->error;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	*info = (struct dm_info){ .exists = is_found(task), .major = 4095, .minor = 1 };
	return 1;
}

int dm_task_deferred_remove(struct dm_task *task)
{
	return 1;
}

int dm_task_no_flush(struct dm_task *task)
{
	return 1;
}

int dm_task_set_sector(struct dm_task *task, uint64_t sector)
{
	return 1;
}

int dm_task_set_message(struct dm_task *task, const char *message)
{
	return 1;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length,
			 char **type, char **params)
{
	*params = NULL;
	return NULL;
}

struct outcome {
	sd_event *event;
	int error;
};

static void on_done(void *userdata, const struct dm_result *result)
{
	struct outcome *o = userdata;

	o->error = result->error;
	sd_event_exit(o->event, 0);
}

static int outcome_of(enum dm_operation operation, const char *uuid)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct dm_request request = { .operation = operation, .name = NAME, .params = "fail" };
	struct outcome o;
	struct dm_call *call;

	strcpy(request.uuid, uuid);
	assert_int_equal(sd_event_new(&event), 0);
	o = (struct outcome){ .event = event };
	assert_int_equal(dm_start(event, &request, 60000, on_done, &o, &call), 0);
	assert_int_equal(sd_event_loop(event), 0);
	return o.error;
}

static const enum dm_operation operations[] = { DM_OP_REMOVE, DM_OP_REMOVE_DEFERRED, DM_OP_STATUS,
						DM_OP_MESSAGE };

static void what_is_ours_is_found(void **state)
{
	there = OURS;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		assert_int_equal(outcome_of(operations[i], OURS), 0);
}

static void a_strangers_device_of_our_name_is_left_alone(void **state)
{
	there = "LVM-89abcdef";
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		assert_int_equal(outcome_of(operations[i], OURS), -ENXIO);
}

static void a_uuid_that_is_not_ours_is_not_even_asked_for(void **state)
{
	there = "LVM-89abcdef";
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		assert_true(outcome_of(operations[i], there) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ours_is_found),
		cmocka_unit_test(a_strangers_device_of_our_name_is_left_alone),
		cmocka_unit_test(a_uuid_that_is_not_ours_is_not_even_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
