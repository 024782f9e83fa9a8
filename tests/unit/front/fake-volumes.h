/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that are played: what the front asks of volume.h is noted, and the test says what comes of it.
 */
#pragma once

#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/volume.h"

/* Backend "memory": a memfd, no options. */
extern const struct backend fake_memory;

/* Of the machine, bytes; 0: cannot be told. */
extern uint64_t fake_memory_total;

/* backends_refresh() has its callers wait until fake_manifests_are_read(). */
extern bool fake_manifests_are_read_late;
void fake_manifests_are_read(void);
bool fake_somebody_waits(void);

void fake_volumes_reset(void);

/* One that is there, active. NULL container: none. */
struct volume *fake_volume_add(uid_t owner, const char *name, bool keep, const char *container);
enum volume_state fake_state(const struct volume *volume);
/* A Create that is under way ends: well, with `created`, or with that failure. */
void fake_create_ends(const char *name, bool created, const struct failure *failure);
/* All Releases of that volume that are under way end; with stage gone the volume is no more. */
void fake_release_ends(const char *name, enum release_stage stage, const struct failure *failure);
/* The next volume_create(), _bind() or _release() fails at once with this kind. */
extern enum failure_kind fake_fails_next;
/* As volume.c does at each change of state. */
void fake_volume_changed(struct volume *volume);
/* The same for what nobody can see. */
void fake_volume_stirs(struct volume *volume);
/* As it is before its backing was looked at. */
void fake_volume_has_no_size(struct volume *volume);

/* What has been asked for. */
extern size_t fake_creates, fake_binds, fake_releases;
extern char fake_bound_to[NAME_CONTAINER_MAX + 1];
extern uint64_t fake_release_timeout_ms;
extern bool fake_release_unless_open;
/* Descriptors that came as pidfds, all closed. */
extern size_t fake_pidfds;
