/* SPDX-License-Identifier: Apache-2.0 */
/* What volumes use up of what policy.h limits. */
#pragma once

#include "dmuserd/supervisor/manager.h"
#include "dmuserd/supervisor/policy.h"
#include "dmuserd/supervisor/volume.h"

/* Bytes of this machine's memory that a volume may come to fill; 0 if its bytes lie elsewhere. */
uint64_t usage_memory(const struct volume_spec *spec);
/* Of all volumes, and of one owner's. */
struct volume_usage usage_of(struct manager *m, uid_t uid);
