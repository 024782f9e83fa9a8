/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installed backends: one manifest each, read once by a parser process at start and on reload.
 */
#pragma once

#include "dmuserd/messages/parser.h"
#include "dmuserd/supervisor/volume.h"

#include <stddef.h>

struct manager;

struct backend {
	struct parser_manifest manifest;
	char executable[256]; /* <libexec_dir>/backends/dmuser-backend-TYPE */
	char profile[256];    /* <libexec_dir>/seccomp/PROFILE.bpf */
};

/* NULL if there is none. Lives as long as the manager. */
const struct backend *backend_find(const struct manager *m, const char *type);
/* Iterates: NULL starts and ends. */
const struct backend *backend_next(const struct manager *m, const struct backend *previous);

/*
 * Checks size, block size and options of a Create against the manifest, fills in defaults and orders the
 * options as the manifest does. 0, or -EINVAL with *failure naming the parameter or option. No system call.
 */
int backend_validate(const struct backend *backend, const struct parser_create *create,
		     struct volume_spec *ret_spec, struct failure *failure);
