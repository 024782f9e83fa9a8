/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's state, as its runtime writes it to a hook's stdin (OCI runtime specification,
 * "State").
 *
 * `status` is not read: runtimes differ in it. The rest of what is there is nobody's business here.
 */
#pragma once

#include "ctl/oci-hook/trouble.h"
#include "util/name.h"

#include <linux/limits.h>
#include <stdint.h>
#include <sys/types.h>

/* Annotations are in it a second time; Kubernetes allows 256 KiB of them. */
#define STATE_MAX_BYTES (1024 * 1024)

struct state {
	char id[NAME_CONTAINER_MAX + 1];
	pid_t pid; /* 0: there is none (any more) */
	char bundle[PATH_MAX];
};

/* 0, or a negative errno with trouble. */
int state_parse(const char *text, size_t size, struct state *ret, struct trouble *t);
/* Reads it from fd, to its end. */
int state_read(int fd, uint64_t deadline, struct state *ret, struct trouble *t);
