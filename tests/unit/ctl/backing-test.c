// SPDX-License-Identifier: Apache-2.0
/*
 * Who has a block device, on a machine that is made up, and what a file with holes may still take.
 */
#include "cmocka-all.h"
#include "ctl/backing.h"
#include "made-root.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static void is_had_by(dev_t device, const char *who, const char *advice)
{
	struct backing_user user;

	backing_find_user(device, made_root, &user);
	assert_string_equal(user.who, who);
	assert_string_equal(user.advice, advice);
}

static void who_has_a_device_is_found(void **state)
{
	made_root_put("/proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
				    "31 20 7:0 /sub /mnt\\040a rw shared:1 - ext4 /dev/loop0 rw\n"
				    "32 20 7:2 / /mnt\\4 rw - ext4 /dev/loop2 rw\n"
				    "33 20 7:3 / /torn\n");
	made_root_put("/proc/swaps", "Filename Type\n/dev/9:9 partition 8 0 -2\n");
	made_root_put("/sys/dev/block/8:16/holders/dm-3/dm/name", "vg-home\n");
	made_root_put("/sys/dev/block/8:32/holders/md0/x", "");
	made_root_put("/sys/dev/block/8:48/sdd1/dev", "8:1\n");
	made_root_put("/sys/dev/block/9:9/x", "");
	is_had_by(makedev(7, 0), "mounted at /mnt a", "umount '/mnt a'");
	is_had_by(makedev(8, 16), "part of /dev/dm-3 (vg-home)",
		  "end what uses that, and then: dmsetup remove vg-home");
	is_had_by(makedev(8, 32), "part of /dev/md0",
		  "end what uses that, and then: mdadm --stop /dev/md0");
	is_had_by(makedev(8, 48), "a partition of it is mounted at /", "umount /");
	is_had_by(makedev(9, 9), "used as swap space", "swapoff /dev/9:9");
	is_had_by(makedev(7, 1), "", "");
	is_had_by(makedev(7, 3), "", "");
	/* Not what the kernel writes: kept as it is. */
	is_had_by(makedev(7, 2), "mounted at /mnt\\4", "umount '/mnt\\4'");
}

#define GIB (INT64_C(1) << 30)

/* A GiB on a file system that has `free_bytes`; blocks 0: and no size. */
static bool is_short(mode_t mode, int64_t has_bytes, uint64_t blocks, int64_t free_bytes)
{
	const struct stat st = { .st_mode = mode, .st_size = GIB, .st_blocks = has_bytes / 512 };
	const struct statvfs fs = { .f_frsize = 4096, .f_blocks = blocks, .f_bfree = blocks,
				    .f_bavail = (fsblkcnt_t)free_bytes / 4096 };
	struct backing_shortage shortage = {};
	bool result = backing_is_short_on(&fs, &st, &shortage);

	assert_int_equal(shortage.needed_bytes, result ? GIB - has_bytes : 0);
	assert_int_equal(shortage.free_bytes, result ? free_bytes : 0);
	return result;
}

static void only_a_file_with_holes_can_be_short(void **state)
{
	assert_true(is_short(S_IFREG, 0, 1 << 20, GIB - 4096));
	assert_true(is_short(S_IFREG, GIB / 2, 1 << 20, GIB / 4));
	assert_false(is_short(S_IFREG, 0, 1 << 20, GIB));
	assert_false(is_short(S_IFREG, GIB / 2, 1 << 20, GIB / 2));
	assert_false(is_short(S_IFREG, GIB, 1 << 20, 0));
	assert_false(is_short(S_IFREG, 2 * GIB, 1 << 20, 0));
	assert_false(is_short(S_IFBLK, 0, 1 << 20, 0));
	assert_false(is_short(S_IFREG, 0, 0, 0));
}

static void a_file_without_holes_is_not_short(void **state)
{
	struct backing_shortage shortage;
	char path[128];

	snprintf(path, sizeof(path), "%s/image", made_root);
	made_root_put("/image", "content");
	assert_false(backing_is_short(path, &shortage));
	assert_false(backing_is_short("/dev/null", &shortage));
	assert_false(backing_is_short("/nonexistent", &shortage));
}

static bool is_full(uint64_t blocks, uint64_t free_blocks, uint64_t of_others)
{
	const struct statvfs fs = { .f_frsize = 4096, .f_blocks = blocks, .f_bfree = free_blocks,
				    .f_bavail = of_others };

	return backing_is_nearly_full(&fs);
}

static void full_is_what_only_root_can_still_write_to(void **state)
{
	assert_true(is_full(1 << 20, 0, 0));
	assert_true(is_full(1 << 20, 1 << 16, 0));
	assert_true(is_full(1 << 20, 100, 100));
	/* An eighth; a hundredth of much; what has no size, such as /proc. */
	assert_false(is_full(1 << 20, 1 << 17, 1 << 17));
	assert_false(is_full(UINT64_C(1) << 32, 1 << 20, 1 << 20));
	assert_false(is_full(0, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_has_a_device_is_found, made_root_set_up,
						made_root_tear_down),
		cmocka_unit_test(only_a_file_with_holes_can_be_short),
		cmocka_unit_test_setup_teardown(a_file_without_holes_is_not_short, made_root_set_up,
						made_root_tear_down),
		cmocka_unit_test(full_is_what_only_root_can_still_write_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
