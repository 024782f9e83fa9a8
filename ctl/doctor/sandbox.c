// SPDX-License-Identifier: Apache-2.0
/* Checks of what workers are confined with: namespaces, seccomp, Landlock, and newer system calls.
 */
#include "ctl/doctor/check.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

/* Root of a user namespace may not make device-mapper devices, whatever else it may. */
void check_first_namespace(struct probe *probe, struct finding *ret_finding)
{
	char text[4096];
	unsigned long long inside, outside, count;
	int r = probe_read(probe, text, sizeof(text), "/proc/self/uid_map");

	if (r < 0) {
		finding_set_unreadable(ret_finding, "/proc/self/uid_map", r);
		return;
	}
	if (sscanf(text, "%llu %llu %llu", &inside, &outside, &count) == 3 && inside == 0 &&
	    outside == 0 && count == UINT32_MAX) {
		finding_set(ret_finding, VERDICT_OK, "its uids are the machine's own");
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "this is a user namespace: a container without root's powers");
	finding_advise(ret_finding, "run dmuserd, and this, on the host itself");
}

static const char *const kinds[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" };

/* The least of the limits of the seven kinds. 0, or a negative errno. */
static int least_limit(struct probe *probe, uint64_t *ret_limit, const char **ret_kind)
{
	*ret_limit = UINT64_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t limit;
		int r = probe_read_number(probe, &limit, "/proc/sys/user/max_%s_namespaces",
					  kinds[i]);

		*ret_kind = r < 0 || limit < *ret_limit ? kinds[i] : *ret_kind;
		if (r < 0)
			return r;
		*ret_limit = limit < *ret_limit ? limit : *ret_limit;
	}
	return 0;
}

static void judge_trial(struct probe *probe, struct finding *f)
{
	uint64_t unprivileged = 1;

	probe_read_number(probe, &unprivileged, "/proc/sys/kernel/unprivileged_userns_clone");
	if (probe->namespaces_error == 0) {
		finding_set(f, VERDICT_OK, "a process can be had in its own of all seven kinds%s",
			    unprivileged ? "" : " (by root, which is enough)");
	} else if (probe->uid != 0) {
		finding_set(f, VERDICT_UNKNOWN,
			    "you may not make them (%s), which says nothing of root",
			    strerror(-probe->namespaces_error));
		finding_advise(f, "run as root: sudo dmuserctl doctor");
	} else {
		finding_set(f, VERDICT_FAIL, "no process can be had in its own: %s",
			    strerror(-probe->namespaces_error));
		finding_advise(
			f,
			"leave the container or chroot that this runs in, or have it run with all "
			"privileges and without a seccomp filter");
	}
}

void check_namespaces(struct probe *probe, struct finding *ret_finding)
{
	uint64_t limit,
		wanted = probe->installation.volumes_max + probe->installation.connections_max;
	const char *kind = "";
	int r = least_limit(probe, &limit, &kind);

	if (r < 0) {
		finding_set(ret_finding, VERDICT_FAIL, "this kernel has no %s namespaces", kind);
		finding_advise(ret_finding,
			       "boot a kernel with CONFIG_NAMESPACES and CONFIG_USER_NS; every "
			       "distribution's has them");
	} else if (limit == 0) {
		finding_set(ret_finding, VERDICT_FAIL,
			    "%s namespaces are forbidden to all (user.max_%s_namespaces is 0)",
			    kind, kind);
		finding_advise(ret_finding,
			       "sysctl -w user.max_%s_namespaces=65536, and the same line in a "
			       "file of /etc/sysctl.d",
			       kind);
	} else if (limit < wanted) {
		finding_set(ret_finding, VERDICT_WARN,
			    "no more than %" PRIu64 " %s namespaces, and dmuserd may "
			    "want %" PRIu64,
			    limit, kind, wanted);
		finding_advise(
			ret_finding,
			"sysctl -w user.max_%s_namespaces=65536, and the same line in a file of "
			"/etc/sysctl.d; or lower volumes_max in /etc/dmuser/dmuserd.conf",
			kind);
	} else {
		judge_trial(probe, ret_finding);
	}
}

void check_seccomp(struct probe *probe, struct finding *ret_finding)
{
	char text[256];

	if (probe_read(probe, text, sizeof(text), "/proc/sys/kernel/seccomp/actions_avail") == 0 &&
	    probe_has_word(text, "kill_process")) {
		finding_set(ret_finding, VERDICT_OK, "filters can be loaded, and can kill");
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "this kernel has no filters of system calls that can kill");
	finding_advise(ret_finding,
		       "boot a kernel with CONFIG_SECCOMP_FILTER; every distribution's has it");
}

void check_landlock(struct probe *probe, struct finding *ret_finding)
{
	char text[256] = "";

	if (probe->landlock_version > 0) {
		finding_set(ret_finding, VERDICT_OK, "version %d", probe->landlock_version);
		return;
	}
	if (probe_read(probe, text, sizeof(text), "/sys/kernel/security/lsm") < 0)
		text[0] = '\0';
	finding_set(ret_finding, VERDICT_WARN, "%s: one wall less around workers",
		    probe->landlock_version == -EOPNOTSUPP ? "not switched on"
							   : "not in this kernel");
	if (probe->landlock_version == -EOPNOTSUPP)
		finding_advise(ret_finding, "add lsm=landlock%s%s to the kernel's command line",
			       text[0] ? "," : "", text);
	else
		finding_advise(ret_finding,
			       "boot a kernel with CONFIG_SECURITY_LANDLOCK, as Debian's have it");
}

void check_system_calls(struct probe *probe, struct finding *ret_finding)
{
	if (!probe->missing_calls[0]) {
		finding_set(ret_finding, VERDICT_OK, "all that are needed are there");
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL, "missing: %s", probe->missing_calls);
	finding_advise(ret_finding,
		       "run on the host if this is a container, whose seccomp filter hides them; "
		       "otherwise boot Linux 6.1 or a newer one");
}
