// SPDX-License-Identifier: Apache-2.0
/* The pool of worker uids. */
#include "dmuserd/supervisor/uid-pool.h"
#include "tests/unit/volume/test.h"

#include <errno.h>

static int setup(void **state)
{
	return uid_pool_new(1000, 3, (struct uid_pool **)state);
}

static int teardown(void **state)
{
	uid_pool_free(*state);
	return 0;
}

static uid_t take(struct uid_pool *pool)
{
	uid_t uid = 0;

	assert_int_equal(uid_pool_take(pool, &uid), 0);
	return uid;
}

static void no_uid_is_given_twice(void **state)
{
	uid_t a = take(*state), b = take(*state), c = take(*state);

	assert_true(a != b && b != c && a != c);
	assert_in_range(a, 1000, 1002);
	assert_in_range(b, 1000, 1002);
	assert_in_range(c, 1000, 1002);
}

static void an_empty_pool_says_so(void **state)
{
	uid_t uid = 7;

	for (int i = 0; i < 3; i++)
		take(*state);
	assert_int_equal(uid_pool_take(*state, &uid), -EAGAIN);
	assert_int_equal(uid, 7);
}

static void what_was_given_back_is_not_taken_next(void **state)
{
	uid_t first = take(*state);

	uid_pool_release(*state, first);
	assert_int_not_equal(take(*state), first);
}

static void what_was_given_back_is_taken_again_in_the_end(void **state)
{
	uid_t first = take(*state);

	take(*state);
	take(*state);
	uid_pool_release(*state, first);
	assert_int_equal(take(*state), first);
}

static void a_claimed_uid_is_not_given(void **state)
{
	uid_t uid;

	uid_pool_claim(*state, 1000);
	assert_int_equal(take(*state), 1001);
	assert_int_equal(take(*state), 1002);
	assert_int_equal(uid_pool_take(*state, &uid), -EAGAIN);
}

static void uids_outside_the_pool_are_nobodys_business(void **state)
{
	uid_pool_claim(*state, 999);
	uid_pool_claim(*state, 1003);
	uid_pool_release(*state, 5);
	for (int i = 0; i < 3; i++)
		take(*state);
}

static void a_pool_of_none_is_refused(void **state)
{
	struct uid_pool *pool;

	assert_int_equal(uid_pool_new(1000, 0, &pool), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_uid_is_given_twice),
		T(an_empty_pool_says_so),
		T(what_was_given_back_is_not_taken_next),
		T(what_was_given_back_is_taken_again_in_the_end),
		T(a_claimed_uid_is_not_given),
		T(uids_outside_the_pool_are_nobodys_business),
		cmocka_unit_test(a_pool_of_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
