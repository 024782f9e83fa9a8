/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hook does at each stage of a container's life. The stage is named by argv, not by the
 * state.
 */
#pragma once

#include "ctl/oci-hook/state.h"

/*
 * createRuntime: the container's process exists and waits. Makes its volumes, and mounts them into
 * it: all of them, or none. Can be run again.
 */
int stage_create_runtime(const char *address, const struct state *state, struct trouble *t);

/*
 * poststop: the container is gone. Only a hint, since dmuserd sees that by itself, and since
 * runtimes do not always get here.
 */
int stage_poststop(const char *address, const struct state *state, struct trouble *t);
