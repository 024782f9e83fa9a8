// SPDX-License-Identifier: Apache-2.0
/*
 * The module comes while memory is short. Of the thousands of points of failure in its loading, the
 * module's own are among the last.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "case.h"
#include "prove.h"
#include "sweep.h"

/* Three times as many as come after the module's first. */
#define LAST 150

static int file = -1;

static int remove_module(void)
{
	return syscall(SYS_delete_module, "dm_user", O_NONBLOCK) < 0 ? -errno : 0;
}

static int do_load(void)
{
	return syscall(SYS_finit_module, file, "", 0) < 0 ? -errno : 0;
}

/* What an attempt that failed leaves behind would be in the way of the next, which would then say
 * so. */
static void after_load(int r)
{
	CHECK_EQ(access("/sys/module/dm_user", F_OK), r == 0 ? 0 : -1);
	if (r == 0)
		CHECK_EQ(remove_module(), 0);
	CHECK(access("/sys/class/dm-user", F_OK) < 0);
}

static void loading_the_module_bears_every_fault(void)
{
	struct utsname name;
	struct target t;
	char path[256];

	CHECK_EQ(uname(&name), 0);
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/dm-user.ko", name.release);
	file = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(file >= 0);
	CHECK_EQ(remove_module(), 0);
	unsigned points = sweep_count(do_load);
	CHECK(points > LAST);
	CHECK_EQ(remove_module(), 0);
	struct operation load = {
		.name = "module", .run = do_load, .after = after_load, .first = points - LAST
	};
	CHECK(sweep(&load) > 0);
	CHECK_EQ(do_load(), 0);
	prove_name(&t, NULL);
	prove_create(&t);
	prove_serves(&t);
	prove_remove(&t);
}

const struct test_case module_cases[] = {
	CASE(loading_the_module_bears_every_fault),
	{ 0 },
};
