// SPDX-License-Identifier: Apache-2.0
/* What to do about those who keep a device open. */
#include "cmocka-all.h"
#include "ctl/holder.h"
#include "util/cleanup.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void each_kind_of_holder_has_its_advice(void **state)
{
	static const struct {
		const char *holder, *advice;
	} cases[] = {
		{ "mount /mnt", "umount /mnt" },
		{ "mount /srv/a\\040b", "umount '/srv/a b'" },
		{ "mount /it's", "umount '/it'\\\\''s'" },
		{ "pid 4711 (fio)", "end pid 4711 (fio)" },
		{ "swap /dev/dm-3", "swapoff /dev/dm-3" },
		/* It is a device, always. */
		{ "swap /dev/dm-3\x1b", "swapoff /dev/dm-3\\x1b" },
		{ "device dm-7", "remove device dm-7, which lies on top of it (lsblk shows both)" },
		{ "pid 1 (\x1b)", "end pid 1 (\\x1b)" },
		{ "volume b of uid 4294967294",
		  "dmuserctl release b --owner 4294967294 first, which lies on top of it" },
		{ "volume b of uid 4294967294, container c",
		  "dmuserctl release b --container c --owner 4294967294 first, which lies on top "
		  "of it" },
		{ "a volume of uid 7",
		  "have uid 7's volume released first, which lies on top of it" },
		{ "something else", "" },
		{ "mount ", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char advice[256];

		assert_string_equal(holder_advice(cases[i].holder, advice, sizeof(advice)),
				    cases[i].advice);
	}
}

static void a_long_path_is_not_cut(void **state)
{
	char holder[1200], advice[HOLDER_ADVICE_SIZE], wanted[1200];

	snprintf(holder, sizeof(holder), "mount /%01000d (pid %d)", 1, getpid());
	snprintf(wanted, sizeof(wanted), "umount /%01000d", 1);
	assert_string_equal(holder_advice(holder, advice, sizeof(advice)), wanted);
}

static void a_mount_is_ended_where_it_is(void **state)
{
	char holder[64], advice[256], wanted[256];
	int ready[2];
	char byte;
	pid_t pid;

	snprintf(holder, sizeof(holder), "mount /mnt (pid %d)", getpid());
	assert_string_equal(holder_advice(holder, advice, sizeof(advice)), "umount /mnt");

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		print_message("this user may make no mount namespace\n");
		skip();
	}
	snprintf(holder, sizeof(holder), "mount /mnt (pid %d)", pid);
	snprintf(wanted, sizeof(wanted), "nsenter -m -t %d umount /mnt", pid);
	holder_advice(holder, advice, sizeof(advice));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	assert_string_equal(advice, wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_holder_has_its_advice),
		cmocka_unit_test(a_long_path_is_not_cut),
		cmocka_unit_test(a_mount_is_ended_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
