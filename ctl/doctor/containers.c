// SPDX-License-Identifier: Apache-2.0
/*
 * Checks of what containers need besides: a runtime, the files by which engines find the hook, and
 * mkfs.
 *
 * None of these is needed for volumes without containers, so nothing here is worse than a warning,
 * but for a hook file that names a hook that is not there: each container with a volume would fail.
 */
#include "ctl/doctor/check.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <limits.h>
#include <string.h>

/* A package's version, as dpkg knows it; "" if it does not. Returns out. */
static char *package_version(const char *status, const char *package, char *out, size_t size)
{
	char heading[80];
	const char *entry, *version;

	out[0] = '\0';
	snprintf(heading, sizeof(heading), "Package: %s\n", package);
	for (entry = status; (entry = strstr(entry, heading)); entry++) {
		const char *end = strstr(entry, "\n\n");

		version = strstr(entry, "\nVersion: ");
		if ((entry != status && entry[-1] != '\n') || !version || (end && version > end))
			continue;
		version += strlen("\nVersion: ");
		snprintf(out, size, " %.*s", (int)strcspn(version, "\n"), version);
		return out;
	}
	return out;
}

void check_runtimes(struct probe *probe, struct finding *ret_finding)
{
	static const char *const names[] = { "crun", "runc" };
	_cleanup_(freep) char *status = NULL;
	char found[1024] = "", path[256], version[64];
	size_t size;

	if (probe_read_all(probe, &status, &size, "/var/lib/dpkg/status") < 0)
		status = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t used = strlen(found);

		if (probe_find_program(probe, names[i], path, sizeof(path)))
			snprintf(found + used, sizeof(found) - used, "%s%s%s", used ? ", " : "",
				 path,
				 package_version(status ?: "", names[i], version, sizeof(version)));
	}
	if (found[0]) {
		finding_set(ret_finding, VERDICT_OK, "%s", found);
		return;
	}
	finding_set(ret_finding, VERDICT_WARN, "neither crun nor runc is there");
	finding_advise(ret_finding, "apt install crun, if containers are to have volumes");
}

/* The hook's path that a hook file names. 0, or a negative errno. */
static int read_hook_path(struct probe *probe, const char *file, char *ret_path, size_t size)
{
	_cleanup_(object_putp) struct json_object *object = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t text_size;
	int r = probe_read_all(probe, &text, &text_size, "%s", file);

	if (r == 0)
		r = object_parse(text, text_size, &object);
	if (r < 0)
		return r;
	snprintf(ret_path, size, "%s",
		 object_string(object_member(object, "hook", json_type_object), "path", ""));
	return 0;
}

/* True if a file of that name is in one of the places, and good; says what is wrong with it
 * otherwise. */
static bool hook_file_is_good(struct probe *probe, const char *name, struct finding *f)
{
	static const char *const dirs[] = { "/etc/containers/oci/hooks.d",
					    "/usr/share/containers/oci/hooks.d" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char file[PATH_MAX], path[256] = "";
		int r;

		snprintf(file, sizeof(file), "%s/%s", dirs[i], name);
		r = read_hook_path(probe, file, path, sizeof(path));
		if (r == -ENOENT)
			continue;
		if (r == 0 && probe_is_program(probe, "%s", path))
			return true;
		finding_set(f, VERDICT_FAIL, "%s names the hook '%s', which is no program", file,
			    path);
		finding_advise(f, "install dmuser (again), or mend that file, or remove it");
		return false;
	}
	finding_set(f, VERDICT_WARN, "%s is not there, so podman and cri-o do not run the hook",
		    name);
	finding_advise(
		f, "install dmuser (again), or copy packaging/oci-hooks/%s of its sources to %s",
		name, dirs[1]);
	return false;
}

void check_hook_files(struct probe *probe, struct finding *ret_finding)
{
	char path[256];

	if (!hook_file_is_good(probe, "dmuser.json", ret_finding) ||
	    !hook_file_is_good(probe, "dmuser-poststop.json", ret_finding)) {
		if (ret_finding->verdict == VERDICT_FAIL ||
		    probe_find_program(probe, "podman", path, sizeof(path)) ||
		    probe_find_program(probe, "crio", path, sizeof(path)))
			return;
		finding_advise(ret_finding, "%s", "");
		finding_set(ret_finding, VERDICT_OK,
			    "not needed: neither podman nor cri-o is there");
		return;
	}
	finding_set(ret_finding, VERDICT_OK,
		    "podman and cri-o run the hook for containers with volumes");
}

void check_file_systems(struct probe *probe, struct finding *ret_finding)
{
	static const struct {
		const char *name, *program, *package;
	} kinds[] = {
		{ "ext4", "mkfs.ext4", "e2fsprogs" },
		{ "xfs", "mkfs.xfs", "xfsprogs" },
		{ "btrfs", "mkfs.btrfs", "btrfs-progs" },
	};
	char can[64] = "", cannot[64] = "", path[256];
	bool has_default = false;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool found = probe_find_program(probe, kinds[i].program, path, sizeof(path));
		char *list = found ? can : cannot;
		size_t used = strlen(list);

		has_default |= found && i == 0;
		snprintf(list + used, sizeof(can) - used, " %s",
			 found ? kinds[i].name : kinds[i].package);
	}
	finding_set(ret_finding, has_default ? VERDICT_OK : VERDICT_WARN,
		    "%s%s can be made on new volumes%s%s%s", can[0] ? can + 1 : "none",
		    has_default ? "" : ", not the default ext4,", cannot[0] ? " (for others:" : "",
		    cannot, cannot[0] ? ")" : "");
	if (!has_default)
		finding_advise(ret_finding, "apt install%s", cannot);
}
