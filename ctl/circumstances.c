// SPDX-License-Identifier: Apache-2.0
/* On what machine, and for whom, a hint is meant; see circumstances.h. */
#include "ctl/circumstances.h"
#include "util/cleanup.h"

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool is_there(const char *root, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return access(whole, F_OK) == 0;
}

bool circumstances_find_unit(const char *root)
{
	static const char *const units[] = {
		"/etc/systemd/system/dmuserd.service",
		"/run/systemd/system/dmuserd.service",
		"/usr/local/lib/systemd/system/dmuserd.service",
		"/usr/lib/systemd/system/dmuserd.service",
		"/lib/systemd/system/dmuserd.service",
	};

	/* systemd's own way to tell that it runs. */
	if (!is_there(root, "/run/systemd/system"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (is_there(root, units[i]))
			return true;
	return false;
}

void circumstances_read(struct circumstances *ret)
{
	*ret = (struct circumstances){
		.is_root = geteuid() == 0,
		.has_unit = circumstances_find_unit(""),
		.has_group = getgrnam("dmuser"),
	};
}

const char *circumstances_log(const struct circumstances *c)
{
	return c->has_unit ? "'journalctl -u dmuserd' shows what else happened then" :
			     "what dmuserd printed (on stderr, or in the journal) shows what else "
			     "happened then";
}
