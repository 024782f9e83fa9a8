// SPDX-License-Identifier: Apache-2.0
/* The list of checks; see check.h. */
#include "ctl/doctor/check.h"
#include "util/cleanup.h"

const struct check checks[] = {
	{ "kernel", check_kernel },
	{ "module loading", check_module_loading },
	{ "device-mapper", check_device_mapper },
	{ "module dm-user", check_module },
	{ "module signature", check_module_signature },
	{ "kernel headers", check_headers },
	{ "dkms", check_dkms },
	{ "host", check_first_namespace },
	{ "namespaces", check_namespaces },
	{ "seccomp", check_seccomp },
	{ "landlock", check_landlock },
	{ "system calls", check_system_calls },
	{ "cgroup v2", check_cgroup },
	{ "workers' cgroup", check_workers_cgroup },
	{ "memory", check_memory },
	{ "processes", check_processes },
	{ "open files", check_open_files },
	{ "locked memory", check_locked_memory },
	{ "uids", check_uids },
	{ "udev", check_udev },
	{ "programs", check_programs },
	{ "access", check_access },
	{ "dmuserd", check_dmuserd },
	{ "spawner", check_spawner },
	{ "volumes", check_volumes },
	{ "container runtime", check_runtimes },
	{ "hook files", check_hook_files },
	{ "file systems", check_file_systems },
	{ "left-over devices", check_left_over_devices },
	{ "left-over cgroups", check_left_over_cgroups },
};

const size_t n_checks = ARRAY_SIZE(checks);
