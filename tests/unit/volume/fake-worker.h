/* SPDX-License-Identifier: Apache-2.0 */
/* A worker that does as it is told; runs in a forked child. */
#pragma once

#include "tests/unit/volume/fake-world.h"

/* link, setup, resources: as it inherits them. Never comes back. */
_Noreturn void fake_worker_run(enum worker_manner manner, uid_t uid, int link, int setup,
			       const int *resources, size_t n_resources);
