// SPDX-License-Identifier: Apache-2.0
/*
 * What the spawner may do.
 *
 * SETUID and SETGID write a child's id maps, SYS_ADMIN makes its namespaces, SYS_RESOURCE raises
 * its limits, KILL ends it. Its own files and cgroups belong to root, as it does. All else goes,
 * from the bounding set too, and its system calls are those of spawner.json.
 */
#include "dmuserd/spawner/powers.h"
#include "dmuserd/spawner/filter.h"
#include "util/capability.h"
#include "util/proc.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

#define KEPT                                                                                       \
	(CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SETGID) | CAPABILITY_BIT(CAP_SYS_ADMIN) | \
	 CAPABILITY_BIT(CAP_SYS_RESOURCE) | CAPABILITY_BIT(CAP_KILL))

/* A pidfd for each child: as many as root was given. */
static int raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/*
 * A worker that serves writeback must not, when it allocates memory, wait for writeback. The flag
 * can only be set outside of a user namespace, and every child inherits it.
 */
int powers_take(const struct hooks *hooks)
{
	if (!hook_skips(hooks, "io-flusher") && prctl(PR_SET_IO_FLUSHER, 1UL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	proc_spare_from_oom();
	return raise_descriptor_limit();
}

int powers_give_up(const struct sock_fprog *own_filter, const struct hooks *hooks)
{
	int r;

	/* Its memory holds nothing secret, but its descriptors are for nobody else. */
	if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	r = capability_limit(KEPT);
	if (r < 0)
		return r;
	if (!hook_skips(hooks, "no-new-privs") &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	return filter_load(own_filter);
}
