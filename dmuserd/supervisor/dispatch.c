// SPDX-License-Identifier: Apache-2.0
/*
 * From a checked request to what is done about it; see dispatch.h.
 *
 * One function a method, that of Release in dispatch-release.c. Each asks policy.c first, then volume.h, and
 * ends in one answer. Owns the calls that are under way: a call outlives its client only if it is a Create
 * on lease, whose volume nobody would release otherwise.
 */
#include "dmuserd/supervisor/dispatch-internal.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/interface.h"
#include "dmuserd/supervisor/lease.h"
#include "dmuserd/supervisor/process.h"
#include "dmuserd/supervisor/reply.h"
#include "dmuserd/supervisor/usage.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define DRIVER_VERSION "/sys/module/dm_user/version"
/* Enough to see what is meant by a name. */
#define AMBIGUOUS_TOLD_MAX 16

struct call *call_new(struct connection *c, const char *name)
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

void call_free(struct call *call)
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

void call_answer_failure(struct connection *c, const char *volume, const struct failure *failure,
			   const struct release_result *result)
{
	const struct reply_subject subject = {
		.m = connection_front(c)->m,
		.volume = volume,
		.result = result,
	};

	answer_failure_on(c, &subject, failure);
}

uint64_t call_now_usec(const struct manager *m)
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

	if (failure_memory_tell(&m->failures, owner, container, name, call_now_usec(m), told))
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

/* Finds the volume that is meant; if there is none to be seen, the client is told and NULL returned. */
struct volume *call_find_volume(struct connection *c, const struct parser_volume *asked, pick_fn pick)
{
	const char *container = asked->container.id[0] ? asked->container.id : NULL;
	struct failure failure = {};
	struct volume *volume = NULL;
	uid_t owner;

	if (policy_owner(connection_peer(c), asked->owner, &owner) < 0) {
		failure_set(&failure, FAILURE_NO_SUCH_VOLUME, NULL, "no such volume");
		call_answer_failure(c, asked->name, &failure, NULL);
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

/*
 * A size that the backend does not serve; the largest that it does may be more than there is here,
 * and would be refused next (volume-create.c).
 */
static void add_limit_of_memory(const struct settings *s, const struct backend *backend,
				const struct parser_create *asked, struct failure *failure)
{
	struct memory_limit limit = usage_memory_limit(s, asked->block_size ?: BLOCK_SIZE_DEFAULT);
	size_t used = strlen(failure->reason);

	if (failure->kind != FAILURE_INVALID_SIZE ||
	    !backend_has_resource(&backend->manifest, MANIFEST_MEMFD) ||
	    limit.max_bytes < failure->min_size_bytes || limit.max_bytes >= failure->max_size_bytes)
		return;
	failure->max_size_bytes = limit.max_bytes;
	if (asked->size_bytes > limit.max_bytes)
		snprintf(failure->reason + used, sizeof(failure->reason) - used, "; %s %" PRIu64,
			 limit.words, limit.max_bytes);
}

/* What is asked for, as far as it can be judged without doing anything. */
static int specify(struct connection *c, const struct parser_create *asked, struct volume_spec *ret_spec,
		   struct failure *failure)
{
	const struct peer *peer = connection_peer(c);
	struct manager *m = connection_front(c)->m;
	const struct backend *backend = backend_find(m, asked->backend);
	struct volume_usage usage;
	int r;

	if (!backend)
		return failure_set(failure, FAILURE_NO_SUCH_BACKEND, asked->backend,
				   "no backend of that name is installed");
	r = backend_validate(backend, asked, ret_spec, failure);
	if (r < 0) {
		add_limit_of_memory(&m->settings, backend, asked, failure);
		return r;
	}
	ret_spec->owner = peer->uid;
	ret_spec->owner_gid = peer->gid;
	/* Asking for what is there uses nothing up. */
	if (volume_find(m, peer->uid, container_of(asked), ret_spec->name))
		return 0;
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
		call_answer_failure(c, call->name, failure, NULL);
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

	if (failure_outlasts(failure)) {
		failure_describe(failure, text, sizeof(text));
		failure_memory_keep(&m->failures, owner, container_of(asked), asked->name, text,
				    call_now_usec(m));
	}
	call_answer_failure(c, asked->name, failure, NULL);
}

/*
 * Whose end a volume waits for is root's choice, or one's own process: else a quota would be used up by somebody
 * who does not know of it. What is no process that lives is told by who would watch it.
 */
static int check_init(struct connection *c, int pidfd, struct failure *failure)
{
	uid_t uid = connection_peer(c)->uid, owner;
	int r = uid == 0 ? 0 : process_owner(pidfd, &owner);

	if (uid == 0 || r == -ESRCH || r == -EBADF || r == -EREMOTE)
		return 0;
	if (r < 0)
		return failure_set(failure, FAILURE_PERMISSION_DENIED, NULL,
				   "it cannot be told whose process that is: %s", strerror(-r));
	return owner == uid ? 0 :
			      failure_set(failure, FAILURE_PERMISSION_DENIED, NULL,
					  "the process is uid %u's: bind to one of your own", owner);
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
	r = container ? check_init(c, fds[asked->container.pidfd], &failure) : 0;
	if (r == 0)
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
	struct volume *volume = call_find_volume(c, asked, volume_pick_to_bind);
	struct failure failure = {};

	if (!volume)
		return;
	if (check_init(c, fds[asked->container.pidfd], &failure) < 0 ||
	    volume_bind(volume, asked->container.id, take_fd(&fds[asked->container.pidfd]), &failure) < 0)
		call_answer_failure(c, asked->name, &failure, NULL);
	else
		answer_volume(c, volume);
}

static void describe(struct connection *c, const struct parser_volume *asked)
{
	struct volume *volume = call_find_volume(c, asked, volume_pick);

	if (volume)
		answer_volume(c, volume);
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
		/* A subscriber hears of it when its size is known. */
		if (event == REPLY_SNAPSHOT && info.size_bytes == 0)
			continue;
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
		return dispatch_release(c, &message->volume, ret_call);
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
		call_answer_failure(c, NULL, &failure, NULL);
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
