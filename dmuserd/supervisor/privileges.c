// SPDX-License-Identifier: Apache-2.0
/*
 * What the supervisor keeps of root's powers; see privileges.h.
 *
 *   SYS_ADMIN     device-mapper's ioctls. Makes it as good as root: said openly, so it parses nothing
 *   SYS_PTRACE    to look at a worker under /proc/PID, which not even root may without
 *   DAC_OVERRIDE  images and their directories that belong to other users
 *   MKNOD         device nodes that libdevmapper makes itself where there is no udev
 *
 * Not CHOWN and FOWNER: what it makes is root's and stays so. (libdevmapper would like to give its nodes to
 * group disk; nobody of that group has business with a container's volume.) Not KILL: ending is the
 * spawner's. Not SETUID and SETGID: it becomes nobody else. Not SYS_MODULE: the kernel loads the module by
 * itself when its target is asked for.
 */
#include "dmuserd/supervisor/privileges.h"
#include "dmuserd/spawner/filter.h"
#include "dmuserd/supervisor/log.h"
#include "util/capability.h"
#include "util/cleanup.h"

#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#define KEPT                                                                                       \
	(CAPABILITY_BIT(CAP_SYS_ADMIN) | CAPABILITY_BIT(CAP_SYS_PTRACE) |                          \
	 CAPABILITY_BIT(CAP_DAC_OVERRIDE) | CAPABILITY_BIT(CAP_MKNOD))

int privileges_drop(const char *libexec_dir)
{
	_cleanup_(freep) struct sock_filter *instructions = NULL;
	struct sock_fprog filter = {};
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/seccomp/supervisor.bpf", libexec_dir);
	r = filter_read(path, &filter);
	instructions = filter.filter;
	if (r < 0) {
		log_print(LOG_ERR, "%s: %s%s", path, strerror(-r),
			  r == -ENOENT ? "; another directory DIR is used by --set libexec_dir=DIR" : "");
		return r;
	}
	r = capability_limit(KEPT);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
		r = -errno;
	if (r == 0)
		r = filter_load(&filter);
	if (r < 0)
		log_print(LOG_ERR, "cannot give up what dmuserd does not need: %s", strerror(-r));
	return r;
}
