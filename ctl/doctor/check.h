/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of dmuserctl doctor: each looks at one thing that serving volumes needs.
 *
 * A check sees the machine through its probe alone, changes nothing, and always fills in the
 * finding; one that is not ok says what to do, in words that can be typed where there are such. A
 * file a group.
 */
#pragma once

#include "ctl/doctor/finding.h"
#include "ctl/doctor/probe.h"

struct check {
	const char *name;
	void (*run)(struct probe *probe, struct finding *ret_finding);
};

/* All of them, in the order in which trouble is best looked for. */
extern const struct check checks[];
extern const size_t n_checks;

/* kernel.c */
void check_kernel(struct probe *probe, struct finding *ret_finding);
void check_module_loading(struct probe *probe, struct finding *ret_finding);
void check_device_mapper(struct probe *probe, struct finding *ret_finding);

/* module.c */
void check_module(struct probe *probe, struct finding *ret_finding);
void check_module_signature(struct probe *probe, struct finding *ret_finding);
void check_headers(struct probe *probe, struct finding *ret_finding);
void check_dkms(struct probe *probe, struct finding *ret_finding);

/* sandbox.c */
void check_first_namespace(struct probe *probe, struct finding *ret_finding);
void check_namespaces(struct probe *probe, struct finding *ret_finding);
void check_seccomp(struct probe *probe, struct finding *ret_finding);
void check_landlock(struct probe *probe, struct finding *ret_finding);
void check_system_calls(struct probe *probe, struct finding *ret_finding);

/* cgroups.c */
void check_cgroup(struct probe *probe, struct finding *ret_finding);
void check_workers_cgroup(struct probe *probe, struct finding *ret_finding);
void check_left_over_cgroups(struct probe *probe, struct finding *ret_finding);
void check_spawner(struct probe *probe, struct finding *ret_finding);
void check_locked_memory(struct probe *probe, struct finding *ret_finding);

/* limits.c */
void check_open_files(struct probe *probe, struct finding *ret_finding);
void check_processes(struct probe *probe, struct finding *ret_finding);
void check_memory(struct probe *probe, struct finding *ret_finding);

/* users.c */
void check_uids(struct probe *probe, struct finding *ret_finding);
void check_access(struct probe *probe, struct finding *ret_finding);

/* service.c */
void check_udev(struct probe *probe, struct finding *ret_finding);
void check_programs(struct probe *probe, struct finding *ret_finding);
void check_dmuserd(struct probe *probe, struct finding *ret_finding);
void check_left_over_devices(struct probe *probe, struct finding *ret_finding);

/* volumes.c */
void check_volumes(struct probe *probe, struct finding *ret_finding);

/* containers.c */
void check_runtimes(struct probe *probe, struct finding *ret_finding);
void check_hook_files(struct probe *probe, struct finding *ret_finding);
void check_file_systems(struct probe *probe, struct finding *ret_finding);
