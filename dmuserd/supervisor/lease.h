/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that somebody has on lease: made without `keep` and bound to no container, they stay for as
 * long as one of the connections that asked for them.
 */
#pragma once

#include "dmuserd/supervisor/front.h"

/* 0, or -ENOMEM. Asking twice is one lease. */
int lease_add(struct front *front, const struct connection *holder, const struct volume *volume);
/* Drops all of a connection's, and releases the volumes that nothing else keeps. */
void leases_end(struct front *front, const struct connection *holder);
/* Drops all that are on one volume, which is gone. */
void leases_forget(struct front *front, const struct volume *volume);
/* Releases every volume that nothing keeps. At start, when there are no connections yet. */
void leases_release_all_unheld(struct front *front);
/* Releases this volume if nothing keeps it. */
void lease_release_if_unheld(struct front *front, struct volume *volume);
/* No callbacks any more. */
void leases_free(struct front *front);
