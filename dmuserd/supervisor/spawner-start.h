/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the spawner where no service manager does.
 */
#pragma once

#include "dmuserd/supervisor/settings.h"

/*
 * Runs <libexec_dir>/dmuser-spawner, which becomes a daemon of its own, and waits until it listens. Blocking;
 * while there are still all of root's powers. 0; -ETIMEDOUT; -EIO: it said why on stderr; or another errno.
 */
int spawner_start(const struct settings *s, unsigned int timeout_ms);
