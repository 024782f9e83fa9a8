/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installed backends: one manifest each, read by a parser process; again when it has changed.
 *
 * Installing two files is all there is to a new backend: whoever asks for one looks into the directory, by
 * backends_refresh(). Volumes go on with what their backend's manifest said when they were made.
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

/* As of the last look. NULL if there is none. Lives as long as the manager, whatever becomes of its manifest. */
const struct backend *backend_find(const struct manager *m, const char *type);
/* Iterates by name: NULL starts and ends. Not across a refresh. */
const struct backend *backend_next(const struct manager *m, const struct backend *previous);
/* The file without which its volumes would fail: looked for now. NULL: all is there. */
const char *backend_missing(const struct backend *backend);

/*
 * A manifest that could not be taken: the `index`th, with its backend's name and what is wrong, which live
 * until the next refresh. False: there are no more.
 */
bool backend_rejected(const struct manager *m, size_t index, const char **ret_type,
		      const char **ret_reason);

/* Called once from the loop: every manifest has been read. 0, or a negative errno if none could be. */
typedef void (*backends_loaded_fn)(struct manager *m, int error);

/*
 * Reads <libexec_dir>/backends/?*.json, each by a parser of m->parsers, into m->backends. One that cannot
 * be taken is told of in the log and left out.
 */
int backends_load(struct manager *m, backends_loaded_fn done);
void backends_free(struct backends *backends);

typedef void (*backends_ready_fn)(void *userdata);

/*
 * Looks whether manifests have come, changed or gone, and begins to read those. 0: nothing that is known of
 * `type` (NULL: of any) is out of date. 1: that is being read, and `ready` will be called once, from the
 * loop. Or -ENOMEM. What cannot be read is logged, and was as it is.
 */
int backends_refresh(struct manager *m, const char *type, backends_ready_fn ready, void *userdata);
/* The waiter with this userdata does not want to know any more. No such waiter is fine. */
void backends_cancel(struct manager *m, const void *userdata);

/* Bytes, where none is asked for. */
#define BLOCK_SIZE_DEFAULT 512

/*
 * Checks size, block size and options of a Create against the manifest, fills in defaults and orders the
 * options as the manifest does. Name, read_only and keep are copied; the owner is the caller's to write.
 * 0, or -EINVAL with *failure naming the parameter or option (*ret_spec is undefined then). No system call.
 */
int backend_validate(const struct backend *backend, const struct parser_create *create,
		     struct volume_spec *ret_spec, struct failure *failure);
/* Whether its volumes have one of that kind: MANIFEST_MEMFD, MANIFEST_FILE. */
bool backend_has_resource(const struct parser_manifest *manifest, uint32_t kind);
