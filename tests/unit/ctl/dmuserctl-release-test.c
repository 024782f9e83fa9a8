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
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,"
		      "\"stage\":\"gone\",\"holders\":[]},{\"name\":\"b\",\"owner\":1000,"
		      "\"stage\":\"device_busy\",\"holders\":[\"pid 7 (fio)\",\"mount /mnt\","
		      "\"swap /dev/dm-3\"]}]}}", NULL, 0);
	fake_expect_text(s, "{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"name\":\"b\","
			    "\"container\":\"c1\",\"owner\":1000}}");
	fake_reply(s, "{\"parameters\":{\"volume\":" VOLUME "}}", NULL, 0);
	fake_expect_close(s);
}

static void a_release_that_is_not_over_says_who_is_in_the_way(void **state)
{
	assert_int_equal(RUN(releases_slowly, "release", "--timeout-ms", "100", "--container",
			     "c1"),
			 7);
	assert_printed("a: released\n");
	assert_printed("b: its device is still open by pid 7 (fio), mount /mnt, swap /dev/dm-3; "
		       "it goes when that closes\n");
	assert_printed("dmuserctl: volume 'b' is there until its device, /dev/dm-3, is closed, and "
		       "its I/O fails\n"
		       "  hint: end pid 7 (fio)\n"
		       "  hint: umount /mnt\n"
		       "  hint: swapoff /dev/dm-3\n");
	assert_int_equal(RUN(releases_slowly, "release", "--json", "--timeout-ms", "100",
			     "--container", "c1"),
			 7);
	assert_printed("  hint: swapoff /dev/dm-3\n");
}

static void is_held_by_nobody_seen(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,"
		      "\"stage\":\"device_busy\",\"holders\":[]}]}}", NULL, 0);
	answer_the_rest(s, "{\"parameters\":{\"volume\":" VOLUME "}}");
}

static void after_a_release_by_force_the_device_is_named(void **state)
{
	assert_int_equal(RUN(is_held_by_nobody_seen, "release", "a", "--force"), 7);
	assert_printed("a: its device is still open; it goes when that closes\n");
	assert_printed("  hint: unmount it where it is mounted (grep /dev/dm-3 "
		       "/proc/[0-9]*/mounts), or end what uses it (lsblk, fuser -v /dev/dm-3)\n");
}

static void is_swap_space(int s)
{
	fake_expect_call(s, NULL, NULL);
	fake_reply(s, "{\"error\":\"io.dmuser.VolumeBusy\",\"parameters\":{\"name\":\"a\","
		      "\"open_count\":1,\"holders\":[\"swap /dev/dm-3\"]}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void what_is_swapped_to_is_released_after_a_swapoff(void **state)
{
	assert_int_equal(RUN(is_swap_space, "release", "a"), 7);
	assert_string_equal(output,
			    "dmuserctl: volume 'a' is in use: its device is open once (swap "
			    "/dev/dm-3)\n"
			    "  hint: swapoff /dev/dm-3; or dmuserctl release a --force, which "
			    "fails its I/O\n");
}

static void finds_it_open(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\","
			    "\"parameters\":{\"owner\":4294967294,\"unless_open\":true,"
			    "\"name\":\"a\"}}");
	fake_reply(s, "{\"error\":\"io.dmuser.VolumeBusy\",\"parameters\":{\"name\":\"a\","
		      "\"open_count\":1,\"holders\":[\"volume b of uid 4294967294, container "
		      "c1\"]}}", NULL, 0);
	answer_the_rest(s, NOTHING_KNOWN);
}

static void takes_a_release_by_force(int s)
{
	fake_expect_text(s, "{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"a\"}}");
	fake_reply(s, "{\"parameters\":{\"released\":[{\"name\":\"a\",\"owner\":0,"
		      "\"stage\":\"gone\",\"holders\":[]}]}}", NULL, 0);
	fake_expect_close(s);
}

static void what_is_in_use_is_released_by_force_only(void **state)
{
	assert_int_equal(RUN(finds_it_open, "release", "a", "--owner", "4294967294"), 7);
	assert_string_equal(output, "dmuserctl: volume 'a' is in use: its device is open once "
				    "(volume b of uid 4294967294, container c1)\n"
				    "  hint: dmuserctl release b --container c1 --owner 4294967294 "
				    "first, which lies on top of it; or dmuserctl release a "
				    "--owner 4294967294 --force, which fails its I/O\n");
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
		cmocka_unit_test(after_a_release_by_force_the_device_is_named),
		cmocka_unit_test(what_is_swapped_to_is_released_after_a_swapoff),
		cmocka_unit_test(what_is_in_use_is_released_by_force_only),
		cmocka_unit_test(a_container_without_volumes_is_said_to_have_none),
		cmocka_unit_test(one_container_s_volume_is_shown_and_released_by_both_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
