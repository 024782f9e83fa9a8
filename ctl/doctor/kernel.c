// SPDX-License-Identifier: Apache-2.0
/* Checks of the kernel: its version, whether it takes modules, and device-mapper. */
#include "ctl/doctor/check.h"
#include "ctl/doctor/module-file.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <string.h>

/* The oldest that the module builds for. */
#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1
#define CAPABILITY_SYS_MODULE 16

void check_kernel(struct probe *probe, struct finding *ret_finding)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(probe->release, "%u.%u", &major, &minor) != 2) {
		finding_set(ret_finding, VERDICT_UNKNOWN, "it calls itself '%s'", probe->release);
		finding_advise(ret_finding, "boot Linux %d.%d or a newer one", OLDEST_MAJOR,
			       OLDEST_MINOR);
		return;
	}
	if (major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR)) {
		finding_set(ret_finding, VERDICT_OK, "%s", probe->release);
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL, "%s is older than %d.%d", probe->release,
		    OLDEST_MAJOR, OLDEST_MINOR);
	finding_advise(ret_finding,
		       "boot Linux %d.%d or a newer one; on Debian 12: apt install "
		       "linux-image-amd64, and reboot",
		       OLDEST_MAJOR, OLDEST_MINOR);
}

/* Without modprobe nothing is loaded at need, neither by dmuserd nor by mount. */
static void check_modprobe(struct probe *probe, struct finding *ret_finding)
{
	char path[256];

	if (probe_read(probe, path, sizeof(path), "/proc/sys/kernel/modprobe") < 0 ||
	    probe_is_program(probe, "%s", path)) {
		finding_set(ret_finding, VERDICT_OK, "modules can be loaded");
		return;
	}
	finding_set(ret_finding, VERDICT_WARN,
		    "modules can be loaded, but not at need: there is no program '%s'", path);
	finding_advise(ret_finding, "apt install kmod, or put modprobe's path into "
				    "/proc/sys/kernel/modprobe");
}

/* A container's root may lack the power for good: it is not in its bounding set. */
static bool may_load(struct probe *probe)
{
	char text[8192];
	struct proc_status status;

	return probe_read(probe, text, sizeof(text), "/proc/self/status") < 0 ||
	       proc_parse_status(text, &status) < 0 ||
	       (status.bounding & (UINT64_C(1) << CAPABILITY_SYS_MODULE));
}

void check_module_loading(struct probe *probe, struct finding *ret_finding)
{
	uint64_t disabled = 0;

	if (!probe_exists(probe, "/proc/modules")) {
		finding_set(ret_finding, VERDICT_FAIL,
			    "this kernel takes no modules (there is no /proc/modules)");
		finding_advise(ret_finding,
			       "boot a distribution's kernel (on Debian: apt install "
			       "linux-image-amd64, and reboot); in a container or a machine whose "
			       "kernel cannot be changed, use a virtual machine: "
			       "packaging/quickstart in dmuser's sources does");
		return;
	}
	probe_read_number(probe, &disabled, "/proc/sys/kernel/modules_disabled");
	if (!disabled && may_load(probe)) {
		check_modprobe(probe, ret_finding);
		return;
	}
	if (probe_exists(probe, "/sys/module/dm_user")) {
		finding_set(ret_finding, VERDICT_OK, "not from here, but dm-user is loaded");
		return;
	}
	if (!disabled) {
		finding_set(ret_finding, VERDICT_FAIL,
			    "no process here may load modules: this is a container, or the like");
		finding_advise(ret_finding, "modprobe dm-user on the machine itself");
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "closed until the next boot (kernel.modules_disabled is 1)");
	finding_advise(ret_finding,
		       "echo dm-user >/etc/modules-load.d/dm-user.conf, so that it is loaded "
		       "before that is set, and reboot");
}

void check_device_mapper(struct probe *probe, struct finding *ret_finding)
{
	_cleanup_(freep) char *misc = NULL;
	char file[256];
	size_t size;
	bool registered = probe_exists(probe, "/sys/class/misc/device-mapper");

	if (!registered && probe_read_all(probe, &misc, &size, "/proc/misc") == 0)
		registered = probe_has_word(misc, "device-mapper");
	if (registered) {
		finding_set(ret_finding, VERDICT_OK, "present");
		return;
	}
	if (module_file_find(probe, "dm-mod", file, sizeof(file)) < 0) {
		finding_set(ret_finding, VERDICT_FAIL, "neither in this kernel nor a module of it");
		finding_advise(ret_finding,
			       "boot a kernel with CONFIG_BLK_DEV_DM; every distribution's has it");
		return;
	}
	if (probe_exists(probe, "/dev/mapper/control")) {
		finding_set(ret_finding, VERDICT_OK,
			    "not loaded yet; opening /dev/mapper/control loads it");
		return;
	}
	finding_set(ret_finding, VERDICT_FAIL,
		    "not loaded, and no /dev/mapper/control that would load it");
	finding_advise(ret_finding, "modprobe dm-mod; for every boot: echo dm-mod "
				    ">/etc/modules-load.d/dm-mod.conf");
}
