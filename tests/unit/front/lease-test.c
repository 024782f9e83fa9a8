// SPDX-License-Identifier: Apache-2.0
/*
 * Volumes on lease: with which connection they end, what keeps them, and what becomes of those that
 * cannot be released yet or that an earlier supervisor has left.
 */
#include "test.h"
#include "stage.h"

/* Makes a volume on lease for this client. */
static void lease(const struct actor *a, const char *name)
{
	parser_says(a, says_create(name, false), -1);
	fake_create_ends(name, true, NULL);
	assert_non_null(client_hears(a));
	assert_true(parser_has_next(a));
}

static void end(struct actor *a)
{
	parser_says(a, says_end(), -1);
	client_gone(a);
}

static void a_lease_ends_with_its_connection(void **state)
{
	struct actor a = client_new(1000);

	lease(&a, "v");
	assert_int_equal(fake_releases, 0);
	end(&a);
	assert_int_equal(fake_releases, 1);
	fake_release_ends("v", RELEASE_GONE, NULL);
}

static void what_is_kept_stays(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	fake_create_ends("v", true, NULL);
	end(&a);
	assert_int_equal(fake_releases, 0);
}

static void what_is_bound_stays(void **state)
{
	struct actor a = client_new(1000);
	struct parser_message *m;

	lease(&a, "v");
	m = says_volume(PARSER_METHOD_BIND, "v");
	strcpy(m->volume.container.id, "c1");
	parser_says_with_fd(&a, m);
	heard(&a, "\"container\":\"c1\"");
	end(&a);
	assert_int_equal(fake_releases, 0);
}

static void what_two_have_on_lease_stays_for_the_second(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	lease(&a, "v");
	lease(&b, "v");
	end(&a);
	assert_int_equal(fake_releases, 0);
	end(&b);
	assert_int_equal(fake_releases, 1);
}

static void a_create_on_lease_whose_client_has_gone_is_released_again(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", false), -1);
	client_gone(&a);
	assert_int_equal(fake_releases, 0);
	fake_create_ends("v", true, NULL);
	assert_int_equal(fake_releases, 1);
}

static void a_create_that_keeps_goes_on_without_its_client(void **state)
{
	struct actor a = client_new(1000);

	parser_says(&a, says_create("v", true), -1);
	client_gone(&a);
	fake_create_ends("v", true, NULL);
	assert_int_equal(fake_releases, 0);
}

static void a_lease_is_on_that_volume_and_not_on_its_name(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	lease(&a, "v");
	parser_says(&b, says_volume(PARSER_METHOD_RELEASE, "v"), -1);
	fake_release_ends("v", RELEASE_GONE, NULL);
	heard(&b, "\"stage\":\"gone\"");
	fake_volume_add(1000, "v", false, NULL);
	end(&a);
	assert_int_equal(fake_releases, 1);
	end(&b);
}

static void what_an_earlier_supervisor_had_on_lease_is_released(void **state)
{
	front_free(stage.m.front);
	fake_volume_add(1000, "kept", true, NULL);
	fake_volume_add(1000, "bound", false, "c1");
	fake_volume_add(1000, "first", false, NULL);
	fake_volume_add(1000, "second", false, NULL);
	/* One that cannot be released now does not stop the others, or the start. */
	fake_fails_next = FAILURE_OPERATION_PENDING;
	assert_int_equal(front_new(&stage.m, stage.listener, (gid_t)-1, &stage.m.front), 0);
	assert_int_equal(fake_releases, 2);
}

static void what_cannot_be_released_now_is_at_its_next_change(void **state)
{
	struct actor a = client_new(1000);

	lease(&a, "v");
	fake_fails_next = FAILURE_OPERATION_PENDING;
	end(&a);
	assert_int_equal(fake_releases, 1);
	/* Still not; and then it is. */
	fake_fails_next = FAILURE_OPERATION_PENDING;
	fake_volume_changed(volume_find(&stage.m, 1000, NULL, "v"));
	stage_settle();
	assert_int_equal(fake_releases, 2);
	fake_volume_changed(volume_find(&stage.m, 1000, NULL, "v"));
	stage_settle();
	assert_int_equal(fake_releases, 3);
	fake_release_ends("v", RELEASE_GONE, NULL);
	stage_settle();
	assert_int_equal(fake_releases, 3);
}

static void what_somebody_has_taken_meanwhile_is_not_released(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	lease(&a, "v");
	fake_fails_next = FAILURE_OPERATION_PENDING;
	end(&a);
	lease(&b, "v");
	fake_volume_changed(volume_find(&stage.m, 1000, NULL, "v"));
	stage_settle();
	assert_int_equal(fake_releases, 1);
	end(&b);
	assert_int_equal(fake_releases, 2);
}

static void the_end_of_the_supervisor_releases_nothing(void **state)
{
	struct actor a = client_new(1000), b = client_new(1000);

	lease(&a, "v");
	parser_says(&b, says_create("w", false), -1);
	front_free(stage.m.front);
	stage.m.front = NULL;
	assert_int_equal(fake_releases, 0);
	fake_create_ends("w", true, NULL);
	close(a.fd);
	close(b.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lease_ends_with_its_connection),
		TEST(what_is_kept_stays),
		TEST(what_is_bound_stays),
		TEST(what_two_have_on_lease_stays_for_the_second),
		TEST(a_create_on_lease_whose_client_has_gone_is_released_again),
		TEST(a_create_that_keeps_goes_on_without_its_client),
		TEST(a_lease_is_on_that_volume_and_not_on_its_name),
		TEST(what_an_earlier_supervisor_had_on_lease_is_released),
		TEST(what_cannot_be_released_now_is_at_its_next_change),
		TEST(what_somebody_has_taken_meanwhile_is_not_released),
		TEST(the_end_of_the_supervisor_releases_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
