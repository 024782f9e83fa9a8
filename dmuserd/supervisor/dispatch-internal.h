/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that is under way, and what those share who carry one out: dispatch.c and dispatch-release.c.
 * Nobody else includes this.
 */
#pragma once

#include "dmuserd/supervisor/dispatch.h"
#include "dmuserd/supervisor/reply.h"

/* One volume of a Release. */
struct part {
	char name[NAME_VOLUME_MAX + 1];
	uid_t owner;
	struct release_result result;
};

struct call {
	struct call *next, **previous; /* in front->calls */
	struct front *front;
	struct connection *connection; /* NULL: its client is gone */
	char name[NAME_VOLUME_MAX + 1]; /* of the volume that was asked for; may be empty */
	bool on_lease;                  /* a Create whose volume nothing else would keep */
	/* Release: those that are done, and how many are not. */
	struct part *parts;
	size_t n_parts, n_pending;
	struct failure failure; /* the first, and whose it is */
	char failed[NAME_VOLUME_MAX + 1];
	struct release_result failed_result;
	/* One that waits for a manifest to be read, as it came; NULL: not that. */
	struct parser_message *message;
	int fds[PARSER_FDS_MAX];
};

/* NULL: no memory. name: of the volume, may be empty. */
struct call *call_new(struct connection *c, const char *name);
void call_free(struct call *call);

/* volume and result may be NULL. */
void call_answer_failure(struct connection *c, const char *volume, const struct failure *failure,
			 const struct release_result *result);
uint64_t call_now_usec(const struct manager *m);

/* volume_pick(), volume_pick_to_bind() */
typedef int (*pick_fn)(struct manager *m, uid_t owner, const char *container, const char *name,
		       struct volume **ret_volume, struct failure *failure);

/* The volume that is meant; if there is none to be seen, the client is told and NULL returned. */
struct volume *call_find_volume(struct connection *c, const struct parser_volume *asked, pick_fn pick);

/* dispatch-release.c. As dispatch(): 0, 1 with *ret_call, or a negative errno. */
int dispatch_release(struct connection *c, const struct parser_volume *asked, struct call **ret_call);
