/* SPDX-License-Identifier: Apache-2.0 */
/* What volumes use up of what policy.h limits. */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/policy.h"
#include "dmuserd/supervisor/volume.h"

/* Bytes of this machine's memory that a volume may come to fill; 0 if its bytes lie elsewhere. */
uint64_t usage_memory(const struct volume_spec *spec);
/* Whether its volumes' bytes are this machine's memory. */
bool usage_is_memory(const struct backend *backend);
/* Of all volumes, and of one owner's. */
struct volume_usage usage_of(struct manager *m, uid_t uid);
