// SPDX-License-Identifier: Apache-2.0
/*
 * The second half of confinement: what a worker or a parser gives up by itself, in DESIGN's order.
 *
 * Owns CONFINE_FD_SETUP (from the report on) and CONFINE_FD_PROFILE, and closes both. Trusts the spawner
 * for all that came before the exec, and the profile's bytes, which come from an installed file. Makes
 * no step optional but Landlock (see there), never goes on after a failed one, and never logs: the
 * report is all that leaves. Calls the kernel directly where libc has no wrapper.
 */
#include "api/worker/seal.h"
#include "dmuserd/messages/test-hooks.h"
#include "util/fd.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One connection is served at a time; one more may wait while a supervisor is being restarted. */
#define LINK_BACKLOG 2

static void report(enum confine_step step, int error, const char *detail)
{
	struct confine_report message = { .step = step, .error = error };

	if (detail)
		snprintf(message.detail, sizeof(message.detail), "%s", detail);
	if (fd_send(CONFINE_FD_SETUP, &message, sizeof(message), NULL, 0, 0) < 0)
		/* Nobody is left to hear it: a process that nobody supervises must not stay. */
		_exit(1);
}

_Noreturn void seal_fail(enum confine_step step, int error, const char *detail)
{
	report(step, error, detail);
	_exit(1);
}

static struct hooks hooks;

#ifdef DMUSER_TEST_HOOKS
/* Before main(), so that whoever uses the seal need not know of them. */
__attribute__((constructor)) static void read_test_hooks(int argc, char **argv)
{
	if (argc > 1)
		hooks_from_option(&hooks, argv[1]);
}
#endif

struct step {
	enum confine_step step;
	int (*run)(const struct seal *seal);
	bool needed; /* what follows cannot run without it; tests cannot leave it out */
};

static void take_steps(const struct step *steps, size_t count, const struct seal *seal)
{
	for (size_t i = 0; i < count; i++) {
		int r;

		if (hook_skips(&hooks, confine_step_name(steps[i].step)) && !steps[i].needed)
			continue;
		r = hook_enter(&hooks, steps[i].step, CONFINE_FD_SETUP, -1);
		if (r == 0 && steps[i].run)
			r = steps[i].run(seal);
		if (r < 0)
			seal_fail(steps[i].step, r, NULL);
	}
}

/*
 * exec gave the new program no capability, as the spawner's securebits and empty sets have it; this is
 * what holds should one of those ever be wrong. Inheritable and ambient go too: there is no later exec
 * to use them, and the gate wants every set empty.
 */
static int drop_capabilities(const struct seal *seal)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) < 0)
		return -errno;
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* Lowers a limit; what the spawner has set lower already stays so. */
static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit both;

	if (getrlimit(resource, &both) < 0)
		return -errno;
	if (value < both.rlim_max)
		both.rlim_max = value;
	both.rlim_cur = both.rlim_max;
	return setrlimit(resource, &both) < 0 ? -errno : 0;
}

/*
 * exec makes a process dumpable again. Not dumpable, /proc/PID belongs to root and nothing of the same
 * uid may trace it or read its memory, which holds volume data; and no core file may hold that either.
 */
static int forbid_dumps(const struct seal *seal)
{
	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
		return -errno;
	return limit(RLIMIT_CORE, 0);
}

void seal_enter(void)
{
	static const struct step steps[] = {
		{ CONFINE_CAPABILITIES, drop_capabilities, false },
		{ CONFINE_DUMPABLE, forbid_dumps, false },
		/* The program's own, which follow: here tests halt before them, or have them fail. */
		{ CONFINE_SETUP, NULL, true },
		{ CONFINE_PREPARE, NULL, true },
	};

	take_steps(steps, sizeof(steps) / sizeof(steps[0]), NULL);
}

/*
 * A worker that serves the reclaim of the very memory it would page in waits for itself. On fault,
 * because a plain MCL_FUTURE makes all of a sparse volume resident at once.
 */
static int lock_memory(const struct seal *seal)
{
	if (!seal->lock_memory)
		return 0;
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? -errno : 0;
}

static int set_limits(const struct seal *seal)
{
	int r = limit(RLIMIT_NOFILE, seal->nofile_max);

	return r < 0 ? r : limit(RLIMIT_FSIZE, seal->fsize_max);
}

/* listen() by the worker itself: SO_PEERCRED shows a connecting supervisor who called it. */
static int listen_on_link(const struct seal *seal)
{
	if (!seal->listen)
		return 0;
	return listen(CONFINE_FD_LINK, LINK_BACKLOG) < 0 ? -errno : 0;
}

/*
 * Landlock, spelled out here because the headers of the oldest supported kernel know neither network
 * nor scopes. Each version of the ABI counts the rights that the kernel can handle.
 */
struct landlock_ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* from version 4 on: TCP bind and connect */
	uint64_t scoped;             /* from version 6 on: abstract sockets, signals */
};

#define LANDLOCK_VERSION_FLAG 1u

static uint64_t low_bits(unsigned int count)
{
	return (UINT64_C(1) << count) - 1;
}

/* How many file system rights each version has; later ones added none that opens anything. */
static uint64_t landlock_fs_rights(long version)
{
	static const unsigned int counts[] = { 13, 14, 15, 15, 16 };
	size_t last = sizeof(counts) / sizeof(counts[0]);

	return low_bits(counts[(size_t)version < last ? (size_t)version - 1 : last - 1]);
}

/*
 * Handles every right and allows none: nothing can be opened, even if a directory ever came to be
 * reachable. A kernel without Landlock (ENOSYS: not built; EOPNOTSUPP: not switched on at boot) is
 * accepted, because this is the second lock on doors already shut: the root is empty and read-only, and
 * the inner filter allows no call that opens, binds, connects or signals.
 */
static int restrict_by_landlock(const struct seal *seal)
{
	struct landlock_ruleset rules = {};
	size_t size = sizeof(rules.handled_access_fs);
	long version, ruleset, r;

	version = syscall(SYS_landlock_create_ruleset, NULL, 0UL, LANDLOCK_VERSION_FLAG);
	if (version < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;

	rules.handled_access_fs = landlock_fs_rights(version);
	if (version >= 4) {
		rules.handled_access_net = low_bits(2);
		size += sizeof(rules.handled_access_net);
	}
	if (version >= 6) {
		rules.scoped = low_bits(2);
		size += sizeof(rules.scoped);
	}
	ruleset = syscall(SYS_landlock_create_ruleset, &rules, size, 0UL);
	if (ruleset < 0)
		return -errno;
	r = syscall(SYS_landlock_restrict_self, (int)ruleset, 0UL) < 0 ? -errno : 0;
	close((int)ruleset);
	return (int)r;
}

/* After Landlock, which binds the calling thread and those that it starts. */
static int start_threads(const struct seal *seal)
{
	return seal->start_threads ? seal->start_threads(seal->userdata) : 0;
}

static struct sock_fprog profile;

/*
 * pread, because the supervisor may hand out one open file to many: its offset is shared. The profile's
 * descriptor is gone before the filter is there, so that no filter need allow closing it.
 */
static int take_profile(const struct seal *seal)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	size_t taken = 0;
	ssize_t got;

	do {
		got = pread(CONFINE_FD_PROFILE, (char *)instructions + taken,
			    sizeof(instructions) - taken, (off_t)taken);
		if (got < 0)
			return -errno;
		taken += (size_t)got;
	} while (got > 0 && taken < sizeof(instructions));
	close(CONFINE_FD_PROFILE);

	/* Empty or torn: not a program. The kernel checks the rest. */
	if (taken == 0 || taken % sizeof(instructions[0]) != 0)
		return -ENOEXEC;
	profile.len = (unsigned short)(taken / sizeof(instructions[0]));
	profile.filter = instructions;
	return 0;
}

/* TSYNC: on every thread, or on none; a positive result is the thread that could not have it. */
static int load_inner_filter(const struct seal *seal)
{
	long loaded = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			      &profile);

	if (loaded < 0)
		return -errno;
	return loaded > 0 ? -ESRCH : 0;
}

void seal_finish(const struct seal *seal)
{
	static const struct step steps[] = {
		{ CONFINE_MLOCK, lock_memory, false },
		{ CONFINE_RLIMITS, set_limits, false },
		{ CONFINE_LISTEN, listen_on_link, false },
		{ CONFINE_LANDLOCK, restrict_by_landlock, false },
		{ CONFINE_THREADS, start_threads, true },
		{ CONFINE_INNER_FILTER, take_profile, true },
		{ CONFINE_INNER_FILTER, load_inner_filter, false },
	};

	take_steps(steps, sizeof(steps) / sizeof(steps[0]), seal);
	report(CONFINE_SEALED, 0, NULL);
	close(CONFINE_FD_SETUP);
}
