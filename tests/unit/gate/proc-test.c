// SPDX-License-Identifier: Apache-2.0
/*
 * What the gate reads of /proc: texts as kernels write them, and texts that must not pass for
 * those.
 */
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cmocka.h>

static const char sealed[] = "Name:\tdmuser-backend\n"
			     "Umask:\t0077\n"
			     "State:\tS (sleeping)\n"
			     "Tgid:\t187\n"
			     "Ngid:\t0\n"
			     "Pid:\t187\n"
			     "PPid:\t180\n"
			     "TracerPid:\t0\n"
			     "Uid:\t200000\t200000\t200000\t200000\n"
			     "Gid:\t200001\t200001\t200001\t200001\n"
			     "FDSize:\t128\n"
			     "Groups:\t \n"
			     "NStgid:\t187\t1\n"
			     "VmPeak:\t    4096 kB\n"
			     "VmLck:\t    2312 kB\n"
			     "Threads:\t2\n"
			     "SigBlk:\t0000000000000001\n"
			     "SigIgn:\t0000000000001000\n"
			     "SigCgt:\t0000000100000000\n"
			     "CapInh:\t0000000000000000\n"
			     "CapPrm:\t0000000000000002\n"
			     "CapEff:\t0000000000000004\n"
			     "CapBnd:\t000001ffffffffff\n"
			     "CapAmb:\t0000000000000008\n"
			     "NoNewPrivs:\t1\n"
			     "Seccomp:\t2\n"
			     "Seccomp_filters:\t3\n"
			     "Speculation_Store_Bypass:\tvulnerable\n";

/* The text above with the first `from` made `to`. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(sealed, from);
	char *text = malloc(sizeof(sealed) + strlen(to));

	assert_non_null(at);
	assert_non_null(text);
	sprintf(text, "%.*s%s%s", (int)(at - sealed), sealed, to, at + strlen(from));
	return text;
}

static void refuses_status(const char *from, const char *to)
{
	_cleanup_(freep) char *text = changed(from, to);
	struct proc_status s = { .tgid = 42 };

	if (proc_parse_status(text, &s) != -EBADMSG)
		fail_msg("\"%s\" in the place of \"%s\" was taken", to, from);
	/* Written only on success. */
	assert_int_equal(s.tgid, 42);
}

static void status_is_read_field_by_field(void **state)
{
	struct proc_status s;

	assert_int_equal(proc_parse_status(sealed, &s), 0);
	assert_int_equal(s.tgid, 187);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(s.uid[i], 200000);
		assert_int_equal(s.gid[i], 200001);
	}
	assert_int_equal(s.n_groups, 0);
	assert_int_equal(s.umask, 077);
	assert_int_equal(s.locked_kb, 2312);
	assert_int_equal(s.signals_blocked, 1);
	assert_int_equal(s.signals_ignored, 0x1000);
	assert_int_equal(s.inheritable, 0);
	assert_int_equal(s.permitted, 2);
	assert_int_equal(s.effective, 4);
	assert_int_equal(s.bounding, 0x1ffffffffff);
	assert_int_equal(s.ambient, 8);
	assert_int_equal(s.no_new_privs, 1);
	assert_int_equal(s.seccomp_mode, 2);
	assert_int_equal(s.seccomp_filters, 3);
}

static void status_counts_groups(void **state)
{
	_cleanup_(freep) char *text = changed("Groups:\t ", "Groups:\t4 24 27 ");
	struct proc_status s;

	assert_int_equal(proc_parse_status(text, &s), 0);
	assert_int_equal(s.n_groups, 3);
}

static void status_refuses_a_missing_field(void **state)
{
	static const char *const fields[] = {
		"Tgid:",   "Uid:",	  "Gid:",     "Groups:",	  "Umask:",  "VmLck:",
		"SigBlk:", "SigIgn:",	  "CapInh:",  "CapPrm:",	  "CapEff:", "CapBnd:",
		"CapAmb:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		refuses_status(fields[i], "Other:");
}

static void status_refuses_a_field_that_is_given_twice(void **state)
{
	refuses_status("Ngid:\t0\n", "Seccomp_filters:\t3\n");
	refuses_status("Ngid:\t0\n", "CapBnd:\t0000000000000000\n");
	refuses_status("Ngid:\t0\n", "Groups:\t\n");
}

static void status_refuses_a_misshapen_field(void **state)
{
	refuses_status("Uid:\t200000\t200000\t200000\t200000", "Uid:\t200000\t200000\t200000");
	refuses_status("Uid:\t200000\t200000\t200000\t200000",
		       "Uid:\t200000\t200000\t200000\t200000\t0");
	refuses_status("NoNewPrivs:\t1", "NoNewPrivs:\t");
	refuses_status("NoNewPrivs:\t1", "NoNewPrivs:\t1x");
	refuses_status("NoNewPrivs:\t1", "NoNewPrivs:\t-1");
	refuses_status("Umask:\t0077", "Umask:\t0088");
	refuses_status("CapEff:\t0000000000000004", "CapEff:\tfffffffffffffffff");
	refuses_status("2312 kB", "2312 MB");
	refuses_status("Groups:\t ", "Groups:\tnone");
}

static void a_field_is_found_only_where_a_line_begins(void **state)
{
	refuses_status("Seccomp:\t2\n", "xSeccomp:\t2\n");
	/* The kernel escapes newlines in a name, so this is one line. */
	_cleanup_(freep) char *text = changed("dmuser-backend", "x\\nSeccomp_filters:\t9");
	struct proc_status s;

	assert_int_equal(proc_parse_status(text, &s), 0);
	assert_int_equal(s.seccomp_filters, 3);
}

static void session_and_flags_are_found_whatever_the_name_is(void **state)
{
	static const char *const torn[] = { "187 (cat) S 180 187 187", "187 (cat) S 180", "187", "",
					    "187 (cat) S 180 187 -1 0 -1 64 9" };
	struct proc_stat s;

	assert_int_equal(proc_parse_stat("187 (cat) S 180 186 187 0 -1 1572864 9 0", &s), 0);
	assert_int_equal(s.session, 187);
	assert_int_equal(s.flags, 0x180000);
	assert_int_equal(proc_parse_stat("1 (a) R 0 0 0 0 0 7) S 2 3 4 0 -1 64 1", &s), 0);
	assert_int_equal(s.session, 4);
	assert_int_equal(s.flags, 64);
	for (size_t i = 0; i < ARRAY_SIZE(torn); i++)
		assert_int_equal(proc_parse_stat(torn[i], &s), -EBADMSG);
	assert_int_equal(s.flags, 64);
}

static void the_cgroup2_path_is_the_line_of_hierarchy_zero(void **state)
{
	char path[32] = "";

	assert_int_equal(proc_parse_cgroup("12:pids:/a\n0::/dmuser/c/n\n", path, sizeof(path)), 0);
	assert_string_equal(path, "/dmuser/c/n");
	assert_int_equal(proc_parse_cgroup("10::/a\n1:name=0::/:/b\n", path, sizeof(path)),
			 -ENODATA);
	assert_int_equal(
		proc_parse_cgroup("0::/a-path-that-is-longer-than-the-room", path, sizeof(path)),
		-ENAMETOOLONG);
}

static void a_pidfd_names_its_process(void **state)
{
	int64_t pid = 0;

	assert_int_equal(proc_parse_pidfd("pos:\t0\nflags:\t02\nPid:\t187\nNSpid:\t187\n", &pid),
			 0);
	assert_int_equal(pid, 187);
	assert_int_equal(proc_parse_pidfd("pos:\t0\nPid:\t-1\nNSpid:\t-1\n", &pid), 0);
	assert_int_equal(pid, -1);
	assert_int_equal(proc_parse_pidfd("pos:\t0\nflags:\t02\n", &pid), -EBADMSG);
	assert_int_equal(proc_parse_pidfd("Pid:\t-2\n", &pid), -EBADMSG);
}

static void limits_are_numbers_or_unlimited(void **state)
{
	static const char text[] = "Limit                     Soft Limit     Hard Limit   Units\n"
				   "Max file size             4096           unlimited    bytes\n"
				   "Max core file size        0              1            bytes\n"
				   "Max open files            none           1            files\n"
				   "Max locked memory         7\n";
	uint64_t soft = 1, hard = 1;

	assert_int_equal(proc_parse_limit(text, "Max core file size", &soft, &hard), 0);
	assert_int_equal(soft, 0);
	assert_int_equal(hard, 1);
	assert_int_equal(proc_parse_limit(text, "Max file size", &soft, &hard), 0);
	assert_int_equal(soft, 4096);
	assert_int_equal(hard, UINT64_MAX);
	/* No number, one too few, no such line, no such line's beginning. */
	assert_int_equal(proc_parse_limit(text, "Max open files", &soft, &hard), -EBADMSG);
	assert_int_equal(proc_parse_limit(text, "Max locked memory", &soft, &hard), -EBADMSG);
	assert_int_equal(proc_parse_limit(text, "Max cpu time", &soft, &hard), -EBADMSG);
	assert_int_equal(proc_parse_limit(text, "Max file", &soft, &hard), -EBADMSG);
	assert_int_equal(proc_parse_limit(text, "file size", &soft, &hard), -EBADMSG);
	assert_int_equal(soft, 4096);
}

static void mounts_are_read_line_by_line(void **state)
{
	const char *cursor =
		"39 31 0:36 / /sys/fs/cgroup rw,relatime shared:9 master:1 - cgroup2 c rw\n"
		"40 31 8:17 /sub /mnt\\040a rw - ext4 /dev/sdb1 rw\n"
		"520 519 0:55 / / ro,nosuid,nodev,noexec - tmpfs dmuser ro,size=4k\n";
	struct proc_mount m;

	assert_int_equal(proc_next_mount(&cursor, &m), 1);
	assert_true(proc_word_is(&m.point, "/sys/fs/cgroup"));
	assert_true(proc_word_is(&m.type, "cgroup2"));
	assert_true(proc_is_cgroup2(&m));
	assert_int_equal(proc_next_mount(&cursor, &m), 1);
	assert_true(m.device == makedev(8, 17));
	assert_true(proc_word_is(&m.root, "/sub"));
	assert_true(proc_word_is(&m.point, "/mnt\\040a"));
	assert_false(proc_is_cgroup2(&m));
	assert_int_equal(proc_next_mount(&cursor, &m), 1);
	assert_true(proc_word_is(&m.root, "/"));
	assert_true(proc_word_is(&m.point, "/"));
	assert_true(proc_word_is(&m.options, "ro,nosuid,nodev,noexec"));
	assert_true(proc_word_is(&m.type, "tmpfs"));
	assert_false(proc_is_cgroup2(&m));
	assert_int_equal(proc_next_mount(&cursor, &m), 0);
}

static void a_part_of_a_cgroup_hierarchy_is_not_all_of_it(void **state)
{
	const char *cursor = "39 31 0:36 /a /sys/fs/cgroup rw - cgroup2 c rw\n";
	struct proc_mount m;

	assert_int_equal(proc_next_mount(&cursor, &m), 1);
	assert_false(proc_is_cgroup2(&m));
}

static void a_torn_line_of_mounts_is_refused(void **state)
{
	static const char *const lines[] = { "\n", "1 2 0:3 / /", "1 2 0:3 / / rw tmpfs x rw",
					     "1 2 0:3 / / rw - ", "1 2 0:3  / rw - tmpfs x rw",
					     "1 2 03 / / rw - tmpfs x rw", "1 2 0: / / rw - tmpfs x rw",
					     "1 2 :3 / / rw - tmpfs x rw", "1 2 0:3x / / rw - tmpfs x rw",
					     "1 2 0:4294967296 / / rw - tmpfs x rw" };
	struct proc_mount m;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *cursor = lines[i];

		assert_int_equal(proc_next_mount(&cursor, &m), -EBADMSG);
	}
}

/* The kernel writes a path as long as it is. */
static void a_long_path_is_read_whole(void **state)
{
	char path[3000], line[4096], got[sizeof(path)];
	const char *cursor = line;
	struct proc_mount m;

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	snprintf(line, sizeof(line), "1 2 0:3 / %s rw - tmpfs x rw\n", path);
	assert_int_equal(proc_next_mount(&cursor, &m), 1);
	assert_true(proc_word_is(&m.type, "tmpfs"));
	assert_int_equal(proc_word_path(&m.point, got, sizeof(got)), 0);
	assert_string_equal(got, path);
	assert_int_equal(proc_word_path(&m.point, got, sizeof(got) - 1), -ENAMETOOLONG);
}

static void a_path_in_a_line_ends_with_its_word(void **state)
{
	const struct proc_word word = { "/a\\040b\\04 0 40", 10 };
	char got[16];

	assert_int_equal(proc_word_path(&word, got, sizeof(got)), 0);
	assert_string_equal(got, "/a b\\04");
	assert_int_equal(proc_word_path(&word, got, 7), -ENAMETOOLONG);
}

static bool has(const char *list, const char *option)
{
	/* What lies behind it does not count. */
	const struct proc_word word = { list, strcspn(list, " ") };

	return proc_has_option(&word, option);
}

static void an_option_is_a_whole_word(void **state)
{
	assert_true(has("ro,nosuid", "ro"));
	assert_true(has("nosuid,ro", "ro"));
	assert_true(has("nosuid,ro ,rw", "ro"));
	assert_false(has("rw,errors=remount-ro", "ro"));
	assert_false(has("rom", "ro"));
	assert_false(has("rw ro", "ro"));
	assert_false(has("r o", "ro"));
	assert_false(has("", "ro"));
}

static void a_count_is_found_by_its_whole_name(void **state)
{
	static const char text[] = "low 0\noom 3\noom_kill 1\noom_group_kill 2\n";
	uint64_t count = 0;

	assert_int_equal(proc_parse_count(text, "oom_kill", &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(proc_parse_count(text, "low", &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(proc_parse_count(text, "kill", &count), -ENOENT);
	assert_int_equal(proc_parse_count("", "low", &count), -ENOENT);
}

static void assert_unescaped(const char *escaped, const char *expected)
{
	/* Of just its size, so that a sanitizer sees a step beyond it. */
	char *path = strdup(escaped);

	assert_non_null(path);
	proc_unescape(path);
	assert_string_equal(path, expected);
	free(path);
}

static void an_escaped_path_is_as_it_was(void **state)
{
	assert_unescaped("/a\\040b\\011\\012\\134040", "/a b\t\n\\040");
	assert_unescaped("/\\303\\244", "/\303\244");
	assert_unescaped("", "");
}

static void what_is_no_whole_escape_is_kept(void **state)
{
	assert_unescaped("/a\\", "/a\\");
	assert_unescaped("/a\\0", "/a\\0");
	assert_unescaped("/a\\04", "/a\\04");
	assert_unescaped("/a\\048", "/a\\048");
	assert_unescaped("/a\\ 40", "/a\\ 40");
	assert_unescaped("/a\\440", "/a\\440");
}

/* For good: without a privilege nobody can lower it again. So this is another process's. */
static void end_as_first_to_go(void)
{
	int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC), score = 0;

	if (proc_set_oom_score(getpid(), OOM_SCORE_FIRST) < 0 || proc_get_oom_score(self, &score) < 0 ||
	    score != OOM_SCORE_FIRST)
		_exit(1);
	/* What somebody has chosen is left. */
	proc_spare_from_oom();
	_exit(proc_get_oom_score(self, &score) < 0 || score != OOM_SCORE_FIRST ? 2 : 0);
}

static void a_process_can_be_made_the_first_to_go(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		end_as_first_to_go();
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_score_is_a_whole_line(void **state)
{
	static const struct {
		const char *text;
		int result, score;
	} cases[] = {
		{ "1000\n", 0, 1000 }, { "-900\n", 0, -900 },	  { "0\n", 0, 0 },
		{ "", -EBADMSG, 0 },	{ "10 0\n", -EBADMSG, 0 }, { "\n", -EBADMSG, 0 },
	};
	char directory[] = "/tmp/dmuser-score-XXXXXX";
	int dir_fd;

	assert_non_null(mkdtemp(directory));
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int score = 0, fd = openat(dir_fd, "oom_score_adj", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), strlen(cases[i].text));
		close(fd);
		assert_int_equal(proc_get_oom_score(dir_fd, &score), cases[i].result);
		assert_int_equal(score, cases[i].score);
	}
	unlinkat(dir_fd, "oom_score_adj", 0);
	assert_int_equal(proc_get_oom_score(dir_fd, &(int){ 0 }), -ENOENT);
	close(dir_fd);
	rmdir(directory);
}

static void a_file_that_does_not_fit_is_refused(void **state)
{
	char small[8], large[8192];

	assert_int_equal(proc_read(AT_FDCWD, "/proc/self/status", large, sizeof(large)), 0);
	assert_int_equal(proc_read(AT_FDCWD, "/proc/self/status", small, sizeof(small)), -EFBIG);
	assert_int_equal(proc_read(AT_FDCWD, "/proc/self/none", small, sizeof(small)), -ENOENT);
}

static void this_kernels_own_status_is_understood(void **state)
{
	char text[8192];
	struct proc_status s;

	assert_int_equal(proc_read(AT_FDCWD, "/proc/self/status", text, sizeof(text)), 0);
	assert_int_equal(proc_parse_status(text, &s), 0);
	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.uid[1], geteuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_read_field_by_field),
		cmocka_unit_test(status_counts_groups),
		cmocka_unit_test(status_refuses_a_missing_field),
		cmocka_unit_test(status_refuses_a_field_that_is_given_twice),
		cmocka_unit_test(status_refuses_a_misshapen_field),
		cmocka_unit_test(a_field_is_found_only_where_a_line_begins),
		cmocka_unit_test(session_and_flags_are_found_whatever_the_name_is),
		cmocka_unit_test(the_cgroup2_path_is_the_line_of_hierarchy_zero),
		cmocka_unit_test(a_pidfd_names_its_process),
		cmocka_unit_test(limits_are_numbers_or_unlimited),
		cmocka_unit_test(mounts_are_read_line_by_line),
		cmocka_unit_test(a_part_of_a_cgroup_hierarchy_is_not_all_of_it),
		cmocka_unit_test(a_torn_line_of_mounts_is_refused),
		cmocka_unit_test(a_long_path_is_read_whole),
		cmocka_unit_test(a_path_in_a_line_ends_with_its_word),
		cmocka_unit_test(an_option_is_a_whole_word),
		cmocka_unit_test(a_count_is_found_by_its_whole_name),
		cmocka_unit_test(an_escaped_path_is_as_it_was),
		cmocka_unit_test(what_is_no_whole_escape_is_kept),
		cmocka_unit_test(a_process_can_be_made_the_first_to_go),
		cmocka_unit_test(a_score_is_a_whole_line),
		cmocka_unit_test(a_file_that_does_not_fit_is_refused),
		cmocka_unit_test(this_kernels_own_status_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
