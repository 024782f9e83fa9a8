/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that belongs to one supervisor. main.c owns it; nobody keeps globals.
 */
#pragma once

#include "dmuserd/supervisor/failure-memory.h"
#include "dmuserd/supervisor/settings.h"

#include <systemd/sd-event.h>

struct backends;     /* backend.h */
struct spawner_link; /* spawner-link.h */
struct volumes;      /* volume.c: the registry of volumes, their uids and their journal */
struct parser_pool;  /* parser-pool.h */
struct front;        /* front.h: listening socket and clients */

struct manager {
	sd_event *event;
	struct settings settings;
	struct backends *backends;
	struct spawner_link *spawner;
	struct parser_pool *parsers;
	struct volumes *volumes;
	struct front *front;
	struct failure_memory failures; /* of volumes that were not made */
	int machine_lock; /* sole.h; -EBADF: there was no device-mapper yet */
};

/* volume.c. new: reads what the last supervisor left and adopts it. stop: nothing of a volume is ended;
 * workers outlive the supervisor. */
int volumes_new(struct manager *m, struct volumes **ret_volumes);
void volumes_free(struct volumes *volumes);
