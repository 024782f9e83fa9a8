/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One manifest, read by a parser process of its own, within a deadline.
 */
#pragma once

#include "dmuserd/messages/parser.h"
#include "dmuserd/supervisor/manager.h"

struct backend_load;

/*
 * Called once, from the loop. manifest: NULL with a negative errno;
 * -EINVAL says that the manifest is at fault, anything else that nobody could read it now. reason: in words,
 * for a person; NULL on success.
 */
typedef void (*backend_loaded_fn)(void *userdata, int error, const struct parser_manifest *manifest,
				  const char *reason);

/*
 * Has `fd`, which is consumed, read as the manifest of the backend `type`. 0 with *ret_load, which the
 * caller frees, also when it has ended; or a negative errno, and `done` is not called.
 */
int backend_load_start(struct manager *m, const char *type, int fd, backend_loaded_fn done,
		       void *userdata, struct backend_load **ret_load);
/* Ends it, without a call of `done`. NULL is fine. */
void backend_load_free(struct backend_load *load);
