// SPDX-License-Identifier: Apache-2.0
/* What is remembered of volumes that were not made, for how long, and how much of it. */
#include "test.h"
#include "dmuserd/supervisor/failure-memory.h"

#include <string.h>

#define SECOND UINT64_C(1000000)

static struct failure_memory memory;
static char told[FAILURE_MEMORY_TOLD_SIZE];

static int begin(void **state)
{
	memory = (struct failure_memory){};
	strcpy(told, "nothing");
	return 0;
}

static bool tells(uid_t owner, const char *container, const char *name, uint64_t at)
{
	return failure_memory_tell(&memory, owner, container, name, at, told);
}

static void nothing_is_known_at_first(void **state)
{
	assert_false(tells(0, NULL, "data", 0));
	assert_string_equal(told, "nothing");
	failure_memory_forget(&memory, 0, NULL, "data");
}

static void a_failure_is_told_with_its_age_and_container(void **state)
{
	failure_memory_keep(&memory, 1000, "c1", "data", "no mkfs", 5 * SECOND);
	assert_true(tells(1000, NULL, "data", 8 * SECOND));
	assert_string_equal(told, "3 s ago, for container c1: no mkfs");
	assert_true(tells(1000, "c1", "data", 605 * SECOND));
	assert_string_equal(told, "10 min ago, for container c1: no mkfs");
	failure_memory_keep(&memory, 1000, NULL, "own", "no room", 5 * SECOND);
	assert_true(tells(1000, NULL, "own", 5 * SECOND));
	assert_string_equal(told, "0 s ago: no room");
}

static void it_is_told_under_its_own_key_alone(void **state)
{
	failure_memory_keep(&memory, 1000, "c1", "data", "why", 0);
	assert_false(tells(1001, NULL, "data", 0));
	assert_false(tells(1000, NULL, "dat", 0));
	assert_false(tells(1000, "c2", "data", 0));
}

static void the_last_one_of_a_name_is_told(void **state)
{
	failure_memory_keep(&memory, 0, "c1", "data", "first", 1);
	failure_memory_keep(&memory, 0, "c2", "data", "second", 1);
	assert_true(tells(0, NULL, "data", 1));
	assert_non_null(strstr(told, "second"));
	failure_memory_keep(&memory, 0, "c1", "data", "third", 1);
	assert_true(tells(0, NULL, "data", 1));
	assert_non_null(strstr(told, "third"));
	assert_true(tells(0, "c2", "data", 1));
	assert_non_null(strstr(told, "second"));
}

static void a_volume_that_is_made_ends_it(void **state)
{
	failure_memory_keep(&memory, 0, "c1", "data", "why", 0);
	failure_memory_forget(&memory, 0, NULL, "data");
	assert_true(tells(0, NULL, "data", 0));
	failure_memory_forget(&memory, 0, "c1", "data");
	assert_false(tells(0, NULL, "data", 0));
}

static void an_hour_ends_it(void **state)
{
	failure_memory_keep(&memory, 0, NULL, "data", "why", SECOND);
	assert_true(tells(0, NULL, "data", 3600 * SECOND));
	assert_string_equal(told, "59 min ago: why");
	assert_false(tells(0, NULL, "data", 3601 * SECOND));
}

static void nobody_is_remembered_for_more_than_his_share(void **state)
{
	char name[16];

	failure_memory_keep(&memory, 1, NULL, "other", "why", 0);
	for (int i = 0; i < FAILURE_MEMORY_PER_UID_MAX + 2; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		failure_memory_keep(&memory, 1000, NULL, name, "why", 0);
	}
	assert_false(tells(1000, NULL, "v0", 0));
	assert_false(tells(1000, NULL, "v1", 0));
	assert_true(tells(1000, NULL, "v2", 0));
	assert_true(tells(1, NULL, "other", 0));
}

static void the_oldest_makes_room_when_all_is_full(void **state)
{
	for (uid_t uid = 1; uid <= FAILURE_MEMORY_OTHERS_MAX + 1; uid++)
		failure_memory_keep(&memory, uid, NULL, "v", "why", 0);
	assert_false(tells(1, NULL, "v", 0));
	for (uid_t uid = 2; uid <= FAILURE_MEMORY_OTHERS_MAX + 1; uid++)
		assert_true(tells(uid, NULL, "v", 0));
}

/* Eight who have all that one may have. */
static void whoever_fails_seldom_is_not_pushed_out_by_those_who_often_do(void **state)
{
	const uid_t often = 2 + FAILURE_MEMORY_OTHERS_MAX / FAILURE_MEMORY_PER_UID_MAX;
	char name[16];

	failure_memory_keep(&memory, 1, NULL, "seldom", "why", 0);
	for (uid_t uid = 2; uid < often; uid++) {
		for (int i = 0; i < FAILURE_MEMORY_PER_UID_MAX; i++) {
			snprintf(name, sizeof(name), "v%d", i);
			failure_memory_keep(&memory, uid, NULL, name, "why", 0);
		}
	}
	assert_true(tells(1, NULL, "seldom", 0));
	/* He makes room who has had the most, and the longest. */
	assert_false(tells(2, NULL, "v0", 0));
	assert_true(tells(2, NULL, "v1", 0));
	assert_true(tells(3, NULL, "v0", 0));
	failure_memory_keep(&memory, often, NULL, "v", "why", 0);
	assert_true(tells(often, NULL, "v", 0));
	assert_true(tells(2, NULL, "v1", 0));
	assert_false(tells(3, NULL, "v0", 0));
}

/* Under a runtime all containers are root's, and each start is another one. */
static void roots_are_kept_by_the_hundred_and_not_pushed_out_by_others(void **state)
{
	char id[16];

	for (int i = 0; i < FAILURE_MEMORY_ROOT_MAX; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		failure_memory_keep(&memory, 0, id, "data", "why", 0);
	}
	for (uid_t uid = 1; uid <= 2 * FAILURE_MEMORY_MAX; uid++)
		failure_memory_keep(&memory, uid, NULL, "v", "why", 0);
	assert_true(FAILURE_MEMORY_ROOT_MAX >= 256);
	assert_true(tells(0, "c0", "data", 0));
	assert_true(tells(0, id, "data", 0));
	failure_memory_keep(&memory, 0, "one more", "data", "why", 0);
	assert_false(tells(0, "c0", "data", 0));
	assert_true(tells(0, "c1", "data", 0));
	assert_true(tells(2 * FAILURE_MEMORY_MAX, NULL, "v", 0));
}

static void long_words_are_cut(void **state)
{
	char text[2 * FAILURE_MEMORY_TEXT_SIZE];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	failure_memory_keep(&memory, 0, NULL, "v", text, 0);
	assert_true(tells(0, NULL, "v", 0));
	assert_int_equal(strlen(told), strlen("0 s ago: ") + FAILURE_MEMORY_TEXT_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_known_at_first, begin),
		cmocka_unit_test_setup(a_failure_is_told_with_its_age_and_container, begin),
		cmocka_unit_test_setup(it_is_told_under_its_own_key_alone, begin),
		cmocka_unit_test_setup(the_last_one_of_a_name_is_told, begin),
		cmocka_unit_test_setup(a_volume_that_is_made_ends_it, begin),
		cmocka_unit_test_setup(an_hour_ends_it, begin),
		cmocka_unit_test_setup(nobody_is_remembered_for_more_than_his_share, begin),
		cmocka_unit_test_setup(the_oldest_makes_room_when_all_is_full, begin),
		cmocka_unit_test_setup(whoever_fails_seldom_is_not_pushed_out_by_those_who_often_do,
				       begin),
		cmocka_unit_test_setup(roots_are_kept_by_the_hundred_and_not_pushed_out_by_others,
				       begin),
		cmocka_unit_test_setup(long_words_are_cut, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
