// SPDX-License-Identifier: Apache-2.0
/*
 * A file system for a volume, which is a file here. Needs mkfs of each kind; what is not installed
 * is skipped.
 */
#include "cmocka-all.h"
#include "ctl/oci-hook/filesystem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct trouble t;

static int ensure(enum request_fs fs, uint64_t size_bytes)
{
	struct device device = {
		.path = "/tmp/dmuser-fs-XXXXXX", .size_bytes = size_bytes, .blank = true
	};
	struct request request = { .fs = fs };
	int r;

	memset(&t, 0, sizeof(t));
	device.fd = mkstemp(device.path);
	assert_true(device.fd >= 0);
	assert_return_code(ftruncate(device.fd, (off_t)size_bytes), errno);
	r = filesystem_ensure(&device, &request, &t);
	close(device.fd);
	unlink(device.path);
	return r;
}

static bool is_installed(const char *mkfs)
{
	char path[64];

	snprintf(path, sizeof(path), "/usr/sbin/%s", mkfs);
	if (access(path, X_OK) < 0)
		snprintf(path, sizeof(path), "/sbin/%s", mkfs);
	return access(path, X_OK) == 0;
}

/* words: mkfs's own. */
static void refuses_small(enum request_fs fs, uint64_t size_bytes, const char *sentence,
			  const char *words, const char *hint)
{
	assert_true(ensure(fs, size_bytes) < 0);
	assert_memory_equal(t.message, sentence, strlen(sentence));
	if (!strstr(t.message, words))
		fail_msg("\"%s\" does not say \"%s\"", t.message, words);
	assert_string_equal(t.hint, hint);
}

static void a_volume_that_is_too_small_for_ext4_is_called_that(void **state)
{
	if (!is_installed("mkfs.ext4"))
		skip();
	refuses_small(REQUEST_FS_EXT4, 8192,
		      "a volume of 8K is too small for ext4, which needs 256K: "
		      "mkfs.ext4 failed (status 1): ",
		      "Not enough space", "give it size=256K or more");
	assert_int_equal(ensure(REQUEST_FS_EXT4, 256 << 10), 0);
}

static void a_volume_that_is_too_small_for_xfs_is_called_that(void **state)
{
	if (!is_installed("mkfs.xfs"))
		skip();
	refuses_small(REQUEST_FS_XFS, 16 << 20,
		      "a volume of 16M is too small for xfs, which needs 300M: "
		      "mkfs.xfs failed (status 1): ",
		      "must be larger than 300MB", "give it size=300M or more, or ask for fs=ext4");
	assert_int_equal(ensure(REQUEST_FS_XFS, 300 << 20), 0);
}

static void a_volume_that_is_too_small_for_btrfs_is_called_that(void **state)
{
	if (!is_installed("mkfs.btrfs"))
		skip();
	refuses_small(REQUEST_FS_BTRFS, 16 << 20,
		      "a volume of 16M is too small for btrfs, which needs 109M: "
		      "mkfs.btrfs failed (status 1): ",
		      "minimum size", "give it size=109M or more, or ask for fs=ext4");
	assert_int_equal(ensure(REQUEST_FS_BTRFS, 109 << 20), 0);
}

/* Its name is gone. */
static void what_fails_for_another_reason_is_not_called_too_small(void **state)
{
	struct device device = {
		.path = "/tmp/dmuser-fs-XXXXXX", .size_bytes = 1 << 30, .blank = true
	};
	struct request request = { .fs = REQUEST_FS_EXT4 };

	if (!is_installed("mkfs.ext4"))
		skip();
	memset(&t, 0, sizeof(t));
	device.fd = mkstemp(device.path);
	assert_true(device.fd >= 0);
	assert_return_code(ftruncate(device.fd, (off_t)device.size_bytes), errno);
	unlink(device.path);
	assert_true(filesystem_ensure(&device, &request, &t) < 0);
	assert_memory_equal(t.message, "mkfs.ext4 failed", strlen("mkfs.ext4 failed"));
	assert_string_equal(t.hint, "");
	close(device.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_that_is_too_small_for_ext4_is_called_that),
		cmocka_unit_test(a_volume_that_is_too_small_for_xfs_is_called_that),
		cmocka_unit_test(a_volume_that_is_too_small_for_btrfs_is_called_that),
		cmocka_unit_test(what_fails_for_another_reason_is_not_called_too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
