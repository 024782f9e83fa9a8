/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend started by hand, without supervisor, spawner or seal.
 */
#pragma once

#include "api/worker/worker.h"

/* Serves the channel that the command line names. Returns an enum dmuser_exit if it cannot. */
int plain_run(struct dmuser_worker *worker, int argc, char **argv);
