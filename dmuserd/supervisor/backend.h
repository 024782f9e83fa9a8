/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installed backends: one manifest each, read once, at start, by a parser process.
 */
#pragma once

#include "dmuserd/messages/parser.h"
#include "dmuserd/supervisor/volume.h"

#include <stddef.h>

struct manager;
struct backends;

struct backend {
	struct parser_manifest manifest;
	char executable[256]; /* <libexec_dir>/backends/dmuser-backend-TYPE */
	char profile[256];    /* <libexec_dir>/seccomp/PROFILE.bpf */
};

/* NULL if there is none. Lives as long as the manager. */
const struct backend *backend_find(const struct manager *m, const char *type);
/* Iterates: NULL starts and ends. */
const struct backend *backend_next(const struct manager *m, const struct backend *previous);

/* Called once from the loop: every manifest has been read. 0, or a negative errno if none could be. */
typedef void (*backends_loaded_fn)(struct manager *m, int error);

/*
 * Reads <libexec_dir>/backends/?*.json, each by a parser of m->parsers, into m->backends. One that cannot
 * be taken is told of in the log and left out.
 */
int backends_load(struct manager *m, backends_loaded_fn done);
void backends_free(struct backends *backends);

/*
 * Checks size, block size and options of a Create against the manifest, fills in defaults and orders the
 * options as the manifest does. Name, read_only and keep are copied; the owner is the caller's to write.
 * 0, or -EINVAL with *failure naming the parameter or option (*ret_spec is undefined then). No system call.
 */
int backend_validate(const struct backend *backend, const struct parser_create *create,
		     struct volume_spec *ret_spec, struct failure *failure);
