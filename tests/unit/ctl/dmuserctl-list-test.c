// SPDX-License-Identifier: Apache-2.0
/* list, show and monitor: what they print, in which nothing acts on a terminal. */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <string.h>
#include <unistd.h>

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
	assert_printed("b\\x1b[2J  degraded  -     -        -          c1       4000000  "
		       "killed\\x1b\n");
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
		       "  To do        unmount it if it is mounted; dmuserctl release a, then "
		       "create it again\n");
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
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"owner\":7,"
			    "\"name\":\"a\"}}");
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
	fake_reply(s,
		   "{\"parameters\":{\"event\":\"snapshot\",\"volumes\":[" VOLUME
		   "]},\"continues\":true}",
		   NULL, 0);
	fake_reply(s,
		   "{\"parameters\":{\"event\":\"changed\",\"volumes\":[" VOLUME
		   "]},\"continues\":true}",
		   NULL, 0);
	fake_reply(s, "{\"parameters\":{\"event\":\"changed\",\"volumes\":[{\"name\":\"b\","
		      "\"uuid\":\"v\",\"state\":\"created\",\"size_bytes\":0,\"keep\":true}]},"
		      "\"continues\":true}", NULL, 0);
	fake_reply(s,
		   "{\"parameters\":{\"event\":\"gone\",\"volumes\":[" VOLUME
		   "]},\"continues\":true}",
		   NULL, 0);
}

static void monitor_prints_each_event_and_tells_of_the_end(void **state)
{
	assert_int_equal(RUN(notifies, "monitor"), 3);
	assert_printed("snapshot  a  active  64M  /dev/dm-3  kept\n"
		       "changed   b  created  -  -  kept\n"
		       "gone      a  -  64M  -  -\n");
	assert_printed("dmuserd closed the connection");
	assert_int_equal(RUN(notifies, "monitor", "--json"), 3);
	assert_printed("\"snapshot\"");
	assert_printed("\"gone\"");
	assert_null(strstr(strstr(output, "changed") + 1, "changed"));
}

static void has_nothing_yet(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"event\":\"snapshot\",\"volumes\":[]},"
		      "\"continues\":true}", NULL, 0);
}

static void monitor_says_that_it_waits(void **state)
{
	assert_int_equal(RUN(has_nothing_yet, "monitor"), 3);
	assert_printed("no volumes yet; waiting for the first\n");
	assert_int_equal(RUN(has_nothing_yet, "monitor", "--json"), 3);
	assert_null(strstr(output, "waiting"));
}

static void describes_that_of_root(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"owner\":0,"
			    "\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME "}}", NULL, 0);
	fake_expect_close(s);
}

static void an_owner_is_named(void **state)
{
	assert_int_equal(RUN(describes_that_of_root, "show", "a", "--owner", "root"), 0);
}

static void has_one_of_another_owner(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\","
		      "\"parameters\":{\"name\":\"a\"}}", NULL, 0);
	answer_the_rest(s, "{\"parameters\":{\"volumes\":[{\"name\":\"b\",\"owner\":7},"
			   "{\"name\":\"a\",\"owner\":4294967294}]}}");
}

static void root_is_told_who_has_what_is_not_his(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(RUN(has_one_of_another_owner, "show", "a"), 5);
	assert_string_equal(output, "dmuserctl: root has no volume 'a'; it is one of 4294967294 "
				    "(uid 4294967294)\n"
				    "  hint: dmuserctl show a --owner 4294967294\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_a_table_in_which_nothing_acts),
		cmocka_unit_test(list_has_reasons_only_where_something_is_amiss),
		cmocka_unit_test(list_as_json_is_json),
		cmocka_unit_test(show_says_what_to_do_about_a_degraded_one),
		cmocka_unit_test(show_tells_all_and_escapes_it),
		cmocka_unit_test(monitor_says_that_it_waits),
		cmocka_unit_test(an_owner_is_named),
		cmocka_unit_test(root_is_told_who_has_what_is_not_his),
		cmocka_unit_test(monitor_prints_each_event_and_tells_of_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
