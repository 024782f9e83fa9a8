// SPDX-License-Identifier: Apache-2.0
/*
 * DM_OP_LIST among more devices than anybody has by default. libdevmapper's part is played here, by functions
 * of its names: devices of ours, and behind them some that are not.
 */
#include "dmuserd/supervisor/device-mapper.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define OURS   3000
#define OTHERS 2

struct dm_task {
	int type;
	unsigned int number; /* of the device that it is about */
};

/* As the kernel lays them out: each entry says where the next one is. */
struct listed {
	union {
		struct dm_names names;
		char room[48];
	};
};

static struct listed list[OURS + OTHERS];

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
	return sscanf(name, "device%u", &task->number) == 1;
}

int dm_task_run(struct dm_task *task)
{
	return task->type == DM_DEVICE_LIST || task->type == DM_DEVICE_INFO;
}

struct dm_names *dm_task_get_names(struct dm_task *task)
{
	for (unsigned int i = 0; i < OURS + OTHERS; i++) {
		list[i].names.dev = makedev(253, i);
		list[i].names.next = i + 1 < OURS + OTHERS ? sizeof(list[0]) : 0;
		snprintf(list[i].room + offsetof(struct dm_names, name), 32, "device%u", i);
	}
	return &list[0].names;
}

int dm_task_get_info(struct dm_task *task, struct dm_info *info)
{
	*info = (struct dm_info){ .exists = 1, .major = 253, .minor = task->number };
	return 1;
}

const char *dm_task_get_uuid(const struct dm_task *task)
{
	static char uuid[64];

	snprintf(uuid, sizeof(uuid), "%s-%u", task->number < OURS ? "DMUSER" : "LVM", task->number);
	return uuid;
}

static void on_listed(void *userdata, const struct dm_result *result)
{
	sd_event *event = userdata;

	assert_int_equal(result->error, 0);
	assert_int_equal(result->n_devices, OURS);
	for (unsigned int i = 0; i < OURS; i++)
		assert_int_equal(minor(result->devices[i].devno), i);
	assert_string_equal(result->devices[OURS - 1].name, "device2999");
	assert_string_equal(result->devices[OURS - 1].uuid, "DMUSER-2999");
	sd_event_exit(event, 0);
}

static void all_devices_of_ours_are_told_of_and_no_others(void **state)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct dm_request request = { .operation = DM_OP_LIST };
	struct dm_call *call;

	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(dm_start(event, &request, 60000, on_listed, event, &call), 0);
	assert_int_equal(sd_event_loop(event), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_devices_of_ours_are_told_of_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
