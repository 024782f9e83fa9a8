// SPDX-License-Identifier: Apache-2.0
/*
 * Checks of the cgroups that the spawner keeps workers in, and of the spawner, which is found in
 * one.
 *
 * The spawner's base is "dmuser" at the root of the hierarchy, also under systemd: dmuser's unit
 * does not delegate, as it says. It is dmuser-workers.service's own cgroup only where somebody has
 * changed that. The spawner sits in a leaf, "_spawner"; beside it is a group for each container or
 * volume.
 */
#include "ctl/doctor/check.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define LEAF			"_spawner"
#define CAPABILITY_SYS_RESOURCE 24

/* Where cgroup2 is mounted whole: the place that the spawner takes. */
static int find_mount(struct probe *probe, char *ret_point, size_t size)
{
	_cleanup_(freep) char *text = NULL;
	struct proc_mount mount;
	const char *cursor;
	size_t text_size;
	int r = probe_read_all(probe, &text, &text_size, "/proc/self/mountinfo");

	if (r < 0)
		return r;
	for (cursor = text; (r = proc_next_mount(&cursor, &mount)) > 0;) {
		if (proc_is_cgroup2(&mount) && proc_word_path(&mount.point, ret_point, size) == 0)
			return 0;
	}
	return r < 0 ? r : -ENOENT;
}

/* The spawner's base, if there is one: a place in the mount, whose path may be as long as any. */
#define BASE_SIZE (PATH_MAX + 64)

static int find_base(struct probe *probe, char *ret_base, size_t size)
{
	static const char *const places[] = { "system.slice/dmuser-workers.service", "dmuser" };
	char mount[PATH_MAX];
	int r = find_mount(probe, mount, sizeof(mount));

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!probe_exists(probe, "%s/%s/" LEAF, mount, places[i]))
			continue;
		snprintf(ret_base, size, "%s/%s", mount, places[i]);
		return 0;
	}
	return -ENOENT;
}

void check_cgroup(struct probe *probe, struct finding *ret_finding)
{
	char mount[PATH_MAX], controllers[1024];
	int r = find_mount(probe, mount, sizeof(mount));

	if (r < 0 && r != -ENOENT) {
		finding_set_unreadable(ret_finding, "/proc/self/mountinfo", r);
		return;
	}
	if (r < 0) {
		finding_set(ret_finding, VERDICT_FAIL, "not mounted");
		finding_advise(ret_finding,
			       "mount -t cgroup2 cgroup2 /sys/fs/cgroup; under systemd, boot with "
			       "systemd.unified_cgroup_hierarchy=1");
		return;
	}
	r = probe_read(probe, controllers, sizeof(controllers), "%s/cgroup.controllers", mount);
	if (r < 0) {
		finding_set_unreadable(ret_finding, mount, r);
		return;
	}
	if (probe_has_word(controllers, "memory") && probe_has_word(controllers, "pids")) {
		finding_set(ret_finding, VERDICT_OK, "with the controllers memory and pids, at %s",
			    mount);
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "no controller '%s' (cgroup v1 holds it, or it is off), at %s",
		    probe_has_word(controllers, "memory") ? "pids" : "memory", mount);
	finding_advise(ret_finding,
		       "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all, and without "
		       "cgroup_disable=memory");
}

void check_workers_cgroup(struct probe *probe, struct finding *ret_finding)
{
	char base[BASE_SIZE], controllers[1024];
	int r = find_base(probe, base, sizeof(base));

	if (r < 0) {
		finding_set(ret_finding, VERDICT_OK, "made when the spawner starts");
		return;
	}
	r = probe_read(probe, controllers, sizeof(controllers), "%s/cgroup.subtree_control", base);
	if (r < 0) {
		finding_set_unreadable(ret_finding, base, r);
		return;
	}
	if (probe_has_word(controllers, "memory") && probe_has_word(controllers, "pids")) {
		finding_set(ret_finding, VERDICT_OK, "%s, which hands on memory and pids", base);
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "%s does not hand on memory and pids, so workers have no limits", base);
	finding_advise(ret_finding,
		       "echo +memory +pids >%s/cgroup.subtree_control; or restart the spawner, "
		       "which does that (under systemd: systemctl restart dmuser-workers dmuserd; "
		       "volumes that there are live on)",
		       base);
}

/* The pid in the spawner's leaf; 0 if nobody is there. A negative errno: it is not known. */
static int find_spawner(struct probe *probe)
{
	char base[BASE_SIZE], text[256];
	int pid, r = find_base(probe, base, sizeof(base));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = probe_read(probe, text, sizeof(text), "%s/" LEAF "/cgroup.procs", base);
	if (r < 0)
		return r;
	return sscanf(text, "%d", &pid) == 1 ? pid : 0;
}

void check_spawner(struct probe *probe, struct finding *ret_finding)
{
	int pid = find_spawner(probe);

	if (pid < 0) {
		finding_set_unreadable(ret_finding, "its cgroup", pid);
	} else if (pid > 0) {
		finding_set(ret_finding, VERDICT_OK, "runs, pid %d", pid);
	} else if (probe->daemon.error != 0) {
		finding_set(ret_finding, VERDICT_OK, "does not run; it starts with dmuserd");
	} else {
		finding_set(ret_finding, VERDICT_FAIL, "has ended, so no worker can be started");
		finding_advise(ret_finding, "%s; volumes that there are live on",
			       probe_exists(probe, "/run/systemd/system")
				       ? "systemctl restart dmuser-workers dmuserd"
				       : "stop dmuserd (SIGTERM) and start it again");
	}
}

/* Workers' limits are raised by the spawner, so its power to do so counts and nobody's limit. */
void check_locked_memory(struct probe *probe, struct finding *ret_finding)
{
	char text[8192];
	struct proc_status status;
	int pid = find_spawner(probe);

	if (pid <= 0) {
		finding_set(ret_finding, VERDICT_OK,
			    "raised for each worker by the spawner, when it runs");
		return;
	}
	if (probe_read(probe, text, sizeof(text), "/proc/%d/status", pid) < 0 ||
	    proc_parse_status(text, &status) < 0) {
		finding_set(ret_finding, VERDICT_UNKNOWN,
			    "/proc/%d does not tell what the spawner may do", pid);
		finding_advise(ret_finding, "run as root: sudo dmuserctl doctor");
	} else if (status.effective & (UINT64_C(1) << CAPABILITY_SYS_RESOURCE)) {
		finding_set(ret_finding, VERDICT_OK, "raised for each worker by the spawner");
	} else {
		finding_set(ret_finding, VERDICT_FAIL,
			    "the spawner has no CAP_SYS_RESOURCE to raise it with");
		finding_advise(ret_finding,
			       "take CapabilityBoundingSet= out of dmuser-workers.service, or "
			       "leave the container that it runs in");
	}
}

/*
 * Groups without a process; a name with '_' is the spawner's own. The advice shows on the first how
 * to remove one.
 */
static unsigned int count_empty(struct probe *probe, const char *base, struct finding *f)
{
	_cleanup_(closedirp) DIR *dir = probe_open_dir(probe, "%s", base);
	unsigned int n = 0;

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char text[256];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || entry->d_name[0] == '_' ||
		    probe_read(probe, text, sizeof(text), "%s/%s/cgroup.events", base,
			       entry->d_name) < 0 ||
		    !strstr(text, "populated 0"))
			continue;
		if (n++ == 0)
			finding_advise(f,
				       "if no volume is just being made: find %s/%s -depth -type d "
				       "-exec rmdir {} +",
				       base, entry->d_name);
	}
	return n;
}

void check_left_over_cgroups(struct probe *probe, struct finding *ret_finding)
{
	char base[BASE_SIZE];
	unsigned int n;

	if (find_base(probe, base, sizeof(base)) < 0) {
		finding_set(ret_finding, VERDICT_OK, "none");
		return;
	}
	n = count_empty(probe, base, ret_finding);
	if (n == 0)
		finding_set(ret_finding, VERDICT_OK, "none");
	else
		finding_set(ret_finding, VERDICT_WARN, "%u below %s hold%s no process", n, base,
			    n == 1 ? "s" : "");
}
