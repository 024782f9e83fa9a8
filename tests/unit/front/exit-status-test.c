// SPDX-License-Identifier: Apache-2.0
/*
 * What dmuserd ends with when it cannot start, as a service manager sees it: the program itself, as far as it
 * gets without a spawner. A spawner of another version is in tests/integration/supervisor.
 *
 * Usage: exit-status-test DMUSERD
 */
#include "test.h"
#include "dmuserd/supervisor/sole.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *dmuserd;
static char directory[64], run_dir[128];

static int set_up(void **state)
{
	strcpy(directory, "/tmp/dmuser-exit-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(run_dir, sizeof(run_dir), "%s/run", directory);
	return mkdir(run_dir, 0755);
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Its reason goes to the journal, where there is one. */
static int status_of(const char *arguments)
{
	char command[1024];
	int status;

	snprintf(command, sizeof(command), "'%s' --set run_dir=%s %s 2>&1", dmuserd, run_dir, arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void what_it_was_told_wrongly_is_2(void **state)
{
	assert_int_equal(status_of("--nonsense"), 2);
	assert_int_equal(status_of("--set volumes_max=none"), 2);
}

static void a_run_dir_that_others_write_in_is_78(void **state)
{
	assert_int_equal(chmod(run_dir, 0777), 0);
	assert_int_equal(status_of(""), 78);
}

static void another_dmuserd_is_78(void **state)
{
	char who[SOLE_HOLDER_SIZE];
	int lock;

	assert_int_equal(sole_in_run_dir(run_dir, &lock, who), 0);
	assert_int_equal(status_of(""), 78);
	close(lock);
}

/* Where one runs, this one ends before it looks for its programs, and as well. */
static void programs_that_are_not_there_are_78(void **state)
{
	assert_int_equal(status_of("--set libexec_dir=/nonexistent"), 78);
}

static void what_may_pass_is_1(void **state)
{
	assert_int_equal(status_of("--set run_dir=/proc/none"), 1);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_it_was_told_wrongly_is_2),
		TEST(a_run_dir_that_others_write_in_is_78),
		TEST(another_dmuserd_is_78),
		TEST(programs_that_are_not_there_are_78),
		TEST(what_may_pass_is_1),
	};

	assert_int_equal(argc, 2);
	dmuserd = argv[1];
	if (geteuid() != 0) {
		printf("dmuserd starts as root alone\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
