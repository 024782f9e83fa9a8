// SPDX-License-Identifier: Apache-2.0
/* What dmuserctl doctor says of users, of dmuserd and its installation, and of containers. */
#include "cmocka-all.h"
#include "config.h"
#include "ctl/doctor/installation.h"
#include "ctl/doctor/machine.h"
#include "doctor-tree.h"
#include "util/cleanup.h"

#include <json-c/json.h>
#include <string.h>

#define HOOKS	    "/usr/share/containers/oci/hooks.d"
#define CONFIG_FILE DMUSER_SYSCONFDIR "/dmuserd.conf"

static void uids_of_workers_are_nobody_else_s(void **state)
{
	look(check_uids, VERDICT_OK, "65536 from 1900000000 for workers", "");
	tree_file("/etc/subuid", "ann:1899999999:1\nbob:1900065536:0\n");
	look(check_uids, VERDICT_OK, "nobody else's", "");
	tree_file("/etc/subuid", "ann:100000:65536\nbob:1899934465:65536\n");
	look(check_uids, VERDICT_FAIL,
	     "(worker_uid_base) are in part those of 'bob' in /etc/subuid", "set worker_uid_base");
	tree_file("/etc/subuid", "");
	tree_file("/etc/subgid", "bob:1900069631:1\n");
	look(check_uids, VERDICT_FAIL,
	     "(parser_uid_base) are in part those of 'bob' in /etc/subgid", "set parser_uid_base");
	tree_file("/etc/subgid", "");
	tree_file("/etc/passwd", "# comment\n\nodd\ncyd:x:1900000005:4711::/:/bin/sh");
	look(check_uids, VERDICT_FAIL, "'cyd' in /etc/passwd", "to where 65536 uids are free");
	tree_file("/etc/passwd", "");
	tree_file("/etc/group", "wheel:x:1900000006:ann\n");
	look(check_uids, VERDICT_FAIL, "'wheel' in /etc/group", "set worker_uid_base");
	probe.installation.parser_uid_base = 1900000000;
	look(check_uids, VERDICT_FAIL, "overlap", "will not start");
}

static void who_may_connect_is_told(void **state)
{
	look(check_access, VERDICT_OK, "members of group 'dmuser'", "");
	probe.uid = 4711;
	probe.groups[0] = 4711;
	probe.n_groups = 1;
	look(check_access, VERDICT_FAIL, "you are not in group 'dmuser'", "usermod -aG dmuser ann");
	probe.uid = 4712;
	look(check_access, VERDICT_FAIL, "you are not in group 'dmuser'",
	     "usermod -aG dmuser 4712");
	probe.groups[probe.n_groups++] = 990;
	look(check_access, VERDICT_OK, "you may connect", "");
	tree_file("/etc/group", "dmuser2:x:990:\n");
	look(check_access, VERDICT_FAIL, "no group 'dmuser'", "groupadd --system dmuser");
	probe.uid = 0;
	look(check_access, VERDICT_WARN, "no group 'dmuser'", "groupadd --system dmuser");
	probe.installation.socket_group[0] = '\0';
	look(check_access, VERDICT_OK, "nobody but root", "");
	probe.uid = 4711;
	look(check_access, VERDICT_FAIL, "nobody but root", "sudo");
}

static void a_udev_without_device_mapper_s_rules_hangs_devices(void **state)
{
	look(check_udev, VERDICT_OK, "not needed", "");
	tree_file("/run/udev/control", "");
	look(check_udev, VERDICT_FAIL, "without device-mapper's rules", "apt install dmsetup");
	tree_file("/usr/lib/udev/rules.d/95-dm-notify.rules", "");
	look(check_udev, VERDICT_OK, "runs", "");
}

static void what_is_not_installed_is_named(void **state)
{
	look(check_programs, VERDICT_OK, "with 1 backend", "");
	tree_remove(DMUSER_LIBEXECDIR "/backends/dmuser-backend-memory");
	look(check_programs, VERDICT_FAIL, "dmuser-backend-memory is not there", "install dmuser");
	tree_remove(DMUSER_LIBEXECDIR "/backends");
	look(check_programs, VERDICT_FAIL, "no backend", "install dmuser");
	tree_remove(DMUSER_LIBEXECDIR "/seccomp/outer.bpf");
	look(check_programs, VERDICT_FAIL, "outer.bpf is not there", "install dmuser");
	/* There, and not to be executed. */
	tree_remove(DMUSER_LIBEXECDIR "/dmuser-parser");
	tree_file(DMUSER_LIBEXECDIR "/dmuser-parser", "");
	look(check_programs, VERDICT_FAIL, "dmuser-parser is not there", "libexec_dir");
}

static void a_silent_dmuserd_is_started_as_it_is_installed(void **state)
{
	probe.daemon.error = -ENOENT;
	look(check_dmuserd, VERDICT_FAIL, "there is no /run/dmuser/io.dmuser",
	     "start it as root: /usr/sbin/dmuserd");
	probe.daemon.error = -ECONNREFUSED;
	look(check_dmuserd, VERDICT_FAIL, "nobody listens", "start it as root: /usr/sbin/dmuserd");
	tree_file("/run/systemd/system/x", "");
	tree_file("/usr/lib/systemd/system/dmuserd.socket", "");
	look(check_dmuserd, VERDICT_FAIL, "nobody listens",
	     "systemctl enable --now dmuserd.socket");
	tree_remove("/usr/sbin/dmuserd");
	look(check_dmuserd, VERDICT_FAIL, "nobody listens", "'programs'");
	probe.daemon.error = -ETIMEDOUT;
	look(check_dmuserd, VERDICT_FAIL, "does not answer", "journalctl");
	probe.daemon.error = -EACCES;
	look(check_dmuserd, VERDICT_UNKNOWN, "may not connect", "'access'");
}

static void dmuserd_has_to_be_of_our_version(void **state)
{
	look(check_dmuserd, VERDICT_OK, DMUSER_VERSION " answers", "");
	strcpy(probe.daemon.version, "9.9");
	look(check_dmuserd, VERDICT_WARN, "9.9 answers, and this is dmuserctl " DMUSER_VERSION,
	     "systemctl restart dmuserd");
	probe.uid = 4711;
	strcpy(probe.daemon.refusal, "io.dmuser.PermissionDenied");
	look(check_dmuserd, VERDICT_UNKNOWN, "PermissionDenied", "'access'");
	strcpy(probe.daemon.refusal, "io.dmuser.BackendFailed");
	look(check_dmuserd, VERDICT_UNKNOWN, "BackendFailed", "see 'spawner'");
	/* Root cannot become root. */
	probe.uid = 0;
	look(check_dmuserd, VERDICT_FAIL, "BackendFailed", "see 'spawner'");
	strcpy(probe.daemon.refusal, "io.dmuser.TimedOut");
	look(check_dmuserd, VERDICT_FAIL, "TimedOut", "journalctl -u dmuserd");
}

static void devices_that_dmuserd_does_not_know_are_left_over(void **state)
{
	tree_file("/sys/block/sda/size", "1\n");
	tree_file("/sys/block/dm-0/dm/uuid", "CRYPT-x\n");
	look(check_left_over_devices, VERDICT_OK, "none", "");
	tree_file("/sys/block/dm-1/dm/uuid", "DMUSER-u1\n");
	tree_file("/sys/block/dm-1/dm/name", "dmuser-v1\n");
	look(check_left_over_devices, VERDICT_UNKNOWN, "does not say which it knows",
	     "see 'dmuserd'");
	probe.uid = 4711;
	look(check_left_over_devices, VERDICT_UNKNOWN, "not all are yours to see", "run as root");
	probe.uid = 0;
	probe.daemon.volumes = json_tokener_parse("[{\"uuid\":\"u0\"},{\"uuid\":\"u1\"}]");
	look(check_left_over_devices, VERDICT_OK, "knows all 1", "");
	json_object_put(probe.daemon.volumes);
	probe.daemon.volumes = json_tokener_parse("[{\"uuid\":\"u0\"}]");
	look(check_left_over_devices, VERDICT_FAIL,
	     "1 that dmuserd does not know, such as dmuser-v1", "dmsetup remove dmuser-v1");
	json_object_put(probe.daemon.volumes);
	probe.daemon.volumes = NULL;
	probe.daemon.error = -ENOENT;
	look(check_left_over_devices, VERDICT_WARN, "1 of volumes, and no dmuserd",
	     "start dmuserd");
}

static void volumes_are(const char *json)
{
	json_object_put(probe.daemon.volumes);
	probe.daemon.volumes = json_tokener_parse(json);
}

#define DEGRADED(name, more) \
	"{\"name\":\"" name "\",\"state\":\"degraded\",\"error\":\"its worker was killed\"" more "}"

static void volumes_that_do_not_serve_are_named(void **state)
{
	look(check_volumes, VERDICT_UNKNOWN, "does not tell", "'dmuserd'");
	volumes_are("[]");
	look(check_volumes, VERDICT_OK, "0, and none amiss", "");
	volumes_are("[{\"name\":\"a\",\"state\":\"active\"},{\"name\":\"b\","
		    "\"state\":\"created\"}]");
	look(check_volumes, VERDICT_OK, "2, of which 1 come or go", "");
	volumes_are("[{\"name\":\"a\",\"state\":\"releasing\",\"error\":\"kept open by pid 7\"}]");
	look(check_volumes, VERDICT_WARN, "1 of 1: a (releasing: kept open by pid 7)",
	     "dmuserctl release a says who");
	volumes_are("[{\"name\":\"a\",\"state\":\"releasing\",\"error\":\"x\"}," DEGRADED(
		    "b", ",\"container\":\"c\"") ",{\"name\":\"d\",\"state\":\"active\"}]");
	look(check_volumes, VERDICT_FAIL,
	     "2 of 3: a (releasing: x), b (degraded: its worker was killed)",
	     "dmuserctl release b --container c, then create it again; dmuserctl show b "
	     "--container c");
	volumes_are("[" DEGRADED("a", "") "," DEGRADED("b", "") "," DEGRADED("c", "") "," DEGRADED(
		    "d", "") "," DEGRADED("e", "") "]");
	look(check_volumes, VERDICT_FAIL, "5 of 5, such as: a (degraded", "dmuserctl show a");
	assert_null(strstr(finding.found, "e (degraded"));
}

/* What dmuserd has not noticed, the kernel has counted. */
static void what_the_kernel_counts_of_a_volume_is_told(void **state)
{
	volumes_are("[{\"name\":\"a\",\"state\":\"active\",\"kernel\":{\"errors\":0,"
		    "\"timed_out\":0}}]");
	look(check_volumes, VERDICT_OK, "1, and none amiss", "");
	volumes_are("[{\"name\":\"a\",\"state\":\"active\","
		    "\"options\":{\"path\":\"/nonexistent/a.img\"},\"kernel\":{\"errors\":3,"
		    "\"timed_out\":0}}]");
	look(check_volumes, VERDICT_WARN, "1 of 1: a (active; I/O errors: 3)",
	     "dmesg may tell why, unless the file system of /nonexistent/a.img was full then");
	volumes_are("[{\"name\":\"a\",\"state\":\"active\",\"kernel\":{\"errors\":0,"
		    "\"timed_out\":1}}]");
	look(check_volumes, VERDICT_WARN, "not answered in time: 1", "dmuserctl show a");
	volumes_are("[{\"name\":\"a\",\"state\":\"active\",\"kernel\":{\"errors\":2,"
		    "\"timed_out\":1,\"dead\":\"the worker's channel is broken\"}}]");
	look(check_volumes, VERDICT_FAIL, "a (active, but the worker's channel is broken; I/O "
					  "errors: 2",
	     "dmuserctl release a, then create it again");
}

/* What is not one's own is not in the list, and is not left over for that. */
static void of_others_devices_nothing_is_said_but_to_root(void **state)
{
	tree_file("/sys/block/dm-1/dm/uuid", "DMUSER-u1\n");
	tree_file("/sys/block/dm-1/dm/name", "dmuser-v1\n");
	volumes_are("[]");
	look(check_left_over_devices, VERDICT_FAIL, "1 that dmuserd does not know",
	     "dmsetup remove");
	probe.uid = 4711;
	look(check_left_over_devices, VERDICT_UNKNOWN, "not all are yours to see", "run as root");
}

static void runtimes_are_told_with_their_versions(void **state)
{
	look(check_runtimes, VERDICT_WARN, "neither", "apt install crun");
	tree_program("/usr/bin/crun");
	look(check_runtimes, VERDICT_OK, "/usr/bin/crun", "");
	tree_file("/var/lib/dpkg/status",
		  "Package: crun-vm\nVersion: 9\n\nPackage: crun\nStatus: ok\n"
		  "Version: 1.8.1-1\n\nPackage: zip\nVersion: 3\n");
	tree_program("/usr/sbin/runc");
	look(check_runtimes, VERDICT_OK, "/usr/bin/crun 1.8.1-1, /usr/sbin/runc", "");
}

static void put_hook_files(const char *hook)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"version\":\"1.0.0\",\"hook\":{\"path\":\"%s\"}}", hook);
	tree_file(HOOKS "/dmuser.json", text);
	tree_file(HOOKS "/dmuser-poststop.json", text);
}

static void engines_find_the_hook_by_its_files(void **state)
{
	look(check_hook_files, VERDICT_OK, "not needed", "");
	tree_program("/usr/bin/podman");
	look(check_hook_files, VERDICT_WARN, "dmuser.json is not there",
	     "packaging/oci-hooks/dmuser.json");
	put_hook_files(DMUSER_LIBEXECDIR "/dmuser-oci-hook");
	look(check_hook_files, VERDICT_OK, "run the hook", "");
	put_hook_files("/gone");
	look(check_hook_files, VERDICT_FAIL, "'/gone', which is no program", "install dmuser");
	tree_remove("/usr/bin/podman");
	look(check_hook_files, VERDICT_FAIL, "'/gone', which is no program", "install dmuser");
	tree_file(HOOKS "/dmuser.json", "no JSON");
	look(check_hook_files, VERDICT_FAIL, "dmuser.json", "mend that file");
}

static void file_systems_are_made_by_mkfs(void **state)
{
	look(check_file_systems, VERDICT_WARN, "none, not the default ext4",
	     "apt install e2fsprogs xfsprogs btrfs-progs");
	tree_program("/usr/sbin/mkfs.xfs");
	look(check_file_systems, VERDICT_WARN, "xfs, not the default ext4",
	     "apt install e2fsprogs btrfs-progs");
	tree_program("/sbin/mkfs.ext4");
	look(check_file_systems, VERDICT_OK,
	     "ext4 xfs can be made on new volumes (for others: btrfs-progs)", "");
	tree_program("/sbin/mkfs.btrfs");
	look(check_file_systems, VERDICT_OK, "ext4 xfs btrfs", "");
}

static void settings_come_from_the_file_and_the_command_line(void **state)
{
	static const char words[] =
		"/usr/sbin/dmuserd\0--config\0/etc/other.conf\0--set\0run_dir=/run/x\0"
		"--set=volumes_max=7\0--set\0socket_group=b";

	tree_file(CONFIG_FILE,
		  "# run_dir = /no\n  libexec_dir = /opt/dmuser \nvolumes_max=many\nodd\n");
	installation_read(&probe);
	assert_string_equal(probe.installation.run_dir, "/run/dmuser");
	assert_string_equal(probe.installation.libexec_dir, "/opt/dmuser");
	assert_int_equal(probe.installation.volumes_max, 1024);
	probe.daemon.pid = 77;
	tree_bytes("/proc/77/cmdline", words, sizeof(words));
	tree_file("/etc/other.conf", "socket_group = a\nworker_uid_base = 1700000000");
	installation_read(&probe);
	assert_string_equal(probe.installation.run_dir, "/run/x");
	assert_string_equal(probe.installation.libexec_dir, DMUSER_LIBEXECDIR);
	assert_string_equal(probe.installation.socket_group, "b");
	assert_int_equal(probe.installation.volumes_max, 7);
	assert_int_equal(probe.installation.worker_uid_base, 1700000000);
}

/* packaging/dmuserd.conf has each key with its default, commented out. */
static void defaults_are_those_of_the_packaged_file(void **state)
{
	struct installation_facts defaults = probe.installation, read = {};
	_cleanup_(fclosep) FILE *file = fopen(getenv("DMUSERD_CONF"), "re");
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (line[0] == '#' && line[1] != ' ')
			installation_parse(&read, line + 1);
	assert_string_equal(read.run_dir, defaults.run_dir);
	assert_string_equal(read.libexec_dir, defaults.libexec_dir);
	assert_string_equal(read.socket_group, defaults.socket_group);
	assert_int_equal(read.worker_uid_base, defaults.worker_uid_base);
	assert_int_equal(read.worker_uid_count, defaults.worker_uid_count);
	assert_int_equal(read.parser_uid_base, defaults.parser_uid_base);
	assert_int_equal(read.parser_uid_count, defaults.parser_uid_count);
	assert_int_equal(read.connections_max, defaults.connections_max);
	assert_int_equal(read.volumes_max, defaults.volumes_max);
}

static void this_machine_can_be_looked_at(void **state)
{
	struct probe here;

	assert_int_equal(machine_probe(&here), 0);
	assert_true(here.release[0] != '\0');
	assert_true(here.n_groups > 0);
	assert_true(here.nofile_max > 0);
	for (size_t i = 0; i < n_checks; i++) {
		struct finding f = { .verdict = VERDICT_UNKNOWN };

		checks[i].run(&here, &f);
		assert_true(f.found[0] != '\0');
		assert_true((f.verdict == VERDICT_OK) == (f.advice[0] == '\0'));
	}
	probe_done(&here);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tree_set_up, tree_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(uids_of_workers_are_nobody_else_s),
		TEST(who_may_connect_is_told),
		TEST(a_udev_without_device_mapper_s_rules_hangs_devices),
		TEST(what_is_not_installed_is_named),
		TEST(a_silent_dmuserd_is_started_as_it_is_installed),
		TEST(dmuserd_has_to_be_of_our_version),
		TEST(devices_that_dmuserd_does_not_know_are_left_over),
		TEST(volumes_that_do_not_serve_are_named),
		TEST(what_the_kernel_counts_of_a_volume_is_told),
		TEST(of_others_devices_nothing_is_said_but_to_root),
		TEST(runtimes_are_told_with_their_versions),
		TEST(engines_find_the_hook_by_its_files),
		TEST(file_systems_are_made_by_mkfs),
		TEST(settings_come_from_the_file_and_the_command_line),
		TEST(defaults_are_those_of_the_packaged_file),
		cmocka_unit_test(this_machine_can_be_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
