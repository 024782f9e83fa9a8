// SPDX-License-Identifier: Apache-2.0
/* What dmuserctl doctor says of walls around workers, of cgroups, and of limits. */
#include "cmocka-all.h"
#include "doctor-tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROOT "/sys/fs/cgroup"
#define UNIT ROOT "/system.slice/dmuser-workers.service"

static void put_base(const char *base, const char *pids)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/_spawner/cgroup.procs", base);
	tree_file(path, pids);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", base);
	tree_file(path, "memory pids\n");
}

static void a_user_namespace_is_no_place_for_dmuserd(void **state)
{
	look(check_first_namespace, VERDICT_OK, "machine's own", "");
	tree_file("/proc/self/uid_map", "0 1000 1\n1 100000 65536\n");
	look(check_first_namespace, VERDICT_FAIL, "user namespace", "host");
	tree_remove("/proc/self/uid_map");
	look(check_first_namespace, VERDICT_UNKNOWN, "cannot be read", "uid_map");
}

static void namespaces_must_not_run_out(void **state)
{
	look(check_namespaces, VERDICT_OK, "all seven kinds", "");
	tree_file("/proc/sys/user/max_net_namespaces", "100\n");
	look(check_namespaces, VERDICT_WARN,
	     "no more than 100 net namespaces, and dmuserd may want 2048",
	     "sysctl -w user.max_net_namespaces=");
	tree_file("/proc/sys/user/max_user_namespaces", "0\n");
	look(check_namespaces, VERDICT_FAIL, "user namespaces are forbidden",
	     "sysctl -w user.max_user_namespaces=");
	tree_remove("/proc/sys/user/max_user_namespaces");
	look(check_namespaces, VERDICT_FAIL, "has no user namespaces", "CONFIG_USER_NS");
}

static void only_root_s_trial_of_namespaces_counts(void **state)
{
	probe.namespaces_error = -EPERM;
	look(check_namespaces, VERDICT_FAIL, "Operation not permitted", "container or chroot");
	probe.uid = 4711;
	look(check_namespaces, VERDICT_UNKNOWN, "says nothing of root", "run as root");
	probe.namespaces_error = 0;
	tree_file("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
	look(check_namespaces, VERDICT_OK, "by root, which is enough", "");
}

static void seccomp_has_to_be_able_to_kill(void **state)
{
	look(check_seccomp, VERDICT_OK, "filters", "");
	tree_file("/proc/sys/kernel/seccomp/actions_avail", "kill_thread trap errno allow\n");
	look(check_seccomp, VERDICT_FAIL, "no filters", "CONFIG_SECCOMP_FILTER");
	tree_remove("/proc/sys/kernel/seccomp");
	look(check_seccomp, VERDICT_FAIL, "no filters", "CONFIG_SECCOMP_FILTER");
}

static void without_landlock_it_works_with_a_wall_less(void **state)
{
	look(check_landlock, VERDICT_OK, "version 3", "");
	probe.landlock_version = -EOPNOTSUPP;
	tree_file("/sys/kernel/security/lsm", "capability,yama");
	look(check_landlock, VERDICT_WARN, "not switched on", "lsm=landlock,capability,yama");
	probe.landlock_version = -ENOSYS;
	look(check_landlock, VERDICT_WARN, "not in this kernel", "CONFIG_SECURITY_LANDLOCK");
}

static void missing_system_calls_are_named(void **state)
{
	look(check_system_calls, VERDICT_OK, "all", "");
	strcpy(probe.missing_calls, "clone3, openat2");
	look(check_system_calls, VERDICT_FAIL, "missing: clone3, openat2", "seccomp filter");
}

static void cgroup2_has_to_have_both_controllers(void **state)
{
	look(check_cgroup, VERDICT_OK, "memory and pids, at " ROOT, "");
	tree_file(ROOT "/cgroup.controllers", "cpu memory_not pids\n");
	look(check_cgroup, VERDICT_FAIL, "no controller 'memory'", "unified_cgroup_hierarchy");
	tree_file(ROOT "/cgroup.controllers", "memory\n");
	look(check_cgroup, VERDICT_FAIL, "no controller 'pids'", "unified_cgroup_hierarchy");
	tree_remove(ROOT "/cgroup.controllers");
	look(check_cgroup, VERDICT_UNKNOWN, "cannot be read", ROOT);
	tree_file("/proc/self/mountinfo",
		  "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
		  "31 30 0:27 /part /sys/fs/cgroup/x rw - cgroup2 cgroup2 rw\n");
	look(check_cgroup, VERDICT_FAIL, "not mounted", "mount -t cgroup2");
	tree_file("/proc/self/mountinfo", "what is that?\n");
	look(check_cgroup, VERDICT_UNKNOWN, "/proc/self/mountinfo", "");
}

/* The kernel has no shorter limit than that of a path. */
static void cgroup2_is_found_at_a_place_of_any_length(void **state)
{
	char place[1024], line[1200], path[1200];

	snprintf(place, sizeof(place), "/%0200d/%0200d/%0200d/%0200d", 1, 2, 3, 4);
	snprintf(line, sizeof(line), "30 23 0:26 / %s rw - cgroup2 cgroup2 rw\n", place);
	tree_file("/proc/self/mountinfo", line);
	snprintf(path, sizeof(path), "%s/cgroup.controllers", place);
	tree_file(path, "cpu memory pids\n");
	look(check_cgroup, VERDICT_OK, "with the controllers memory and pids, at /0000", "");
	snprintf(path, sizeof(path), "%s/dmuser/_spawner/cgroup.procs", place);
	tree_file(path, "4242\n");
	look(check_spawner, VERDICT_OK, "pid 4242", "");
}

static void workers_controllers_are_handed_on(void **state)
{
	look(check_workers_cgroup, VERDICT_OK, "when the spawner starts", "");
	put_base(ROOT "/dmuser", "");
	look(check_workers_cgroup, VERDICT_OK, ROOT "/dmuser, which", "");
	put_base(UNIT, "");
	look(check_workers_cgroup, VERDICT_OK, UNIT ", which", "");
	tree_file(UNIT "/cgroup.subtree_control", "pids\n");
	look(check_workers_cgroup, VERDICT_FAIL, "no limits",
	     "echo +memory +pids >" UNIT "/cgroup.subtree_control");
	/* dmuser's units do not delegate, and say why. */
	assert_null(strstr(finding.advice, "Delegate"));
	tree_remove(UNIT "/cgroup.subtree_control");
	look(check_workers_cgroup, VERDICT_UNKNOWN, "cannot be read", UNIT);
}

static void the_spawner_is_found_in_its_cgroup(void **state)
{
	probe.daemon.error = -ENOENT;
	look(check_spawner, VERDICT_OK, "starts with dmuserd", "");
	put_base(ROOT "/dmuser", "4242\n");
	look(check_spawner, VERDICT_OK, "pid 4242", "");
	probe.daemon.error = 0;
	put_base(ROOT "/dmuser", "");
	look(check_spawner, VERDICT_FAIL, "has ended", "stop dmuserd (SIGTERM) and start it again");
	tree_file("/run/systemd/system/x", "");
	look(check_spawner, VERDICT_FAIL, "has ended", "systemctl restart dmuser-workers");
	tree_remove(ROOT "/dmuser/_spawner/cgroup.procs");
	look(check_spawner, VERDICT_UNKNOWN, "cannot be read", "cat");
}

static void put_status(const char *effective)
{
	char text[1024];

	snprintf(
		text, sizeof(text),
		"Umask:\t0022\nTgid:\t4242\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\nVmLck:"
		"\t0 kB\n"
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nCapInh:\t0000000000000000\n"
		"CapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
		"Seccomp:\t2\nSeccomp_filters:\t1\n",
		effective, effective, effective);
	tree_file("/proc/4242/status", text);
}

static void the_spawner_has_to_be_able_to_raise_limits(void **state)
{
	look(check_locked_memory, VERDICT_OK, "when it runs", "");
	put_base(ROOT "/dmuser", "4242\n");
	look(check_locked_memory, VERDICT_UNKNOWN, "/proc/4242", "run as root");
	put_status("0000000001200000");
	look(check_locked_memory, VERDICT_OK, "by the spawner", "");
	put_status("0000000000200000");
	look(check_locked_memory, VERDICT_FAIL, "CAP_SYS_RESOURCE", "CapabilityBoundingSet=");
}

static void groups_without_a_process_are_left_over(void **state)
{
	look(check_left_over_cgroups, VERDICT_OK, "none", "");
	put_base(ROOT "/dmuser", "4242\n");
	tree_file(ROOT "/dmuser/_spawner/cgroup.events", "populated 0\nfrozen 0\n");
	tree_file(ROOT "/dmuser/_parsers/cgroup.events", "populated 0\nfrozen 0\n");
	tree_file(ROOT "/dmuser/c1/cgroup.events", "populated 1\nfrozen 0\n");
	tree_file(ROOT "/dmuser/parsers/cgroup.events", "populated 1\nfrozen 0\n");
	look(check_left_over_cgroups, VERDICT_OK, "none", "");
	tree_file(ROOT "/dmuser/c2/cgroup.events", "populated 0\nfrozen 0\n");
	look(check_left_over_cgroups, VERDICT_WARN, "1 below " ROOT "/dmuser holds no process",
	     "find " ROOT "/dmuser/c2 -depth -type d -exec rmdir {} +");
}

static void little_memory_is_told(void **state)
{
	look(check_memory, VERDICT_OK, "1024 MiB", "");
	tree_file("/proc/meminfo", "MemAvailable:     200000 kB\n");
	look(check_memory, VERDICT_WARN, "195 MiB", "memory or swap");
	tree_file("/proc/meminfo", "MemAvailable:       2048 kB\n");
	look(check_memory, VERDICT_FAIL, "2 MiB", "memory or swap");
	tree_file("/proc/meminfo", "MemFree: 2048 kB\n");
	look(check_memory, VERDICT_UNKNOWN, "cannot be read", "/proc/meminfo");
}

static void process_numbers_must_not_run_out(void **state)
{
	look(check_processes, VERDICT_OK, "room for 99877 more", "");
	tree_file("/proc/sys/kernel/pid_max", "2000\n");
	look(check_processes, VERDICT_WARN, "kernel.pid_max is 2000", "sysctl -w kernel.pid_max=");
	tree_file("/proc/sys/kernel/threads-max", "100\n");
	look(check_processes, VERDICT_FAIL, "room for 0 more (kernel.threads-max",
	     "sysctl -w kernel.threads-max=");
	tree_remove("/proc/sys/kernel/threads-max");
	look(check_processes, VERDICT_UNKNOWN, "threads-max", "");
}

static void descriptors_are_counted_where_dmuserd_runs(void **state)
{
	look(check_open_files, VERDICT_OK, "a dmuserd started from here may have 524288", "");
	probe.nofile_max = 4096;
	look(check_open_files, VERDICT_WARN, "4096", "ulimit -Hn 524288");
	probe.daemon.pid = 77;
	tree_file(
		"/proc/77/limits",
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max open files            1024                 512                  files     \n");
	look(check_open_files, VERDICT_FAIL, "dmuserd may have 512", "LimitNOFILE=524288");
	tree_file(
		"/proc/77/limits",
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max open files            unlimited            unlimited            files     \n");
	look(check_open_files, VERDICT_OK, "and more", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_set_up, tree_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_namespace_is_no_place_for_dmuserd),
		TEST(namespaces_must_not_run_out),
		TEST(only_root_s_trial_of_namespaces_counts),
		TEST(seccomp_has_to_be_able_to_kill),
		TEST(without_landlock_it_works_with_a_wall_less),
		TEST(missing_system_calls_are_named),
		TEST(cgroup2_has_to_have_both_controllers),
		TEST(cgroup2_is_found_at_a_place_of_any_length),
		TEST(workers_controllers_are_handed_on),
		TEST(the_spawner_is_found_in_its_cgroup),
		TEST(the_spawner_has_to_be_able_to_raise_limits),
		TEST(groups_without_a_process_are_left_over),
		TEST(little_memory_is_told),
		TEST(process_numbers_must_not_run_out),
		TEST(descriptors_are_counted_where_dmuserd_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
