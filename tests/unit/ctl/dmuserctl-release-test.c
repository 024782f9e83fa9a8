// SPDX-License-Identifier: Apache-2.0
/* release: what is asked for, who is in the way, and what it takes to release what is in use. */
#include "cmocka-all.h"
#include "ctl-run.h"

#include <string.h>
#include <unistd.h>

static void releases_slowly(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"timeout_ms\":100,"
			    "\"container\":\"c1\",\"unless_open\":true}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,\"stage\":\"gone\","
		      "\"holders\":[]},{\"name\":\"b\",\"owner\":0,\"stage\":\"device_busy\",\"holders\":"
		      "[\"pid 7 (fio)\",\"mount /mnt\"]}]}}", NULL, 0);
	fake_expect_close(s);
}

static void a_release_that_is_not_over_says_who_is_in_the_way(void **state)
{
	assert_int_equal(RUN(releases_slowly, "release", "--timeout-ms", "100", "--container", "c1"), 7);
	assert_printed("a: released\n");
	assert_printed("b: its device is still open by pid 7 (fio), mount /mnt; it goes when that closes\n"
		       "  hint: end pid 7 (fio)\n"
		       "  hint: umount /mnt\n");
	assert_int_equal(RUN(releases_slowly, "release", "--json", "--timeout-ms", "100", "--container",
			     "c1"), 7);
}

static void finds_it_open(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"owner\":4294967294,"
			    "\"unless_open\":true,\"name\":\"a\"}}");
	fake_reply(s, "{\"error\":\"io.dmuser.VolumeBusy\",\"parameters\":{\"name\":\"a\",\"open_count\":1,"
		      "\"holders\":[\"volume b of uid 4294967294, container c1\"]}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void takes_a_release_by_force(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,\"stage\":\"gone\","
		      "\"holders\":[]}]}}", NULL, 0);
	fake_expect_close(s);
}

static void what_is_in_use_is_released_by_force_only(void **state)
{
	assert_int_equal(RUN(finds_it_open, "release", "a", "--owner", "4294967294"), 7);
	assert_string_equal(output, "dmuserctl: volume 'a' is in use: its device is open once (volume b of uid "
				    "4294967294, container c1)\n"
				    "  hint: dmuserctl release b --container c1 --owner 4294967294 first, which "
				    "lies on top of it; or dmuserctl release a --owner 4294967294 --force, which "
				    "fails its I/O\n");
	assert_int_equal(RUN(takes_a_release_by_force, "release", "a", "--force"), 0);
}

static void releases_nothing(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"parameters\":{\"released\":[]}}", NULL, 0);
	fake_expect_close(s);
}

static void a_container_without_volumes_is_said_to_have_none(void **state)
{
	assert_int_equal(RUN(releases_nothing, "release", "--container", "c1"), 5);
	assert_string_equal(output, "dmuserctl: container 'c1' has no volumes\n"
				    "  hint: 'dmuserctl list' shows what holds each volume\n");
	assert_int_equal(RUN(releases_nothing, "release", "--container", "c1", "--json"), 5);
}

static void takes_a_name_and_a_container(int s)
{
	const char *call = fake_expect_call(s, NULL, NULL);

	if (!strstr(call, "\"name\":\"a\"") || !strstr(call, "\"container\":\"c1\""))
		_exit(FAKE_SCRIPT_FAILED);
	fake_reply(s, "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"a\","
		      "\"last_failure\":\"mkfs failed\"}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void one_container_s_volume_is_shown_and_released_by_both_names(void **state)
{
	assert_int_equal(RUN(takes_a_name_and_a_container, "show", "a", "--container", "c1"), 5);
	assert_printed("no volume 'a'; the last attempt to create it failed: mkfs failed\n");
	assert_int_equal(RUN(takes_a_name_and_a_container, "release", "a", "--container", "c1"), 5);
	assert_int_equal(RUN(takes_a_name_and_a_container, "release", "--container", "c1", "a"), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_release_that_is_not_over_says_who_is_in_the_way),
		cmocka_unit_test(what_is_in_use_is_released_by_force_only),
		cmocka_unit_test(a_container_without_volumes_is_said_to_have_none),
		cmocka_unit_test(one_container_s_volume_is_shown_and_released_by_both_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
