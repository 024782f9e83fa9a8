// SPDX-License-Identifier: Apache-2.0
/* list, show and monitor: what they print, in which nothing acts on a terminal. */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <string.h>

static void lists_two(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.List\"}");
	fake_reply(s, "{\"parameters\":{\"volumes\":[" VOLUME ",{\"name\":\"b\\u001b[2J\","
		      "\"owner\":4000000,\"state\":\"degraded\",\"container\":\"c1\","
		      "\"error\":\"killed\\u001b\"}]}}", NULL, 0);
	fake_expect_close(s);
}

static void list_is_a_table_in_which_nothing_acts(void **state)
{
	assert_int_equal(RUN(lists_two, "list"), 0);
	assert_printed("NAME      STATE     SIZE  BACKEND  DEVICE     HELD BY  OWNER    REASON\n");
	assert_printed("a         active    64M   memory   /dev/dm-3  kept     root     -\n");
	assert_printed("b\\x1b[2J  degraded  -     -        -          c1       4000000  killed\\x1b\n");
}

static void lists_one_that_is_well(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volumes\":[" VOLUME "]}}", NULL, 0);
	fake_expect_close(s);
}

static void list_has_reasons_only_where_something_is_amiss(void **state)
{
	assert_int_equal(RUN(lists_one_that_is_well, "list"), 0);
	assert_printed("OWNER\n");
	assert_null(strstr(output, "REASON"));
}

static void describes_a_degraded_one(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"volume\":{\"name\":\"a\",\"state\":\"degraded\","
		   "\"error\":\"the worker was killed\",\"size_bytes\":1048576}}}", NULL, 0);
	fake_expect_close(s);
}

static void show_says_what_to_do_about_a_degraded_one(void **state)
{
	assert_int_equal(RUN(describes_a_degraded_one, "show", "a"), 0);
	assert_printed("  State        degraded\n"
		       "  Error        the worker was killed\n"
		       "  To do        unmount it if it is mounted; dmuserctl release a, then create it again\n");
	assert_int_equal(RUN(describes_a_degraded_one, "show", "a", "--json"), 0);
	assert_null(strstr(output, "release"));
}

static void list_as_json_is_json(void **state)
{
	assert_int_equal(RUN(lists_two, "--json", "list"), 0);
	assert_printed("\"name\":");
	assert_null(strchr(output, '\x1b'));
	assert_int_equal(RUN(lists_two, "list", "--json"), 0);
	assert_printed("\"name\":");
}

static void describes(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"owner\":7,\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME "}}", NULL, 0);
	fake_expect_close(s);
}

static void show_tells_all_and_escapes_it(void **state)
{
	assert_int_equal(RUN(describes, "show", "a", "--owner", "7"), 0);
	assert_printed("64M (67108864 bytes), in blocks of 512");
	assert_printed("x=\\x1b[2J");
	assert_printed("none, after generation 1");
}

static void notifies(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Subscribe\",\"more\":true}");
	fake_reply(s, "{\"parameters\":{\"event\":\"snapshot\",\"volumes\":[" VOLUME "]},\"continues\":true}",
		   NULL, 0);
	fake_reply(s, "{\"parameters\":{\"event\":\"gone\",\"volumes\":[" VOLUME "]},\"continues\":true}",
		   NULL, 0);
}

static void monitor_prints_each_event_and_tells_of_the_end(void **state)
{
	assert_int_equal(RUN(notifies, "monitor"), 3);
	assert_printed("snapshot  a  active  64M  /dev/dm-3  kept\n");
	assert_printed("gone      a  active");
	assert_printed("dmuserd closed the connection");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_a_table_in_which_nothing_acts),
		cmocka_unit_test(list_has_reasons_only_where_something_is_amiss),
		cmocka_unit_test(list_as_json_is_json),
		cmocka_unit_test(show_says_what_to_do_about_a_degraded_one),
		cmocka_unit_test(show_tells_all_and_escapes_it),
		cmocka_unit_test(monitor_prints_each_event_and_tells_of_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
