// SPDX-License-Identifier: Apache-2.0
/*
 * A file system for a volume, which is a file here. Needs mkfs of each kind; what is not installed
 * is skipped.
 */
#include "cmocka-all.h"
#include "ctl/oci-hook/filesystem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct trouble t;
/* How much a file may be written to from when there is a volume on; 0: as much as one likes. */
static rlim_t writable_bytes;

static int ensure_with(const struct request *request, uint64_t size_bytes)
{
	struct device device = {
		.path = "/tmp/dmuser-fs-XXXXXX", .size_bytes = size_bytes, .blank = true
	};
	struct rlimit limit;
	int r;

	memset(&t, 0, sizeof(t));
	device.fd = mkstemp(device.path);
	assert_true(device.fd >= 0);
	assert_return_code(ftruncate(device.fd, (off_t)size_bytes), errno);
	if (writable_bytes > 0) {
		assert_return_code(getrlimit(RLIMIT_FSIZE, &limit), errno);
		limit.rlim_cur = writable_bytes;
		assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);
	}
	r = filesystem_ensure(&device, request, &t);
	close(device.fd);
	unlink(device.path);
	return r;
}

static int ensure(enum request_fs fs, uint64_t size_bytes)
{
	return ensure_with(&(struct request){ .fs = fs }, size_bytes);
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
		      "a volume of 8K is too small for ext4, which needs 128K: "
		      "mkfs.ext4 failed (status 1): ",
		      "Not enough space", "give it size=128K or more");
	assert_int_equal(ensure(REQUEST_FS_EXT4, 128 << 10), 0);
}

static void in_large_blocks_ext4_needs_more(void **state)
{
	struct request request = { .fs = REQUEST_FS_EXT4, .block_size = 4096 };

	if (!is_installed("mkfs.ext4"))
		skip();
	assert_true(ensure_with(&request, 8192) < 0);
	assert_non_null(strstr(t.message, "too small for ext4, which needs 256K: "));
	assert_string_equal(t.hint, "give it size=256K or more");
	request.block_size = 2048;
	assert_true(ensure_with(&request, 8192) < 0);
	assert_string_equal(t.hint, "give it size=128K or more");
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

/* It may write only the first 4K of what it formats. */
static void a_small_volume_that_cannot_be_written_is_not_called_too_small(void **state)
{
	struct rlimit before;
	int r;

	if (!is_installed("mkfs.ext4"))
		skip();
	assert_return_code(getrlimit(RLIMIT_FSIZE, &before), errno);
	signal(SIGXFSZ, SIG_IGN);
	writable_bytes = 4096;
	r = ensure(REQUEST_FS_EXT4, 120 << 10);
	writable_bytes = 0;
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_true(r < 0);
	assert_non_null(strstr(t.message, "File too large"));
	assert_memory_equal(t.message, "mkfs.ext4 failed", strlen("mkfs.ext4 failed"));
	assert_string_equal(t.hint, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_that_is_too_small_for_ext4_is_called_that),
		cmocka_unit_test(in_large_blocks_ext4_needs_more),
		cmocka_unit_test(a_volume_that_is_too_small_for_xfs_is_called_that),
		cmocka_unit_test(a_volume_that_is_too_small_for_btrfs_is_called_that),
		cmocka_unit_test(what_fails_for_another_reason_is_not_called_too_small),
		cmocka_unit_test(a_small_volume_that_cannot_be_written_is_not_called_too_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
