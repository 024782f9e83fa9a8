// SPDX-License-Identifier: Apache-2.0
/* Who holds a device, asked of the real /proc: about file systems that every machine has. */
#include "dmuserd/supervisor/holders.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct {
	sd_event *event;
	bool done;
	struct holders holders;
} t;

static void on_holders(void *userdata, const struct holders *holders)
{
	t.done = true;
	t.holders = *holders;
}

static int begin(void **state)
{
	memset(&t, 0, sizeof(t));
	t.event = new_loop();
	return 0;
}

static int end(void **state)
{
	sd_event_unref(t.event);
	return 0;
}

static void look_under(struct holders_request request)
{
	struct holders_call *call;

	assert_return_code(holders_start(t.event, &request, TEST_DEADLINE_MS, on_holders, NULL, &call), 0);
	run_until_flag(t.event, &t.done);
}

static void look_for(dev_t devno)
{
	look_under((struct holders_request){ .devno = devno });
}

static void a_mount_is_told_with_its_place(void **state)
{
	struct stat st;
	unsigned int pid;
	char where[64];

	assert_return_code(stat("/proc", &st), errno);
	look_for(st.st_dev);
	assert_in_range(t.holders.n, 1, RELEASE_HOLDERS_MAX);
	assert_int_equal(sscanf(holders_first(&t.holders), "mount %63s (pid %u)", where, &pid), 2);
	assert_int_equal(where[0], '/');
	assert_true(pid > 0);
}

/* Two of the longest names, and what is above them. */
static void a_mount_is_told_with_its_whole_place(void **state)
{
	char where[PATH_MAX], wanted[PATH_MAX + 16], *directory;
	struct stat st;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	directory = make_directory();
	snprintf(where, sizeof(where), "%s/%0200d", directory, 1);
	assert_return_code(mkdir(where, 0700), errno);
	snprintf(where, sizeof(where), "%s/%0200d/%0200d", directory, 1, 2);
	assert_return_code(mkdir(where, 0700), errno);
	assert_return_code(mount("dmuser-test", where, "tmpfs", 0, NULL), errno);
	assert_return_code(stat(where, &st), errno);
	look_for(st.st_dev);
	umount2(where, MNT_DETACH);
	remove_directory(directory);
	snprintf(wanted, sizeof(wanted), "mount %s (pid ", where);
	assert_int_equal(t.holders.n, 1);
	assert_memory_equal(holders_first(&t.holders), wanted, strlen(wanted));
}

static void what_nobody_has_is_held_by_nobody(void **state)
{
	look_for(makedev(4095, 1048575));
	assert_int_equal(t.holders.n, 0);
}

/*
 * In a mount namespace of the test's own, where /proc/swaps is a file that it wrote. What is swapped
 * to as a file is no device, and is not even looked at.
 */
static void swap_space_is_told_with_what_ends_it(void **state)
{
	char node[300], swaps[300], *directory;
	FILE *f;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	directory = make_directory();
	snprintf(node, sizeof(node), "%s/a b", directory);
	snprintf(swaps, sizeof(swaps), "%s/swaps", directory);
	if (mknod(node, S_IFBLK | 0600, makedev(4095, 1048575)) < 0) {
		remove_directory(directory);
		skip();
	}
	f = fopen(swaps, "we");
	assert_non_null(f);
	fprintf(f, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		   "/dev/null                               partition\t8\t\t0\t\t-2\n"
		   "%s/a\\040b  file\t\t8\t\t0\t\t-4\n"
		   "%s/a\\040b  partition\t8\t\t0\t\t-3\n", directory, directory);
	fclose(f);
	assert_return_code(mount(swaps, "/proc/swaps", NULL, MS_BIND, NULL), errno);
	look_for(makedev(4095, 1048575));
	umount2("/proc/swaps", MNT_DETACH);
	remove_directory(directory);
	assert_int_equal(t.holders.n, 1);
	assert_string_equal(holders_first(&t.holders), "swap /dev/dm-1048575");
}

/* A block device cannot be opened everywhere, a volume's name and processes can be told anyway. */
static void a_volume_above_is_told_by_name(void **state)
{
	struct holders_request request = {
		.devno = makedev(4095, 1048575),
		.n_volumes = 1,
		.volumes = { { .text = "volume b of uid 0", .worker = getpid() } },
	};

	look_under(request);
	assert_int_equal(t.holders.n, 1);
	assert_string_equal(holders_first(&t.holders), "volume b of uid 0");
}

static void without_time_to_look_nobody_is_named(void **state)
{
	struct holders_request request = { .devno = makedev(4095, 1048575) };
	struct holders_call *call;

	assert_return_code(holders_start(t.event, &request, 0, on_holders, NULL, &call), 0);
	run_until_flag(t.event, &t.done);
	assert_int_equal(t.holders.n, 0);
}

static void who_does_not_ask_any_more_hears_nothing(void **state)
{
	size_t fds = count_fds();
	struct holders_request request = { .devno = makedev(4095, 1048575) };
	struct holders_call *call;

	assert_return_code(
		holders_start(t.event, &request, TEST_DEADLINE_MS, on_holders, NULL, &call), 0);
	holders_cancel(call);
	holders_cancel(NULL);
	run_until_fds(t.event, fds);
	assert_false(t.done);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_mount_is_told_with_its_place),
		T(a_mount_is_told_with_its_whole_place),
		T(what_nobody_has_is_held_by_nobody),
		T(swap_space_is_told_with_what_ends_it),
		T(a_volume_above_is_told_by_name),
		T(without_time_to_look_nobody_is_named),
		T(who_does_not_ask_any_more_hears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
