// SPDX-License-Identifier: Apache-2.0
/*
 * What becomes of a Release: of which volumes it is, how long it may take, when it is answered and
 * with what, and what is told of its reason afterwards.
 */
#include "test.h"
#include "stage.h"

static void a_release_by_name_and_container_is_of_that_one(void **state)
{
	struct actor a = client_new(1000);
	struct volume *kept;

	fake_volume_add(1000, "v", true, "c1");
	kept = fake_volume_add(1000, "v", true, "c2");
	parser_says(&a, says_volume_of(PARSER_METHOD_RELEASE, "v", "c1"), -1);
	assert_int_equal(fake_releases, 1);
	assert_ptr_equal(volume_find(&stage.m, 1000, "c2", "v"), kept);
	assert_int_equal(fake_state(kept), VOLUME_ACTIVE);
	client_gone(&a);
}

static void the_reason_of_a_release_is_told_afterwards(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "");

	fake_volume_add(1000, "v", true, "c1");
	strcpy(m->volume.container.id, "c1");
	strcpy(m->volume.reason, "volume v: formatting: no mkfs.ext4");
	parser_says(&a, m, -1);
	fake_release_ends("v", RELEASE_GONE, NULL);
	heard(&a, "\"stage\":\"gone\"");
	parser_has_next(&a);
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"),
	     "\"last_failure\":\"0 s ago, for container c1: volume v: formatting: no mkfs.ext4\"");
	client_gone(&a);
}

/* By a hook that could not read what was asked of it. */
static void why_a_volume_was_never_asked_for_is_told(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "v");

	strcpy(m->volume.container.id, "c1");
	strcpy(m->volume.reason, "volume v: reading the bundle: mount is missing");
	says(&a, m, "io.dmuser.NoSuchVolume");
	says(&a, says_volume(PARSER_METHOD_DESCRIBE, "v"),
	     "\"last_failure\":\"0 s ago, for container c1: volume v: reading the bundle: mount is missing\"");
	client_gone(&a);
}

static void a_release_has_the_time_that_was_given(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "v");

	fake_volume_add(1000, "v", true, NULL);
	parser_says(&a, m, -1);
	assert_int_equal(fake_release_timeout_ms, stage.m.settings.release_timeout_ms);
	fake_release_ends("v", RELEASE_DEVICE_BUSY, NULL);
	heard(&a, "\"stage\":\"device_busy\",\"holders\":[\"pid 1 (x)\"]");
	assert_true(parser_has_next(&a));
	m->volume.timeout_ms = 0;
	parser_says(&a, m, -1);
	assert_int_equal(fake_release_timeout_ms, 0);
	assert_false(fake_release_unless_open);
	client_gone(&a);
}

static void a_release_leaves_a_volume_in_use_alone_if_asked(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "v");

	fake_volume_add(1000, "v", true, NULL);
	m->volume.unless_open = 1;
	parser_says(&a, m, -1);
	assert_true(fake_release_unless_open);
	client_gone(&a);
}

static void a_container_is_released_as_a_whole(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "");
	const char *text;

	strcpy(m->volume.container.id, "c1");
	fake_volume_add(1000, "a", true, "c1");
	fake_volume_add(1000, "b", true, "c2");
	fake_volume_add(1000, "c", true, "c1");
	fake_volume_add(1001, "d", true, "c1");
	parser_says(&a, m, -1);
	assert_int_equal(fake_releases, 2);
	fake_release_ends("a", RELEASE_GONE, NULL);
	assert_null(client_hears(&a));
	fake_release_ends("c", RELEASE_GONE, NULL);
	text = client_hears(&a);
	assert_non_null(text);
	assert_non_null(strstr(text, "{\"name\":\"a\",\"owner\":1000,\"stage\":\"gone\""));
	assert_non_null(strstr(text, "{\"name\":\"c\",\"owner\":1000,\"stage\":\"gone\""));
	client_gone(&a);
}

static void a_release_that_fails_says_why(void **state)
{
	struct actor a = client_new(1000);
	struct failure failure;

	fake_volume_add(1000, "v", true, NULL);
	fake_fails_next = FAILURE_OPERATION_PENDING;
	says(&a, says_volume(PARSER_METHOD_RELEASE, "v"), "OperationPending");
	parser_says(&a, says_volume(PARSER_METHOD_RELEASE, "v"), -1);
	failure_set(&failure, FAILURE_TIMED_OUT, "worker", "it does not end");
	fake_release_ends("v", RELEASE_GONE, &failure);
	heard(&a, "io.dmuser.TimedOut\",\"parameters\":{\"stage\":\"worker\"}");
	assert_true(parser_has_next(&a));
	client_gone(&a);
}

static void of_a_container_s_volumes_the_one_that_fails_is_named(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m = says_volume(PARSER_METHOD_RELEASE, "");
	struct failure failure;

	strcpy(m->volume.container.id, "c1");
	m->volume.unless_open = 1;
	fake_volume_add(1000, "a", true, "c1");
	fake_volume_add(1000, "b", true, "c1");
	parser_says(&a, m, -1);
	failure_set(&failure, FAILURE_VOLUME_BUSY, NULL, "open");
	fake_release_ends("b", RELEASE_GONE, &failure);
	fake_release_ends("a", RELEASE_GONE, NULL);
	heard(&a, "io.dmuser.VolumeBusy\",\"parameters\":{\"name\":\"b\"");
	client_gone(&a);
}

static void a_release_goes_on_without_its_client(void **state)
{
	struct actor a = client_new(1000);

	fake_volume_add(1000, "v", true, NULL);
	parser_says(&a, says_volume(PARSER_METHOD_RELEASE, "v"), -1);
	client_gone(&a);
	fake_release_ends("v", RELEASE_GONE, NULL);
	assert_null(volume_find(&stage.m, 1000, NULL, "v"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_release_by_name_and_container_is_of_that_one),
		TEST(the_reason_of_a_release_is_told_afterwards),
		TEST(why_a_volume_was_never_asked_for_is_told),
		TEST(a_release_has_the_time_that_was_given),
		TEST(a_release_leaves_a_volume_in_use_alone_if_asked),
		TEST(a_container_is_released_as_a_whole),
		TEST(a_release_that_fails_says_why),
		TEST(of_a_container_s_volumes_the_one_that_fails_is_named),
		TEST(a_release_goes_on_without_its_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
