// SPDX-License-Identifier: Apache-2.0
/* A made-up machine; see doctor-tree.h. */
#include "tests/unit/ctl/cmocka-all.h"
#include "tests/unit/ctl/doctor-tree.h"
#include "ctl/doctor/driver-version.h"
#include "ctl/doctor/installation.h"
#include "util/cleanup.h"

#include "config.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct probe probe;
struct finding finding;

static char root[64];

static void make_parents(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path + 1);
	for (char *slash = part; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		assert_true(mkdirat(probe.root_fd, part, 0755) == 0 || errno == EEXIST);
	}
}

void tree_bytes(const char *path, const void *data, size_t size)
{
	_cleanup_(closep) int fd = -EBADF;

	make_parents(path);
	fd = openat(probe.root_fd, path + 1, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
}

void tree_file(const char *path, const char *text)
{
	tree_bytes(path, text, strlen(text));
}

void tree_program(const char *path)
{
	tree_file(path, "");
	assert_int_equal(fchmodat(probe.root_fd, path + 1, 0755, 0), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

void tree_remove(const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	assert_int_equal(nftw(whole, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void put_kernel(void)
{
	tree_file("/proc/modules", "");
	tree_file("/proc/misc", "236 device-mapper\n");
	tree_file("/sys/module/dm_user/version", DMUSER_DRIVER_VERSION "\n");
	tree_file("/proc/self/uid_map", "         0          0 4294967295\n");
	tree_file("/proc/self/mountinfo",
		  "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
	tree_file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
	tree_file("/proc/sys/kernel/seccomp/actions_avail",
		  "kill_process kill_thread errno allow\n");
	tree_file("/proc/sys/kernel/pid_max", "4194304\n");
	tree_file("/proc/sys/kernel/threads-max", "100000\n");
	tree_file("/proc/loadavg", "0.00 0.01 0.05 1/123 4567\n");
	tree_file("/proc/meminfo",
		  "MemTotal: 2000000 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB\n");
	for (const char *kind = "user\0pid\0mnt\0net\0ipc\0uts\0cgroup\0"; *kind;
	     kind += strlen(kind) + 1) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kind);
		tree_file(path, "60000\n");
	}
}

static void put_users(void)
{
	tree_file("/etc/passwd",
		  "root:x:0:0:root:/root:/bin/bash\nann:x:4711:4711::/home/ann:/bin/sh\n");
	tree_file("/etc/group", "root:x:0:\ndmuser:x:990:\n");
	tree_file("/etc/subuid", "ann:100000:65536\n");
	tree_file("/etc/subgid", "ann:100000:65536\n");
}

static void put_installation(void)
{
	tree_program(DMUSER_LIBEXECDIR "/dmuser-spawner");
	tree_program(DMUSER_LIBEXECDIR "/dmuser-parser");
	tree_program(DMUSER_LIBEXECDIR "/dmuser-oci-hook");
	tree_program(DMUSER_LIBEXECDIR "/backends/dmuser-backend-memory");
	tree_file(DMUSER_LIBEXECDIR "/backends/memory.json", "{}");
	tree_file(DMUSER_LIBEXECDIR "/seccomp/outer.bpf", "");
	tree_file(DMUSER_LIBEXECDIR "/seccomp/parser.bpf", "");
	tree_file(DMUSER_LIBEXECDIR "/seccomp/spawner.bpf", "");
	tree_file(DMUSER_LIBEXECDIR "/seccomp/supervisor.bpf", "");
	tree_program("/usr/sbin/dmuserd");
}

int tree_set_up(void **state)
{
	strcpy(root, "/tmp/doctor-test.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	finding = (struct finding){};
	probe = (struct probe){
		.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.release = TREE_RELEASE,
		.landlock_version = 3,
		.nofile_max = 524288,
		.daemon = { .address = "/run/dmuser/io.dmuser", .version = DMUSER_VERSION },
	};
	put_kernel();
	put_users();
	put_installation();
	installation_read(&probe);
	return 0;
}

int tree_tear_down(void **state)
{
	tree_remove("");
	probe_done(&probe);
	return 0;
}

void look_at(void (*check)(struct probe *, struct finding *), enum verdict verdict,
	     const char *found, const char *advice, const char *file, int line)
{
	finding = (struct finding){ .verdict = VERDICT_UNKNOWN };
	probe.looked_at[0] = '\0';
	check(&probe, &finding);
	if (finding.verdict == verdict && strstr(finding.found, found) &&
	    strstr(finding.advice, advice) &&
	    (finding.verdict == VERDICT_OK) == (finding.advice[0] == '\0') && finding.found[0])
		return;
	print_error("%s '%s', to be done: '%s'\n", finding_verdict_name(finding.verdict),
		    finding.found, finding.advice);
	_fail(file, line);
}
