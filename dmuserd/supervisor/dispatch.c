// SPDX-License-Identifier: Apache-2.0
/*
 * From a checked request to what is done about it; see dispatch.h.
 *
 * One function a method. Each asks policy.c first, then volume.h, and ends in one answer. Owns the calls
 * that are under way: a call outlives its client only if it is a Create on lease, whose volume nobody
 * would release otherwise.
 */
#include "dmuserd/supervisor/dispatch.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/interface.h"
#include "dmuserd/supervisor/lease.h"
#include "dmuserd/supervisor/reply.h"
#include "dmuserd/supervisor/usage.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <string.h>

#define DRIVER_VERSION "/sys/module/dm_user/version"
/* Enough to see what is meant by a name. */
#define AMBIGUOUS_TOLD_MAX 16

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
	struct failure failure; /* the first */
	struct release_result failed_result;
	/* One that waits for a manifest to be read, as it came; NULL: not that. */
	struct parser_message *message;
	int fds[PARSER_FDS_MAX];
};

static struct call *call_new(struct connection *c, const char *name)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->front = connection_front(c);
	call->connection = c;
	snprintf(call->name, sizeof(call->name), "%.*s", NAME_VOLUME_MAX, name);
	call->next = call->front->calls;
	call->previous = &call->front->calls;
	if (call->next)
		call->next->previous = &call->next;
	call->front->calls = call;
	return call;
}

static void call_free(struct call *call)
{
	*call->previous = call->next;
	if (call->next)
		call->next->previous = call->previous;
	if (call->message) {
		backends_cancel(call->front->m, call);
		fd_close_many(call->fds, PARSER_FDS_MAX);
	}
	free(call->message);
	free(call->parts);
	free(call);
}

void dispatch_abandon(struct call *call)
{
	call->connection = NULL;
	if (call->on_lease)
		return;
	volume_forget_caller(call->front->m, call);
	call_free(call);
}

void dispatch_forget_all(struct front *front)
{
	while (front->calls) {
		volume_forget_caller(front->m, front->calls);
		call_free(front->calls);
	}
}

/* Answers */

static void answer_failure_on(struct connection *c, const struct reply_subject *subject,
			      const struct failure *failure)
{
	char *text = NULL;

	reply_failure(failure, subject, &text);
	connection_answer(c, text);
}

static void answer_failure(struct connection *c, const char *volume, const struct failure *failure,
			   const struct release_result *result)
{
	const struct reply_subject subject = {
		.m = connection_front(c)->m,
		.volume = volume,
		.result = result,
	};

	answer_failure_on(c, &subject, failure);
}

static uint64_t now_usec(const struct manager *m)
{
	uint64_t now = 0;

	sd_event_now(m->event, CLOCK_MONOTONIC, &now);
	return now;
}

/* Names the first of the containers that have a volume of that name. */
static void answer_ambiguous(struct connection *c, uid_t owner, const char *name,
			     const struct failure *failure)
{
	char ids[AMBIGUOUS_TOLD_MAX][NAME_CONTAINER_MAX + 1];
	const char *containers[AMBIGUOUS_TOLD_MAX];
	struct reply_subject subject = { .volume = name, .containers = containers };
	struct manager *m = connection_front(c)->m;

	for (struct volume *v = volume_next(m, NULL); v && subject.n_containers < AMBIGUOUS_TOLD_MAX;
	     v = volume_next(m, v)) {
		size_t i = subject.n_containers;
		struct volume_info info;

		volume_get_info(v, &info);
		if (info.owner != owner || !info.container || strcmp(info.name, name) != 0)
			continue;
		snprintf(ids[i], sizeof(ids[i]), "%s", info.container);
		containers[i] = ids[i];
		subject.n_containers++;
	}
	answer_failure_on(c, &subject, failure);
}

static void answer_missing(struct connection *c, uid_t owner, const char *container,
			   const char *name, const struct failure *failure)
{
	struct manager *m = connection_front(c)->m;
	char told[FAILURE_MEMORY_TOLD_SIZE];
	struct reply_subject subject = { .volume = name };

	if (failure_memory_tell(&m->failures, owner, container, name, now_usec(m), told))
		subject.last_failure = told;
	answer_failure_on(c, &subject, failure);
}

static void answer_volume(struct connection *c, const struct volume *volume)
{
	struct volume_info info;
	char *text = NULL;

	volume_get_info(volume, &info);
	reply_volume(&info, &text);
	connection_answer(c, text);
}

/* volume_pick(), volume_pick_to_bind() */
typedef int (*pick_fn)(struct manager *m, uid_t owner, const char *container, const char *name,
		       struct volume **ret_volume, struct failure *failure);

/* Finds the volume that is meant; if there is none to be seen, the client is told and NULL returned. */
static struct volume *find(struct connection *c, const struct parser_volume *asked, pick_fn pick)
{
	const char *container = asked->container.id[0] ? asked->container.id : NULL;
	struct failure failure = {};
	struct volume *volume = NULL;
	uid_t owner;

	if (policy_owner(connection_peer(c), asked->owner, &owner) < 0) {
		failure_set(&failure, FAILURE_NO_SUCH_VOLUME, NULL, "no such volume");
		answer_failure(c, asked->name, &failure, NULL);
		return NULL;
	}
	if (pick(connection_front(c)->m, owner, container, asked->name, &volume, &failure) == 0)
		return volume;
	if (failure.kind == FAILURE_AMBIGUOUS_NAME)
		answer_ambiguous(c, owner, asked->name, &failure);
	else
		answer_missing(c, owner, container, asked->name, &failure);
	return NULL;
}

/* org.varlink.service */

static void get_interface_description(struct connection *c, const char *name)
{
	const struct interface *interface = interface_find(name);
	char *text = NULL;

	if (interface)
		reply_interface_description(interface->description, &text);
	else
		reply_refusal(PARSER_REFUSED_INTERFACE_NOT_FOUND, name, &text);
	connection_answer(c, text);
}

static void get_info(struct connection *c)
{
	char *text = NULL;

	reply_get_info(&text);
	connection_answer(c, text);
}

/* Create */

static const char *container_of(const struct parser_create *asked)
{
	return asked->container.id[0] ? asked->container.id : NULL;
}

/* What is asked for, as far as it can be judged without doing anything. */
static int specify(struct connection *c, const struct parser_create *asked, struct volume_spec *ret_spec,
		   struct failure *failure)
{
	struct volume *found = NULL;
	const struct peer *peer = connection_peer(c);
	struct manager *m = connection_front(c)->m;
	const struct backend *backend = backend_find(m, asked->backend);
	struct volume_usage usage;
	int r;

	if (!backend)
		return failure_set(failure, FAILURE_NO_SUCH_BACKEND, asked->backend,
				   "no backend of that name is installed");
	r = backend_validate(backend, asked, ret_spec, failure);
	if (r < 0)
		return r;
	ret_spec->owner = peer->uid;
	ret_spec->owner_gid = peer->gid;
	/* Asking for what is there uses nothing up. */
	r = volume_pick_to_create(m, ret_spec, container_of(asked), &found, failure);
	if (r <= 0)
		return r;
	usage = usage_of(m, peer->uid);
	return policy_create(&m->settings, peer, &usage, usage_memory(ret_spec), failure);
}

/* Whoever asked has it now; or, if there is nobody any more, it goes again. */
static int hold(struct call *call, struct volume *volume)
{
	struct volume_info info;

	volume_get_info(volume, &info);
	if (!call->connection) {
		lease_release_if_unheld(call->front, volume);
		return 0;
	}
	return info.spec->keep || info.container ?
		       0 :
		       lease_add(call->front, call->connection, volume);
}

static void on_created(void *userdata, struct volume *volume, bool created,
		       const struct failure *failure)
{
	struct call *call = userdata;
	struct connection *c = call->connection;
	char *text = NULL;

	if (failure && c) {
		answer_failure(c, call->name, failure, NULL);
	} else if (!failure && hold(call, volume) == 0 && c) {
		struct volume_info info;

		volume_get_info(volume, &info);
		reply_created(&info, created, &text);
		connection_answer(c, text);
	} else if (!failure && c) {
		/* No memory to note the lease: as if the client had gone, which it does now. */
		connection_answer(c, NULL);
		lease_release_if_unheld(call->front, volume);
	}
	call_free(call);
}

/* One that did not even begin. */
static void answer_not_created(struct connection *c, const struct parser_create *asked,
			       const struct failure *failure)
{
	struct manager *m = connection_front(c)->m;
	uid_t owner = connection_peer(c)->uid;
	char text[FAILURE_MEMORY_TEXT_SIZE];

	if (failure->kind == FAILURE_AMBIGUOUS_NAME) {
		answer_ambiguous(c, owner, asked->name, failure);
		return;
	}
	if (failure_outlasts(failure)) {
		failure_describe(failure, text, sizeof(text));
		failure_memory_keep(&m->failures, owner, container_of(asked), asked->name, text,
				    now_usec(m));
	}
	answer_failure(c, asked->name, failure, NULL);
}

static int create(struct connection *c, const struct parser_create *asked, int *fds,
		  struct call **ret_call)
{
	_cleanup_(freep) struct volume_spec *spec = calloc(1, sizeof(*spec));
	const char *container = container_of(asked);
	struct failure failure = {};
	struct call *call;
	int r;

	if (!spec)
		return -ENOMEM;
	r = specify(c, asked, spec, &failure);
	if (r < 0) {
		answer_not_created(c, asked, &failure);
		return 0;
	}
	call = call_new(c, asked->name);
	if (!call)
		return -ENOMEM;
	call->on_lease = !asked->keep && !container;
	r = volume_create(connection_front(c)->m, spec, container,
			  container ? take_fd(&fds[asked->container.pidfd]) : -EBADF, on_created,
			  call, &failure);
	if (r < 0) {
		call_free(call);
		answer_not_created(c, asked, &failure);
		return 0;
	}
	*ret_call = call;
	return 1;
}

/* Bind and Describe */

static void bind_volume(struct connection *c, const struct parser_volume *asked, int *fds)
{
	struct volume *volume = find(c, asked, volume_pick_to_bind);
	struct failure failure = {};

	if (!volume)
		return;
	if (volume_bind(volume, asked->container.id, take_fd(&fds[asked->container.pidfd]), &failure) < 0)
		answer_failure(c, asked->name, &failure, NULL);
	else
		answer_volume(c, volume);
}

static void describe(struct connection *c, const struct parser_volume *asked)
{
	struct volume *volume = find(c, asked, volume_pick);

	if (volume)
		answer_volume(c, volume);
}

/* Release */

static void release_failed(struct call *call, const struct failure *failure,
			   const struct release_result *result)
{
	if (call->failure.kind != FAILURE_NONE)
		return;
	call->failure = *failure;
	if (result)
		call->failed_result = *result;
}

static void answer_released(struct call *call)
{
	struct reply_released *released;
	char *text = NULL;

	if (call->failure.kind != FAILURE_NONE) {
		answer_failure(call->connection, call->name, &call->failure, &call->failed_result);
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
		release_failed(call, failure, result);
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
			    now_usec(m));
}

/* Begins to release each of these, which nothing that is begun here can take away. */
static int release_all(struct call *call, struct volume **volumes, size_t n, uint64_t timeout_ms,
		       const char *reason)
{
	call->parts = calloc(n + 1, sizeof(*call->parts));
	if (!call->parts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct failure failure = {};

		if (volume_release(volumes[i], timeout_ms, on_released, call, &failure) < 0) {
			release_failed(call, &failure, NULL);
			continue;
		}
		call->n_pending++;
		if (reason[0])
			remember_reason(call->front->m, volumes[i], reason);
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

static int release(struct connection *c, const struct parser_volume *asked, struct call **ret_call)
{
	const struct settings *s = &connection_front(c)->m->settings;
	uint64_t timeout_ms = asked->timeout_ms == PARSER_UNSET ? s->release_timeout_ms :
								  asked->timeout_ms;
	_cleanup_(freep) struct volume **volumes = NULL;
	struct volume *one = NULL;
	struct call *call;
	size_t n = 1;
	int r = 0;

	if (asked->name[0]) {
		one = find(c, asked, volume_pick);
		if (!one)
			return 0;
	} else {
		r = find_of_container(c, asked, &volumes, &n);
		if (r < 0)
			return r;
	}
	call = call_new(c, asked->name);
	if (!call)
		return -ENOMEM;
	r = release_all(call, one ? &one : volumes, n, timeout_ms, asked->reason);
	if (r == 0)
		answer_released(call);
	if (r <= 0)
		call_free(call);
	else
		*ret_call = call;
	return r;
}

/* List, Subscribe, Ping */

/* NULL: no memory. */
static char *list_text(struct connection *c, enum reply_event event)
{
	struct manager *m = connection_front(c)->m;
	struct reply_list *list = NULL;
	char *text = NULL;
	int r = reply_list_new(&list);

	for (struct volume *v = volume_next(m, NULL); v && r == 0; v = volume_next(m, v)) {
		struct volume_info info;

		volume_get_info(v, &info);
		if (policy_sees(connection_peer(c), info.owner))
			r = reply_list_add(list, &info);
	}
	if (r == 0)
		reply_list_text(list, event, &text);
	reply_list_free(list);
	return text;
}

void dispatch_volume_event(struct front *front, const struct volume *volume)
{
	struct reply_list *list = NULL;
	struct volume_info info;
	char *text = NULL;
	int r = reply_list_new(&list);

	volume_get_info(volume, &info);
	if (r == 0)
		r = reply_list_add(list, &info);
	if (r == 0)
		r = reply_list_text(list, info.state == VOLUME_GONE ? REPLY_GONE : REPLY_CHANGED,
				    &text);
	for (struct connection *c = connection_next(front, NULL); c; c = connection_next(front, c)) {
		if (!connection_is_subscribed(c) || !policy_sees(connection_peer(c), info.owner))
			continue;
		/* A subscriber must not believe that nothing has changed. */
		if (r < 0)
			connection_close(c);
		else
			connection_tell(c, text);
	}
	free(text);
	reply_list_free(list);
}

/* "" while the module is not loaded. */
static void read_driver_version(char *version, size_t size)
{
	_cleanup_(closep) int fd = open(DRIVER_VERSION, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, version, size - 1);

	version[n > 0 ? n : 0] = '\0';
	version[strcspn(version, "\n")] = '\0';
}

static void ping(struct connection *c)
{
	struct manager *m = connection_front(c)->m;
	char version[64], *text = NULL;
	size_t n = 0;

	for (struct volume *v = volume_next(m, NULL); v; v = volume_next(m, v))
		n += policy_sees(connection_peer(c), volume_spec(v)->owner);
	read_driver_version(version, sizeof(version));
	reply_ping(version[0] ? version : NULL, n, &text);
	connection_answer(c, text);
}

static void list_backends(struct connection *c)
{
	char *text = NULL;

	reply_backends(connection_front(c)->m, &text);
	connection_answer(c, text);
}

static int carry_out(struct connection *c, const struct parser_message *message, int *fds,
		     struct call **ret_call)
{
	switch (message->method) {
	case PARSER_METHOD_PING:
		ping(c);
		return 0;
	case PARSER_METHOD_CREATE:
		return create(c, &message->create, fds, ret_call);
	case PARSER_METHOD_BIND:
		bind_volume(c, &message->volume, fds);
		return 0;
	case PARSER_METHOD_RELEASE:
		return release(c, &message->volume, ret_call);
	case PARSER_METHOD_DESCRIBE:
		describe(c, &message->volume);
		return 0;
	case PARSER_METHOD_LIST:
		connection_answer(c, list_text(c, REPLY_LIST));
		return 0;
	case PARSER_METHOD_LIST_BACKENDS:
		list_backends(c);
		return 0;
	case PARSER_METHOD_SUBSCRIBE:
		connection_subscribe(c, list_text(c, REPLY_SNAPSHOT));
		return 0;
	default:
		return -EPROTO;
	}
}

static void on_manifests_read(void *userdata)
{
	struct call *waited = userdata, *call = NULL;
	struct connection *c = waited->connection;
	int r = carry_out(c, waited->message, waited->fds, &call);

	if (r < 0)
		connection_answer(c, NULL);
	else if (r > 0)
		connection_goes_on_as(c, call);
	call_free(waited);
}

/* 0: what is known of the backends that the request is about is up to date; otherwise as dispatch(). */
static int await_manifests(struct connection *c, const struct parser_message *message, int *fds,
			   struct call **ret_call)
{
	const char *type = message->method == PARSER_METHOD_CREATE ? message->create.backend : NULL;
	struct call *call;
	int r;

	if (!type && message->method != PARSER_METHOD_LIST_BACKENDS)
		return 0;
	call = call_new(c, "");
	if (!call)
		return -ENOMEM;
	r = backends_refresh(call->front->m, type, on_manifests_read, call);
	call->message = r > 0 ? malloc(sizeof(*message)) : NULL;
	if (r <= 0 || !call->message) {
		backends_cancel(call->front->m, call);
		call_free(call);
		return r <= 0 ? r : -ENOMEM;
	}
	*call->message = *message;
	for (size_t i = 0; i < PARSER_FDS_MAX; i++)
		call->fds[i] = take_fd(&fds[i]);
	*ret_call = call;
	return 1;
}

static int dispatch_dmuser(struct connection *c, const struct parser_message *message, int *fds,
			   struct call **ret_call)
{
	struct failure failure = {};
	int r;

	if (policy_serves(connection_peer(c), &failure) < 0) {
		answer_failure(c, NULL, &failure, NULL);
		return 0;
	}
	r = await_manifests(c, message, fds, ret_call);
	return r != 0 ? r : carry_out(c, message, fds, ret_call);
}

int dispatch(struct connection *c, const struct parser_message *message, int *fds,
	     struct call **ret_call)
{
	switch (message->method) {
	case PARSER_METHOD_GET_INFO:
		get_info(c);
		return 0;
	case PARSER_METHOD_GET_INTERFACE_DESCRIPTION:
		get_interface_description(c, message->text);
		return 0;
	default:
		return dispatch_dmuser(c, message, fds, ret_call);
	}
}
