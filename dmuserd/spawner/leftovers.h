/* SPDX-License-Identifier: Apache-2.0 */
/* What an earlier spawner left behind: taken over or killed. */
#pragma once

#include "dmuserd/spawner/cgroup.h"
#include "dmuserd/spawner/children.h"

/*
 * Goes through all cgroups. A process that is confined and alone in one that a volume's uuid names
 * is a worker, and becomes a child; everything else is killed. -ETIMEDOUT if something would not
 * die.
 */
int leftovers_take(const struct cgroups *cgroups, struct children *children);
