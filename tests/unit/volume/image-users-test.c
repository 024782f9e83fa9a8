// SPDX-License-Identifier: Apache-2.0
/* Who else uses an image, in a /proc/swaps and a /sys/block of the test's own. */
#include "dmuserd/supervisor/image-users.h"
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static struct {
	char *directory;
	char image[300], swaps[300], sys_block[300];
	struct image_places places;
	int fd;
} t;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	t.directory = make_directory();
	snprintf(t.image, sizeof(t.image), "%s/an image", t.directory);
	snprintf(t.swaps, sizeof(t.swaps), "%s/swaps", t.directory);
	snprintf(t.sys_block, sizeof(t.sys_block), "%s/block", t.directory);
	t.places = (struct image_places){ .swaps = t.swaps, .sys_block = t.sys_block };
	put(t.image, "");
	put(t.swaps, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		     "/dev/zram0                              partition\t1\t\t0\t\t-2\n");
	assert_return_code(mkdir(t.sys_block, 0700), errno);
	t.fd = open(t.image, O_RDWR | O_CLOEXEC);
	return t.fd < 0;
}

static int teardown(void **state)
{
	close(t.fd);
	remove_directory(t.directory);
	return 0;
}

static const char *user(bool read_only)
{
	static char by[64];

	return image_is_used(&t.places, t.fd, read_only, sizeof(by), by) ? by : NULL;
}

static void what_nobody_uses_is_free(void **state)
{
	assert_null(user(false));
	t.places = (struct image_places){ .swaps = "/nowhere/swaps", .sys_block = "/nowhere/block" };
	assert_null(user(false));
}

static void swap_space_is_the_kernels(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), "Filename\n%s/other file 1 0 -2\n%s/an\\040image file 1 0 -2\n",
		 t.directory, t.directory);
	put(t.swaps, text);
	assert_string_equal(user(false), "the kernel, as swap space");
	assert_string_equal(user(true), "the kernel, as swap space");
}

static void a_loop_devices_file_is_named_by_the_device(void **state)
{
	char path[512], text[512];

	snprintf(path, sizeof(path), "%s/loop7", t.sys_block);
	assert_return_code(mkdir(path, 0700), errno);
	/* One without a file. */
	assert_null(user(false));
	snprintf(path, sizeof(path), "%s/loop7/loop", t.sys_block);
	assert_return_code(mkdir(path, 0700), errno);
	snprintf(path, sizeof(path), "%s/loop7/loop/backing_file", t.sys_block);
	snprintf(text, sizeof(text), "%s\n", t.image);
	put(path, text);
	assert_string_equal(user(false), "/dev/loop7");
	snprintf(path, sizeof(path), "%s/loop7/ro", t.sys_block);
	put(path, "0\n");
	assert_string_equal(user(true), "/dev/loop7");
	put(path, "1\n");
	assert_null(user(true));
	assert_string_equal(user(false), "/dev/loop7");
}

static void a_lock_of_another_program_counts(void **state)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	int other = open(t.image, O_RDWR | O_CLOEXEC);

	assert_return_code(fcntl(other, F_OFD_SETLK, &lock), errno);
	assert_string_equal(user(false), "a program that has locked it");
	assert_null(user(true));
	lock.l_type = F_WRLCK;
	assert_return_code(fcntl(other, F_OFD_SETLK, &lock), errno);
	assert_string_equal(user(true), "a program that has locked it");
	close(other);
	assert_null(user(false));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_nobody_uses_is_free),
		T(swap_space_is_the_kernels),
		T(a_loop_devices_file_is_named_by_the_device),
		T(a_lock_of_another_program_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
