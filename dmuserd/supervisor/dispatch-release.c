// SPDX-License-Identifier: Apache-2.0
/*
 * Release: one volume, or all of a container that the peer may know of, each for itself, and one answer when
 * the last of them has got somewhere. The first failure is what is answered.
 */
#include "dmuserd/supervisor/dispatch-internal.h"
#include "util/cleanup.h"

#include <string.h>

static void release_failed(struct call *call, const char *name, const struct failure *failure,
			   const struct release_result *result)
{
	if (call->failure.kind != FAILURE_NONE)
		return;
	call->failure = *failure;
	snprintf(call->failed, sizeof(call->failed), "%s", name);
	if (result)
		call->failed_result = *result;
}

static void answer_released(struct call *call)
{
	struct reply_released *released;
	char *text = NULL;

	if (call->failure.kind != FAILURE_NONE) {
		call_answer_failure(call->connection, call->failed, &call->failure,
				    &call->failed_result);
		return;
	}
	released = calloc(call->n_parts + 1, sizeof(*released));
	for (size_t i = 0; released && i < call->n_parts; i++)
		released[i] = (struct reply_released){ call->parts[i].name, call->parts[i].owner,
						       &call->parts[i].result };
	if (released)
		reply_released(released, call->n_parts, &text);
	free(released);
	connection_answer(call->connection, text);
}

static void on_released(void *userdata, const char *name, uid_t owner,
			const struct release_result *result, const struct failure *failure)
{
	struct call *call = userdata;

	call->n_pending--;
	if (failure) {
		release_failed(call, name, failure, result);
	} else {
		struct part *part = &call->parts[call->n_parts++];

		snprintf(part->name, sizeof(part->name), "%.*s", NAME_VOLUME_MAX, name);
		part->owner = owner;
		part->result = *result;
	}
	if (call->n_pending == 0) {
		answer_released(call);
		call_free(call);
	}
}

/* Whoever had it made could not use it: as if it had not been made. */
static void remember_reason(struct manager *m, const struct volume *volume, const char *reason)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	failure_memory_keep(&m->failures, info.owner, info.container, info.name, reason,
			    call_now_usec(m));
}

/* Begins to release each of these, which nothing that is begun here can take away. */
static int release_all(struct call *call, struct volume **volumes, size_t n,
		       const struct parser_volume *asked)
{
	uint64_t timeout_ms = asked->timeout_ms == PARSER_UNSET ?
				      call->front->m->settings.release_timeout_ms :
				      asked->timeout_ms;
	int (*release)(struct volume *, uint64_t, volume_released_fn, void *, struct failure *) =
		asked->unless_open ? volume_release_unless_open : volume_release;

	call->parts = calloc(n + 1, sizeof(*call->parts));
	if (!call->parts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct failure failure = {};

		if (release(volumes[i], timeout_ms, on_released, call, &failure) < 0) {
			release_failed(call, volume_spec(volumes[i])->name, &failure, NULL);
			continue;
		}
		call->n_pending++;
		if (asked->reason[0])
			remember_reason(call->front->m, volumes[i], asked->reason);
	}
	return call->n_pending > 0 ? 1 : 0;
}

static bool is_of_container(struct volume *volume, const struct peer *peer,
			    const struct parser_volume *asked)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	if (!info.container || strcmp(info.container, asked->container.id) != 0)
		return false;
	return policy_sees(peer, info.owner) &&
	       (asked->owner == PARSER_UNSET || asked->owner == info.owner);
}

/* All of a container that the peer may know of. *ret_volumes is the caller's to free. */
static int find_of_container(struct connection *c, const struct parser_volume *asked,
			     struct volume ***ret_volumes, size_t *ret_n)
{
	struct manager *m = connection_front(c)->m;
	struct volume **volumes;
	size_t n = 0;

	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v))
		n++;
	volumes = calloc(n + 1, sizeof(struct volume *));
	if (!volumes)
		return -ENOMEM;
	n = 0;
	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v)) {
		if (is_of_container(v, connection_peer(c), asked))
			volumes[n++] = v;
	}
	*ret_volumes = volumes;
	*ret_n = n;
	return 0;
}

/* Of one that is not there: it could not even be asked for, and whoever asks why is told. */
static void remember_missing(struct connection *c, const struct parser_volume *asked)
{
	struct manager *m = connection_front(c)->m;
	uid_t owner;

	if (!asked->reason[0] || !asked->container.id[0] ||
	    policy_owner(connection_peer(c), asked->owner, &owner) < 0 ||
	    volume_find(m, owner, asked->container.id, asked->name))
		return;
	failure_memory_keep(&m->failures, owner, asked->container.id, asked->name, asked->reason,
			    call_now_usec(m));
}

int dispatch_release(struct connection *c, const struct parser_volume *asked, struct call **ret_call)
{
	_cleanup_(freep) struct volume **volumes = NULL;
	struct volume *one = NULL;
	struct call *call;
	size_t n = 1;
	int r = 0;

	if (asked->name[0]) {
		one = call_find_volume(c, asked, volume_pick);
		if (!one) {
			remember_missing(c, asked);
			return 0;
		}
	} else {
		r = find_of_container(c, asked, &volumes, &n);
		if (r < 0)
			return r;
	}
	call = call_new(c, asked->name);
	if (!call)
		return -ENOMEM;
	r = release_all(call, one ? &one : volumes, n, asked);
	if (r == 0)
		answer_released(call);
	if (r <= 0)
		call_free(call);
	else
		*ret_call = call;
	return r;
}
