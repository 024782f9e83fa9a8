// SPDX-License-Identifier: Apache-2.0
/* What is said when the path of a volume cannot be taken: what is wrong with it, and what to do. */
#include "cmocka-all.h"
#include "ctl/inquiry.h"
#include "ctl/object.h"
#include "explained.h"
#include "util/cleanup.h"

#include <string.h>

#define REFUSED_PATH(size)                                                                         \
	FILE_BACKED(",\"options\":{\"path\":\"/srv/a b/x\"}" size)

/* What dmuserd says, who asked and with what, and what they are told to do. */
static void each_refusal_of_a_path_has_the_hint_that_fits(void **state)
{
	static const char sized[] = REFUSED_PATH(",\"size_bytes\":1048576"),
			  plain[] = REFUSED_PATH("");
	static const struct {
		bool is_root;
		const char *request, *reason, *hint;
	} cases[] = {
		{ true, plain, "P is in use by the kernel, as swap space", "swapoff '/srv/a b/x'" },
		{ true, plain, "P is in use by /dev/loop3", "losetup -j '/srv/a b/x'" },
		{ true, plain, "P is in use by pid 12, which has locked it", "lslocks" },
		{ true, sized, "P has 4096 bytes, fewer than the 1048576 asked for",
		  "truncate -s 1M '/srv/a b/x'" },
		{ true, sized, "P has 4096 bytes, fewer than the 1048576 asked for",
		  "--size 4K has all of it" },
		{ true, plain, "P is neither a regular file nor a block device",
		  "ls -ld '/srv/a b/x'" },
		{ true, sized, "cannot make P: No such file or directory", "mkdir -p '/srv/a b'" },
		{ true, plain, "cannot open P: No such file or directory",
		  "if --size says how large" },
		{ false, plain, "cannot open P: No such file or directory",
		  "truncate -s 64M '/srv/a b/x'" },
		{ false, sized, "cannot open P: No such file or directory",
		  "truncate -s 1M '/srv/a b/x'" },
		{ true, sized, "cannot open P: Not a directory", "namei -l '/srv/a b/x'" },
		{ true, plain, "P is a symbolic link; name the file itself", "readlink -f" },
		{ false, plain, "P does not belong to uid 7", "chown" },
		{ false, plain, "P may not be read and written by its owner", "chmod u+rw" },
		{ false, plain, "P may not be read by its owner", "chmod u+r '" },
		{ true, sized, "P does not exist, and a read-only volume needs its content",
		  "--read-only" },
		{ true, plain, "P is empty", "truncate -s 64M" },
		{ true, sized, "P is empty", "truncate -s 1M" },
		{ true, plain, "P has 100 bytes, fewer than one block of 512", "enlarge it" },
		{ true, plain,
		  "P has 1000 bytes, which is no multiple of the block size 512; the "
		  "size 512 can be asked for",
		  "--size 512: what lies behind" },
		{ true, plain,
		  "/srv/ has 9 bytes x has 100 bytes, and a volume of this backend "
		  "has at least 4096",
		  "truncate -s 4K '/srv/a b/x'" },
		{ true, sized, "P has 100 bytes, and a volume of this backend has at least 4096",
		  "truncate -s 1M '/srv/a b/x'" },
		{ true, plain, "cannot open P: Operation not permitted", "lsattr '/srv/a b/x'" },
		{ true, sized, "cannot make P: Operation not permitted", "lsattr -d '/srv/a b'" },
		{ true, plain, "cannot open P: Text file busy", "it is a program that runs" },
		{ true, plain, "cannot open P: Read-only file system",
		  "it can be had with --read-only" },
		{ true, sized, "cannot make P: Read-only file system", "choose another place" },
		{ true, sized, "cannot make P 1048576 bytes long: No space left on device",
		  "df -h '/srv/a b'" },
		{ true, plain, "must be an absolute path", "\"$PWD\"/" },
		{ true, plain, "must be a number of bytes, written in plain digits",
		  "-o path=64M" },
		{ true, plain, "something new", "'dmuserctl backends file' lists" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char parameters[256];
		struct explanation e;

		snprintf(parameters, sizeof(parameters), "{\"option\":\"path\",\"reason\":\"%s\"}",
			 cases[i].reason);
		e = explained_to(cases[i].is_root, cases[i].request, "io.dmuser.InvalidOption",
				 parameters);
		if (!strstr(e.hint, cases[i].hint))
			fail_msg("'%s': no '%s' in '%s'", cases[i].reason, cases[i].hint, e.hint);
		assert_non_null(strstr(e.sentence, cases[i].reason));
	}
}

static void what_has_a_backing_is_told_how_to_end(void **state)
{
	struct explanation e;

	e = explained_to(true, REFUSED_PATH(""), "io.dmuser.BackingInUse",
			 "{\"option\":\"path\",\"reason\":\"/x is in use: mounted, part of another "
			 "device\"}");
	assert_non_null(strstr(e.hint, "lsblk '/srv/a b/x'"));
	e = explained_to(true, REFUSED_PATH(""), "io.dmuser.BackingInUse",
			 "{\"option\":\"path\",\"reason\":\"/x is in use by another volume\"}");
	assert_non_null(strstr(e.hint, "release that volume"));
	assert_int_equal(e.exit_code, EXIT_BUSY);
}

static void what_is_in_use_is_named_as_it_was_given(void **state)
{
	struct explanation e = explained_to(true, FILE_BACKED(",\"options\":{\"path\":\"/x\"}"),
					    "io.dmuser.BackingInUse",
					    "{\"option\":\"path\",\"reason\":\"/x is in use\"}");

	assert_string_equal(e.sentence, "-o path=/x cannot be taken: /x is in use");
	assert_int_equal(e.exit_code, EXIT_BUSY);
}

static struct explanation explained_of(enum backing_kind backing, bool sized, const char *path,
				       const char *reason)
{
	struct inquiry found = { .backing = backing };
	struct circumstances c = { .is_root = true,
				   .words = WORDS_OF_COMMAND_LINE,
				   .found = &found };
	struct json_object *p = object_new(), *options = object_new();
	struct explanation e;

	c.request = object_new();
	object_set_string(c.request, "backend", "file");
	object_set_string(options, "path", path);
	object_set(c.request, "options", options);
	if (sized)
		object_set_int(c.request, "size_bytes", 1048576);
	object_set_string(p, "option", "path");
	object_set_string(p, "reason", reason);
	explain_reply_in(&c, "io.dmuser.InvalidOption", p, &e);
	json_object_put(c.request);
	json_object_put(p);
	return e;
}

static void nobody_is_told_to_truncate_a_device(void **state)
{
	static const char *const reasons[] = {
		"P has 4096 bytes, fewer than the 1048576 asked for",
		"P is empty",
		"P has 100 bytes, fewer than one block of 512",
		"P has 100 bytes, and a volume of this backend has at least 4096",
		"P has 1000 bytes, which is no multiple of the block size 512",
		"cannot open P: No such file",
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(reasons); i++) {
		struct explanation e =
			explained_of(BACKING_BLOCK_DEVICE, i % 2, "/x", reasons[i / 2]);

		if (strstr(e.hint, "truncate") || !e.hint[0] ||
		    strstr(e.hint, "'dmuserctl backends"))
			fail_msg("'%s': '%s'", reasons[i / 2], e.hint);
		/* What cannot be seen, and lies in /dev, is taken for one. */
		e = explained_of(BACKING_UNKNOWN, i % 2, "/dev/sdx", reasons[i / 2]);
		assert_null(strstr(e.hint, "truncate"));
	}
}

/* That is what fits into a reason of dmuserd's: whatever comes behind is lost. */
#define REASON_LENGTH_MAX 255

static struct explanation explained_behind_a_long_path(size_t length, const char *reason)
{
	char text[REASON_LENGTH_MAX + 1];

	memset(text, 'p', sizeof(text));
	snprintf(text + length - strlen(reason), strlen(reason) + 1, "%s", reason);
	return explained_of(BACKING_FILE, true, "/x", text);
}

static void a_number_that_is_not_told_is_not_made_up(void **state)
{
	static const char *const reasons[] = {
		"P has fewer than the bytes asked for",
		"P is fewer than the 1048576 asked for",
		"P has 100 bytes, fewer than the 1048576 asked for",
		"its size is no multiple of the block size",
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		assert_string_equal(explained_of(BACKING_FILE, true, "/x", reasons[i]).hint,
				    "'dmuserctl backends file' lists what the backend takes");
	assert_string_equal(explained_of(BACKING_FILE, false, "/x",
					 "a volume of this backend has at least some")
				    .hint,
			    "'dmuserctl backends file' lists what the backend takes");
	/* Of a reason that was cut, the number may be half of one. */
	assert_non_null(strstr(explained_behind_a_long_path(REASON_LENGTH_MAX - 1, " has 4096, no "
										   "multiple of "
							    "the block size").hint, "--size 4K"));
	assert_string_equal(explained_behind_a_long_path(REASON_LENGTH_MAX, " has 4096, no "
							 "multiple of the block size").hint,
			    "'dmuserctl backends file' lists what the backend takes");
}

static void what_is_no_backing_is_called_what_it_is(void **state)
{
	static const char reason[] = "P is neither a regular file nor a block device";

	assert_non_null(
		strstr(explained_of(BACKING_CHARACTER_DEVICE, false, "/dev/null", reason).hint,
		       "/dev/null is a character device"));
	assert_string_equal(explained_of(BACKING_DIRECTORY, false, "/srv", reason).hint,
			    "give an image in it, such as /srv/disk.img");
	assert_string_equal(explained_of(BACKING_DIRECTORY, false, "/srv/a b//", reason).hint,
			    "give an image in it, such as '/srv/a b/disk.img'");
	assert_string_equal(explained_of(BACKING_DIRECTORY, false, "/", reason).hint,
			    "give an image in it, such as /disk.img");
	assert_non_null(
		strstr(explained_of(BACKING_OTHER, false, "/fifo", reason).hint, "ls -ld /fifo"));
	assert_non_null(strstr(explained_of(BACKING_BLOCK_DEVICE, false, "/dev/x",
					    "cannot open P: Read-only file system")
				       .hint,
			       "blockdev --setrw"));
}

static void who_has_a_device_is_named_with_what_ends_that(void **state)
{
	struct inquiry found = { .backing = BACKING_BLOCK_DEVICE,
				 .user = { "mounted at /mnt", "umount /mnt" } };
	struct circumstances c = { .words = WORDS_OF_COMMAND_LINE, .found = &found };
	struct json_object *p = json_tokener_parse("{\"option\":\"path\",\"reason\":\"/x is in "
						   "use: mounted, part of another device, or a "
						   "volume's\"}");
	struct explanation e;

	c.request = json_tokener_parse(FILE_BACKED(",\"options\":{\"path\":\"/x\"}"));
	explain_reply_in(&c, "io.dmuser.BackingInUse", p, &e);
	assert_string_equal(e.sentence, "-o path=/x cannot be taken: it is in use: mounted at "
					"/mnt");
	assert_string_equal(e.hint, "umount /mnt; or choose another device");
	json_object_put(c.request);
	json_object_put(p);
}

static enum backing_kind backing_after(const char *error)
{
	struct json_object *request =
		json_tokener_parse(FILE_BACKED(","
					       "\"options\":{\"path\":\"/\"}"));
	struct json_object *of_no_volume = object_new();
	struct inquiry found;
	enum backing_kind backing;

	inquire(NULL, false, error, of_no_volume, request, &found);
	backing = found.backing;
	inquiry_done(&found);
	json_object_put(of_no_volume);
	json_object_put(request);
	return backing;
}

static void a_backing_is_looked_at_only_for_what_it_explains(void **state)
{
	assert_int_equal(backing_after("io.dmuser.InvalidOption"), BACKING_DIRECTORY);
	assert_int_equal(backing_after("io.dmuser.InvalidSize"), BACKING_DIRECTORY);
	assert_int_equal(backing_after("io.dmuser.BackingInUse"), BACKING_DIRECTORY);
	assert_int_equal(backing_after("io.dmuser.QuotaExceeded"), BACKING_UNKNOWN);
	assert_int_equal(backing_after("io.dmuser.NoSuchBackend"), BACKING_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_of_a_path_has_the_hint_that_fits),
		cmocka_unit_test(what_has_a_backing_is_told_how_to_end),
		cmocka_unit_test(what_is_in_use_is_named_as_it_was_given),
		cmocka_unit_test(nobody_is_told_to_truncate_a_device),
		cmocka_unit_test(a_number_that_is_not_told_is_not_made_up),
		cmocka_unit_test(what_is_no_backing_is_called_what_it_is),
		cmocka_unit_test(who_has_a_device_is_named_with_what_ends_that),
		cmocka_unit_test(a_backing_is_looked_at_only_for_what_it_explains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
