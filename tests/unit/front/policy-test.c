// SPDX-License-Identifier: Apache-2.0
/* Who may do what. */
#include "test.h"
#include "dmuserd/supervisor/policy.h"

static const struct peer root = { .uid = 0 };
static const struct peer member = { .uid = 1000, .gid = 1000, .in_group = true };
static const struct peer stranger = { .uid = 1001, .gid = 1001 };

static struct settings s;
static struct failure failure;

static int prepare(void **state)
{
	settings_init(&s);
	failure = (struct failure){};
	return 0;
}

/* setting: the key that an administrator has to change. */
static void exceeded(int r, const char *resource, const char *setting, uint64_t limit)
{
	assert_int_equal(r, -EDQUOT);
	assert_int_equal(failure.kind, FAILURE_QUOTA_EXCEEDED);
	assert_string_equal(failure.subject, resource);
	assert_true(failure.limit == limit);
	assert_string_equal(failure.setting, setting);
	assert_non_null(strstr(failure.reason, setting));
}

static void root_and_members_are_served_and_nobody_else(void **state)
{
	assert_int_equal(policy_serves(&root, &failure), 0);
	assert_int_equal(policy_serves(&member, &failure), 0);
	assert_int_equal(policy_serves(&stranger, &failure), -EPERM);
	assert_int_equal(failure.kind, FAILURE_PERMISSION_DENIED);
}

static void a_uid_has_a_limit_of_connections(void **state)
{
	struct connection_usage usage = { .all = 70, .of_uid = s.connections_per_uid_max - 1 };

	assert_int_equal(policy_connect(&s, &member, &usage, &failure), 0);
	usage.of_uid++;
	exceeded(policy_connect(&s, &member, &usage, &failure), "connections", "connections_per_uid_max",
		 s.connections_per_uid_max);
	assert_int_equal(policy_connect(&s, &root, &usage, &failure), 0);
}

static void others_leave_some_connections_to_root(void **state)
{
	struct connection_usage usage = { .all = s.connections_max - s.connections_max / 16 };

	exceeded(policy_connect(&s, &member, &usage, &failure), "connections", "connections_max", usage.all);
	assert_non_null(strstr(failure.reason, "a sixteenth is kept"));
	assert_int_equal(policy_connect(&s, &root, &usage, &failure), 0);
	usage.all = s.connections_max;
	exceeded(policy_connect(&s, &root, &usage, &failure), "connections", "connections_max", s.connections_max);
	assert_null(strstr(failure.reason, "sixteenth"));
}

static void the_caller_is_the_owner_unless_it_says_otherwise(void **state)
{
	uid_t owner = 99;

	assert_int_equal(policy_owner(&member, PARSER_UNSET, &owner), 0);
	assert_int_equal(owner, 1000);
	assert_int_equal(policy_owner(&root, PARSER_UNSET, &owner), 0);
	assert_int_equal(owner, 0);
	assert_int_equal(policy_owner(&member, 1000, &owner), 0);
	assert_int_equal(owner, 1000);
}

static void only_root_sees_what_belongs_to_others(void **state)
{
	uid_t owner = 99;

	assert_int_equal(policy_owner(&root, 1000, &owner), 0);
	assert_int_equal(owner, 1000);
	assert_int_equal(policy_owner(&member, 0, &owner), -ENOENT);
	assert_int_equal(policy_owner(&member, 1001, &owner), -ENOENT);
	assert_true(policy_sees(&root, 1000));
	assert_true(policy_sees(&member, 1000));
	assert_false(policy_sees(&member, 0));
}

static void volumes_have_a_limit_in_all_and_for_a_uid(void **state)
{
	struct volume_usage usage = { .of_uid = s.volumes_per_uid_max };

	exceeded(policy_create(&s, &member, &usage, 0, &failure), "volumes", "volumes_per_uid_max", s.volumes_per_uid_max);
	assert_int_equal(policy_create(&s, &root, &usage, 0, &failure), 0);
	usage = (struct volume_usage){ .all = s.volumes_max };
	exceeded(policy_create(&s, &member, &usage, 0, &failure), "volumes", "volumes_max", s.volumes_max);
	exceeded(policy_create(&s, &root, &usage, 0, &failure), "volumes", "volumes_max", s.volumes_max);
}

static void memory_has_a_limit_for_a_uid(void **state)
{
	struct volume_usage usage = { .bytes_of_uid = s.volume_bytes_per_uid_max - 512 };

	assert_int_equal(policy_create(&s, &member, &usage, 512, &failure), 0);
	exceeded(policy_create(&s, &member, &usage, 1024, &failure), "bytes", "volume_bytes_per_uid_max",
		 s.volume_bytes_per_uid_max);
	exceeded(policy_create(&s, &member, &usage, UINT64_MAX, &failure), "bytes", "volume_bytes_per_uid_max",
		 s.volume_bytes_per_uid_max);
	assert_int_equal(policy_create(&s, &root, &usage, 1024, &failure), 0);
	/* The limit was lowered meanwhile. */
	usage.bytes_of_uid = s.volume_bytes_per_uid_max + 1;
	exceeded(policy_create(&s, &member, &usage, 0, &failure), "bytes", "volume_bytes_per_uid_max",
		 s.volume_bytes_per_uid_max);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(root_and_members_are_served_and_nobody_else, prepare),
		cmocka_unit_test_setup(a_uid_has_a_limit_of_connections, prepare),
		cmocka_unit_test_setup(others_leave_some_connections_to_root, prepare),
		cmocka_unit_test_setup(the_caller_is_the_owner_unless_it_says_otherwise, prepare),
		cmocka_unit_test_setup(only_root_sees_what_belongs_to_others, prepare),
		cmocka_unit_test_setup(volumes_have_a_limit_in_all_and_for_a_uid, prepare),
		cmocka_unit_test_setup(memory_has_a_limit_for_a_uid, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
