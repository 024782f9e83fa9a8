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
/* A volume has changed: it may be gone, or be ready now for a release that had to wait. */
void leases_volume_changed(struct front *front, const struct volume *volume);
/* Releases what had to wait, from the loop: when front->second_try fires. */
void leases_try_again(struct front *front);
/* Releases every volume that nothing keeps. At start, when there are no connections yet. */
void leases_release_all_unheld(struct front *front);
/* Releases this volume if nothing keeps it; later, if it cannot be now. */
void lease_release_if_unheld(struct front *front, struct volume *volume);
/* No callbacks any more. */
void leases_free(struct front *front);
