// SPDX-License-Identifier: Apache-2.0
/* What /proc says about a worker. */
#include "cmocka-all.h"
#include "ctl/confinement.h"
#include "util/cleanup.h"

#include <string.h>
#include <sys/wait.h>

static const char sealed[] =
	"Name:\tdmuser-backend-\nUmask:\t0077\nState:\tS (sleeping)\n"
	"Uid:\t1900000000\t1900000000\t1900000000\t1900000000\n"
	"Gid:\t1900000000\t1900000000\t1900000000\t1900000000\n"
	"Groups:\t\nThreads:\t2\n"
	"CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
	"CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n"
	"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";

static char *printed(const struct confinement *c)
{
	static char text[4096];
	FILE *file = fmemopen(text, sizeof(text), "w");

	confinement_print(c, file);
	fclose(file);
	return text;
}

static void a_sealed_worker_reads_as_sealed(void **state)
{
	struct confinement c = {};
	const char *text;

	assert_int_equal(confinement_parse_status(sealed, &c), 0);
	assert_int_equal(c.uids[ID_SAVED], 1900000000);
	assert_int_equal(c.seccomp_filters, 3);
	c.namespaces_own = 0x7f;
	text = printed(&c);
	assert_non_null(strstr(text, "Capabilities   none, in any set\n"));
	assert_non_null(strstr(text, "Seccomp        filter, 3 filters\n"));
	assert_non_null(strstr(text, "New privileges never\n"));
	assert_non_null(strstr(text, "Groups         none\n"));
	assert_non_null(strstr(text, "Files in root  none\n"));
	assert_non_null(strstr(text, "own user mnt pid net ipc uts cgroup\n"));
}

static void each_loose_end_is_shown(void **state)
{
	char text[sizeof(sealed) + 64];
	struct confinement c = {};
	const char *shown;

	strcpy(text, sealed);
	memcpy(strstr(text, "CapBnd:\t") + 8, "000001ffffffffff", 16);
	memcpy(strstr(text, "NoNewPrivs:\t") + 12, "0", 1);
	memcpy(strstr(text, "Uid:\t") + 5, "0000000000", 10);
	assert_int_equal(confinement_parse_status(text, &c), 0);
	c.namespaces_own = 0x3f;
	c.namespaces_shared = 0x40;
	c.root_entries = 21;
	shown = printed(&c);
	assert_non_null(strstr(shown, "CapBnd 000001ffffffffff"));
	assert_non_null(strstr(shown, "New privileges possible\n"));
	assert_non_null(strstr(shown, "Uid            0, effective 1900000000"));
	assert_non_null(strstr(shown, "shared with this process cgroup\n"));
	assert_non_null(strstr(shown, "Files in root  21\n"));
}

static void what_may_not_be_seen_is_said_to_be_unseen(void **state)
{
	struct confinement c = {};

	assert_int_equal(confinement_parse_status(sealed, &c), 0);
	c.root_entries = c.descriptors = CONFINEMENT_UNKNOWN;
	assert_non_null(strstr(printed(&c), "Namespaces     only root can see\n"));
	assert_non_null(strstr(printed(&c), "Files in root  only root can see\n"));
}

static void a_status_without_a_line_is_refused(void **state)
{
	static const char *const lines[] = { "Name",	   "Uid",     "Gid",
					     "Groups",	   "CapInh",  "CapAmb",
					     "NoNewPrivs", "Seccomp", "Seccomp_filters",
					     "Threads" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct confinement c = {};
		char text[sizeof(sealed)], wanted[32];

		strcpy(text, sealed);
		snprintf(wanted, sizeof(wanted), "%s:", lines[i]);
		*strstr(text, wanted) = '#';
		assert_int_equal(confinement_parse_status(text, &c), -EINVAL);
	}
	assert_int_equal(confinement_parse_status("", &(struct confinement){}), -EINVAL);
}

static void this_process_can_be_read(void **state)
{
	struct confinement c;

	assert_int_equal(confinement_read(getpid(), &c), 0);
	assert_int_equal(c.uids[ID_REAL], getuid());
	assert_int_equal(c.namespaces_own, 0);
	assert_true(c.namespaces_shared != 0);
	assert_true(c.root_entries > 0);
	assert_int_equal(confinement_read(0x3fffffff, &c), -ESRCH);
}

/* The name in status has 15 bytes, and programs of dmuser differ only after those. */
static void a_program_is_named_by_its_whole_path(void **state)
{
	struct confinement c;
	char path[512] = "", wanted[600];

	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_int_equal(confinement_read(getpid(), &c), 0);
	assert_string_equal(c.program, path);
	snprintf(wanted, sizeof(wanted), "Program        %s\n", path);
	assert_non_null(strstr(printed(&c), wanted));
}

/* /proc/PID/exe of another user's process is not for everybody. */
static void a_program_that_cannot_be_seen_is_taken_at_its_word(void **state)
{
	int status;
	pid_t pid;

	if (getuid() != 0) {
		print_message("only root can become another user\n");
		skip();
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct confinement c;

		if (setresuid(65534, 65534, 65534) < 0 || confinement_read(getppid(), &c) < 0)
			_exit(1);
		_exit(c.program_is_its_word && strstr(c.program, "confinement-test") &&
		      strstr(printed(&c), "confinement-test (as it calls itself)\n") ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_worker_reads_as_sealed),
		cmocka_unit_test(each_loose_end_is_shown),
		cmocka_unit_test(what_may_not_be_seen_is_said_to_be_unseen),
		cmocka_unit_test(a_status_without_a_line_is_refused),
		cmocka_unit_test(this_process_can_be_read),
		cmocka_unit_test(a_program_is_named_by_its_whole_path),
		cmocka_unit_test(a_program_that_cannot_be_seen_is_taken_at_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
