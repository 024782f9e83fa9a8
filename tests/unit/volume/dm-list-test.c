// SPDX-License-Identifier: Apache-2.0
/*
 * DM_OP_LIST among more devices than anybody has by default, and DM_OP_LIST_DEAF among some that cannot be looked
 * at. libdevmapper's part is played here, by functions of its names: devices of ours, and behind them some that
 * are not.
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
static unsigned int n_listed = OURS + OTHERS;

/* Which of the devices are deaf, and which of those tell no status, or nothing else. */
static bool is_deaf_device(unsigned int number)
{
	return number % 2 == 1;
}

static bool hides_status(unsigned int number)
{
	return number == 3;
}

static bool hides_info(unsigned int number)
{
	return number == 5 && n_listed < OURS;
}

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
	return sscanf(name, "dmuser-%u", &task->number) == 1;
}

int dm_task_run(struct dm_task *task)
{
	switch (task->type) {
	case DM_DEVICE_LIST:
		return 1;
	case DM_DEVICE_INFO:
		return !hides_info(task->number);
	case DM_DEVICE_STATUS:
		return !hides_status(task->number);
	default:
		return 0;
	}
}

int dm_task_get_errno(struct dm_task *task)
{
	return EIO;
}

int dm_task_no_flush(struct dm_task *task)
{
	return 1;
}

void *dm_get_next_target(struct dm_task *task, void *next, uint64_t *start, uint64_t *length, char **type,
			 char **params)
{
	static char user[] = "user", deaf[] = "0 0 0 0 0 0 1 0 0 0 0", well[] = "0 0 0 0 0 0 0 0 0 0 0";

	*type = user;
	*params = is_deaf_device(task->number) ? deaf : well;
	return NULL;
}

struct dm_names *dm_task_get_names(struct dm_task *task)
{
	for (unsigned int i = 0; i < n_listed; i++) {
		list[i].names.dev = makedev(253, i);
		list[i].names.next = i + 1 < n_listed ? sizeof(list[0]) : 0;
		snprintf(list[i].room + offsetof(struct dm_names, name), 32, "dmuser-%u", i);
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
	assert_string_equal(result->devices[OURS - 1].name, "dmuser-2999");
	assert_string_equal(result->devices[OURS - 1].uuid, "DMUSER-2999");
	sd_event_exit(event, 0);
}

static void list_devices(enum dm_operation operation, dm_done_fn done)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct dm_request request = { .operation = operation };
	struct dm_call *call;

	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(dm_start(event, &request, 60000, done, event, &call), 0);
	assert_int_equal(sd_event_loop(event), 0);
}

static void all_devices_of_ours_are_told_of_and_no_others(void **state)
{
	n_listed = OURS + OTHERS;
	list_devices(DM_OP_LIST, on_listed);
}

static void on_deaf_listed(void *userdata, const struct dm_result *result)
{
	static const unsigned int expected[] = { 1, 7, 9 };
	sd_event *event = userdata;

	assert_int_equal(result->error, 0);
	assert_int_equal(result->n_devices, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(minor(result->devices[i].devno), expected[i]);
	sd_event_exit(event, 0);
}

static void a_device_that_cannot_be_looked_at_hides_no_deaf_one(void **state)
{
	n_listed = 10;
	list_devices(DM_OP_LIST_DEAF, on_deaf_listed);
}

static void on_not_listed(void *userdata, const struct dm_result *result)
{
	sd_event *event = userdata;

	assert_int_equal(result->error, -EIO);
	sd_event_exit(event, 0);
}

static void a_list_of_all_is_not_one_of_some(void **state)
{
	n_listed = 10;
	list_devices(DM_OP_LIST, on_not_listed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_devices_of_ours_are_told_of_and_no_others),
		cmocka_unit_test(a_device_that_cannot_be_looked_at_hides_no_deaf_one),
		cmocka_unit_test(a_list_of_all_is_not_one_of_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
