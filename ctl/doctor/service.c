// SPDX-License-Identifier: Apache-2.0
/* Checks of dmuserd: what it is installed with, whether it answers, and devices that it does not
 * know. */
#include "ctl/doctor/check.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include "config.h"

#include <string.h>

/* device-mapper's own rules end the cookie that each operation waits for. */
void check_udev(struct probe *probe, struct finding *ret_finding)
{
	static const char *const rules[] = { "95-dm-notify.rules", "10-dm.rules", "55-dm.rules" };
	static const char *const dirs[] = { "/usr/lib/udev/rules.d", "/lib/udev/rules.d",
					    "/etc/udev/rules.d" };

	if (!probe_exists(probe, "/run/udev/control")) {
		finding_set(ret_finding, VERDICT_OK, "does not run, and is not needed");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		for (size_t k = 0; k < ARRAY_SIZE(dirs); k++)
			if (probe_exists(probe, "%s/%s", dirs[k], rules[i])) {
				finding_set(ret_finding, VERDICT_OK,
					    "runs, with device-mapper's rules");
				return;
			}
	finding_set(ret_finding, VERDICT_FAIL,
		    "runs without device-mapper's rules, so every new device waits for it in vain");
	finding_advise(ret_finding,
		       "apt install dmsetup, which brings them, and udevadm control --reload");
}

/* The first of what must be there and is not; or a backend without its program. */
static bool find_missing(struct probe *probe, char *ret_missing, size_t size,
			 unsigned int *ret_backends)
{
	static const char *const programs[] = { "dmuser-spawner", "dmuser-parser",
						"dmuser-oci-hook" };
	static const char *const filters[] = { "outer", "parser", "spawner", "supervisor" };
	const char *dir = probe->installation.libexec_dir;
	_cleanup_(closedirp) DIR *backends = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		snprintf(ret_missing, size, "%s/%s", dir, programs[i]);
		if (!probe_is_program(probe, "%s", ret_missing))
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		snprintf(ret_missing, size, "%s/seccomp/%s.bpf", dir, filters[i]);
		if (!probe_exists(probe, "%s", ret_missing))
			return true;
	}
	*ret_backends = 0;
	backends = probe_open_dir(probe, "%s/backends", dir);
	for (struct dirent *entry; backends && (entry = readdir(backends));) {
		size_t length = strlen(entry->d_name);

		if (length < 6 || strcmp(entry->d_name + length - 5, ".json") != 0)
			continue;
		snprintf(ret_missing, size, "%s/backends/dmuser-backend-%.*s", dir,
			 (int)(length - 5), entry->d_name);
		if (!probe_is_program(probe, "%s", ret_missing))
			return true;
		(*ret_backends)++;
	}
	return false;
}

void check_programs(struct probe *probe, struct finding *ret_finding)
{
	char missing[512];
	unsigned int n_backends;

	if (find_missing(probe, missing, sizeof(missing), &n_backends)) {
		finding_set(ret_finding, VERDICT_FAIL, "%s is not there", missing);
		finding_advise(ret_finding,
			       "install dmuser (again): packaging/install in its sources; or, if "
			       "it lies elsewhere, set libexec_dir in /etc/dmuser/dmuserd.conf");
	} else if (n_backends == 0) {
		finding_set(ret_finding, VERDICT_FAIL, "no backend in %s/backends",
			    probe->installation.libexec_dir);
		finding_advise(ret_finding,
			       "install dmuser (again): packaging/install in its sources");
	} else {
		finding_set(ret_finding, VERDICT_OK, "in %s, with %u backend%s",
			    probe->installation.libexec_dir, n_backends,
			    n_backends == 1 ? "" : "s");
	}
}

static void advise_starting(struct probe *probe, struct finding *f)
{
	char path[256];

	if (!probe_find_program(probe, "dmuserd", path, sizeof(path)))
		finding_advise(f, "install it: see 'programs'; then start it as root");
	else if (probe_exists(probe, "/run/systemd/system") &&
		 (probe_exists(probe, "/usr/lib/systemd/system/dmuserd.socket") ||
		  probe_exists(probe, "/etc/systemd/system/dmuserd.socket")))
		finding_advise(f, "systemctl enable --now dmuserd.socket dmuserd.service");
	else
		finding_advise(f, "start it as root: %s &", path);
}

static void judge_silence(struct probe *probe, struct finding *f)
{
	const struct daemon_facts *d = &probe->daemon;

	if (d->error == -ENOENT || d->error == -ECONNREFUSED) {
		finding_set(f, VERDICT_FAIL,
			    d->error == -ENOENT ? "does not run (there is no %s)"
						: "does not run (nobody listens at %s)",
			    d->address);
		advise_starting(probe, f);
	} else if (d->error == -EACCES || d->error == -EPERM) {
		finding_set(f, VERDICT_UNKNOWN, "you may not connect to %s", d->address);
		finding_advise(f, "see 'access', or run as root: sudo dmuserctl doctor");
	} else {
		finding_set(f, VERDICT_FAIL, "does not answer at %s: %s", d->address,
			    strerror(-d->error));
		finding_advise(f, "look why, with journalctl -u dmuserd, and restart it: its "
				  "volumes live on");
	}
}

/* Root is refused nothing but what cannot be done. */
static void judge_refusal(struct probe *probe, struct finding *f)
{
	const char *refusal = probe->daemon.refusal;

	finding_set(f, probe->uid == 0 ? VERDICT_FAIL : VERDICT_UNKNOWN,
		    "runs, and answers you with %s", refusal);
	if (strcmp(refusal, "io.dmuser.BackendFailed") == 0)
		finding_advise(f, "it can start no process to read requests: see 'spawner'");
	else if (probe->uid == 0)
		finding_advise(f, "look why, with journalctl -u dmuserd");
	else
		finding_advise(f, "see 'access', or run as root: sudo dmuserctl doctor");
}

void check_dmuserd(struct probe *probe, struct finding *ret_finding)
{
	const struct daemon_facts *d = &probe->daemon;

	if (d->error != 0) {
		judge_silence(probe, ret_finding);
	} else if (d->refusal[0]) {
		judge_refusal(probe, ret_finding);
	} else if (strcmp(d->version, DMUSER_VERSION) != 0) {
		finding_set(ret_finding, VERDICT_WARN, "%s answers, and this is dmuserctl %s",
			    d->version, DMUSER_VERSION);
		finding_advise(ret_finding,
			       "restart it (systemctl restart dmuserd; its volumes live on), if "
			       "dmuser was upgraded; otherwise use the dmuserctl of its version");
	} else {
		finding_set(ret_finding, VERDICT_OK, "%s answers", d->version);
	}
}

/* Left-over devices */

/* Others see their own volumes alone, which says nothing about the rest. */
static bool sees_all_volumes(const struct probe *probe)
{
	return probe->daemon.volumes && probe->uid == 0;
}

static bool is_known(const struct probe *probe, const char *uuid)
{
	struct json_object *volumes = probe->daemon.volumes;

	for (size_t i = 0; i < json_object_array_length(volumes); i++)
		if (strcmp(object_string(json_object_array_get_idx(volumes, i), "uuid", ""),
			   uuid) == 0)
			return true;
	return false;
}

/* Counts devices of ours, and those of them that dmuserd does not know, of which *ret_name is one.
 */
static unsigned int count_devices(struct probe *probe, unsigned int *ret_unknown, char *ret_name,
				  size_t size)
{
	static const char prefix[] = "DMUSER-";
	_cleanup_(closedirp) DIR *dir = probe_open_dir(probe, "/sys/block");
	unsigned int n = 0;

	*ret_unknown = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char uuid[160];

		if (strncmp(entry->d_name, "dm-", 3) != 0 ||
		    probe_read(probe, uuid, sizeof(uuid), "/sys/block/%s/dm/uuid", entry->d_name) <
			    0 ||
		    strncmp(uuid, prefix, strlen(prefix)) != 0)
			continue;
		n++;
		if (!sees_all_volumes(probe) || is_known(probe, uuid + strlen(prefix)))
			continue;
		(*ret_unknown)++;
		if (probe_read(probe, ret_name, size, "/sys/block/%s/dm/name", entry->d_name) < 0)
			snprintf(ret_name, size, "/dev/%s", entry->d_name);
	}
	return n;
}

void check_left_over_devices(struct probe *probe, struct finding *ret_finding)
{
	unsigned int n_unknown, n;
	char name[320];

	n = count_devices(probe, &n_unknown, name, sizeof(name));
	if (n == 0) {
		finding_set(ret_finding, VERDICT_OK, "none");
	} else if (probe->daemon.error == -ENOENT || probe->daemon.error == -ECONNREFUSED) {
		finding_set(ret_finding, VERDICT_WARN,
			    "%u of volumes, and no dmuserd that looks after them", n);
		finding_advise(ret_finding,
			       "start dmuserd: it takes over those that have a worker");
	} else if (!sees_all_volumes(probe)) {
		finding_set(ret_finding, VERDICT_UNKNOWN,
			    probe->uid == 0 ? "%u of volumes; dmuserd does not say which it knows" :
					      "%u of volumes, and not all are yours to see", n);
		finding_advise(ret_finding, probe->uid == 0 ? "see 'dmuserd'" :
							      "run as root: sudo dmuserctl doctor");
	} else if (n_unknown > 0) {
		finding_set(ret_finding, VERDICT_FAIL, "%u that dmuserd does not know, such as %s",
			    n_unknown, name);
		finding_advise(ret_finding,
			       "if nothing is being made or released just now: dmsetup message %s "
			       "0 fail && dmsetup remove %s",
			       name, name);
	} else {
		finding_set(ret_finding, VERDICT_OK, "none: dmuserd knows all %u", n);
	}
}
