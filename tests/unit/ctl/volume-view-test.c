// SPDX-License-Identifier: Apache-2.0
/* What a person is told of a volume beyond what the reply says: its other name, and what to do. */
#include "cmocka-all.h"
#include "ctl/volume-view.h"
#include "made-root.h"

#include <string.h>
#include <unistd.h>

static void is_link(const char *volume, const char *expected)
{
	struct json_object *object = json_tokener_parse(volume);
	char link[VOLUME_VIEW_LINK_SIZE];

	assert_string_equal(volume_view_link(object, made_root, link), expected);
	json_object_put(object);
}

static void the_name_in_dev_mapper_is_the_one_that_the_kernel_has(void **state)
{
	made_root_put("/sys/block/dm-3/dm/uuid", "DMUSER-u1\n");
	made_root_put("/sys/block/dm-3/dm/name", "dmuser-0-a@12345678\n");
	is_link("{\"device\":\"/dev/dm-3\",\"uuid\":\"u1\"}", "/dev/mapper/dmuser-0-a@12345678");
	/* Another's by now; not there; none yet; not what a reply of dmuserd's says. */
	is_link("{\"device\":\"/dev/dm-3\",\"uuid\":\"u2\"}", "");
	is_link("{\"device\":\"/dev/dm-4\",\"uuid\":\"u1\"}", "");
	is_link("{\"uuid\":\"u1\"}", "");
	is_link("{\"device\":\"/dev/dm-3/../dm-3\",\"uuid\":\"u1\"}", "");
	is_link("{\"device\":\"/dev/sda\",\"uuid\":\"u1\"}", "");
}

static void is_next(const char *volume, const char *expected)
{
	struct json_object *object = json_tokener_parse(volume);
	char next[VOLUME_VIEW_NEXT_SIZE];

	assert_string_equal(volume_view_next(object, next), expected);
	json_object_put(object);
}

static void what_is_to_be_done_can_be_typed(void **state)
{
	char volume[256], expected[256];

	is_next("{\"name\":\"a\",\"state\":\"active\"}", "");
	is_next("{\"name\":\"a\",\"state\":\"releasing\"}", "");
	is_next("{\"name\":\"a\",\"state\":\"degraded\"}",
		"unmount it if it is mounted; dmuserctl release a, then create it again");
	is_next("{\"name\":\"a\",\"state\":\"degraded\",\"container\":\"c\\u001b\"}",
		"unmount it if it is mounted; dmuserctl release a --container c\\x1b, then create "
		"it again");
	is_next("{\"name\":\"a\",\"state\":\"releasing\",\"error\":\"its device is kept open\"}",
		"end what has it open, and it goes; dmuserctl release a says what to do");
	snprintf(volume, sizeof(volume), "{\"name\":\"a\",\"state\":\"degraded\","
					 "\"owner\":%u}", geteuid());
	is_next(volume, "unmount it if it is mounted; dmuserctl release a, then create it again");
	snprintf(volume, sizeof(volume), "{\"name\":\"a\",\"state\":\"degraded\",\"owner\":%u}",
		 geteuid() + 1);
	snprintf(expected, sizeof(expected), "unmount it if it is mounted; dmuserctl release a "
		 "--owner %u, then create it again", geteuid() + 1);
	is_next(volume, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_name_in_dev_mapper_is_the_one_that_the_kernel_has, made_root_set_up,
			made_root_tear_down),
		cmocka_unit_test(what_is_to_be_done_can_be_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
