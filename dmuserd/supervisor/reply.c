// SPDX-License-Identifier: Apache-2.0
/*
 * What clients are told; see reply.h. The only file of the supervisor that includes json-c.
 *
 * Text that comes from outside (a worker's death, libdevmapper, the names of processes) is made safe here:
 * JSON is UTF-8, and no terminal shall obey what a process calls itself.
 *
 * An object under construction that ran out of memory is NULL from there on, so that only the end asks.
 */
#include "dmuserd/supervisor/reply.h"
#include "dmuserd/parser/utf8.h"
#include "dmuserd/supervisor/backend.h"
#include "dmuserd/supervisor/interface.h"
#include "util/cleanup.h"

#include "config.h"

#include <json-c/json_object.h>
#include <string.h>

#define WORDS_SIZE 1024

struct reply_list {
	json_object *volumes;
};

/* Building: add() takes over the value and gives back the object. Both NULL when memory is out. */

static json_object *add(json_object *object, const char *key, json_object *value)
{
	if (object && value && json_object_object_add(object, key, value) == 0)
		return object;
	json_object_put(value);
	json_object_put(object);
	return NULL;
}

static json_object *append(json_object *array, json_object *value)
{
	if (array && value && json_object_array_add(array, value) == 0)
		return array;
	json_object_put(value);
	json_object_put(array);
	return NULL;
}

static json_object *integer(uint64_t number)
{
	return json_object_new_int64(number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

static json_object *string(const char *text)
{
	return json_object_new_string(text);
}

/* Text of which nothing is known, cut to fit. */
static json_object *words(const char *text)
{
	char safe[WORDS_SIZE];
	const char *end = text + strlen(text);
	size_t used = 0;

	while (text < end) {
		size_t n = utf8_sequence(text, end);
		unsigned char c = (unsigned char)*text;
		bool sound = n > 0 && c >= ' ' && c != 0x7f;

		if (n == 0)
			n = 1;
		if (used + n >= sizeof(safe))
			break;
		if (sound)
			memcpy(safe + used, text, n);
		else
			safe[used] = '?';
		used += sound ? n : 1;
		text += n;
	}
	safe[used] = '\0';
	return string(safe);
}

/* Takes over the message. */
static int text_of(json_object *message, char **ret_text)
{
	const char *text;
	char *copy = NULL;

	if (!message)
		return -ENOMEM;
	text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		copy = strdup(text);
	json_object_put(message);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

/* Takes over the parameters. */
static int answer(json_object *parameters, bool continues, char **ret_text)
{
	json_object *message = add(json_object_new_object(), "parameters", parameters);

	if (continues)
		message = add(message, "continues", json_object_new_boolean(true));
	return text_of(message, ret_text);
}

static int error(const char *name, json_object *parameters, char **ret_text)
{
	json_object *message = add(json_object_new_object(), "error", string(name));

	return text_of(add(message, "parameters", parameters), ret_text);
}

static json_object *one(const char *key, json_object *value)
{
	return add(json_object_new_object(), key, value);
}

/* org.varlink.service */

int reply_get_info(char **ret_text)
{
	json_object *interfaces = json_object_new_array(), *info;

	for (const struct interface *i = interface_next(NULL); i; i = interface_next(i))
		interfaces = append(interfaces, string(i->name));
	info = one("vendor", string("dmuser"));
	info = add(info, "product", string("dmuserd"));
	info = add(info, "version", string(DMUSER_VERSION));
	info = add(info, "url", string("man:dmuserd(8)"));
	return answer(add(info, "interfaces", interfaces), false, ret_text);
}

int reply_interface_description(const char *description, char **ret_text)
{
	return answer(one("description", string(description)), false, ret_text);
}

int reply_refusal(enum parser_refusal refusal, const char *text, char **ret_text)
{
	switch (refusal) {
	case PARSER_REFUSED_METHOD_NOT_FOUND:
		return error("org.varlink.service.MethodNotFound", one("method", words(text)),
			     ret_text);
	case PARSER_REFUSED_INTERFACE_NOT_FOUND:
		return error("org.varlink.service.InterfaceNotFound", one("interface", words(text)),
			     ret_text);
	case PARSER_REFUSED_EXPECTED_MORE:
		return error("org.varlink.service.ExpectedMore", json_object_new_object(), ret_text);
	case PARSER_REFUSED_SYNTAX:
	case PARSER_REFUSED_INVALID_PARAMETER:
		break;
	}
	return error("org.varlink.service.InvalidParameter", one("parameter", words(text)), ret_text);
}

/* Volumes */

static const char *state_name(enum volume_state state)
{
	switch (state) {
	case VOLUME_CREATED:
		return "created";
	case VOLUME_ATTACHED:
		return "attached";
	case VOLUME_ACTIVE:
		return "active";
	case VOLUME_DEGRADED:
		return "degraded";
	case VOLUME_RELEASING:
		return "releasing";
	case VOLUME_GONE:
		break;
	}
	return "gone";
}

static json_object *options(const struct volume_spec *spec)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < spec->n_options; i++)
		object = add(object, spec->options[i].name, string(spec->options[i].value));
	return object;
}

static json_object *add_specification(json_object *object, const struct volume_info *info)
{
	const struct volume_spec *spec = info->spec;

	object = add(object, "backend", string(spec->backend->manifest.type));
	object = add(object, "options", options(spec));
	/* Not known before the backing has been looked at. */
	object = add(object, "size_bytes",
		     integer(info->size_bytes == PARSER_UNSET ? 0 : info->size_bytes));
	object = add(object, "block_size", integer(spec->block_size));
	object = add(object, "read_only", json_object_new_boolean(spec->read_only));
	return add(object, "keep", json_object_new_boolean(spec->keep));
}

/* What a volume has only at times is left out at others. */
static json_object *add_optional(json_object *object, const struct volume_info *info)
{
	if (info->device)
		object = add(object, "device", string(info->device));
	if (info->worker_pid > 0) {
		object = add(object, "worker_pid", integer((uint64_t)info->worker_pid));
		object = add(object, "worker_uid", integer(info->worker_uid));
	}
	if (info->container)
		object = add(object, "container", string(info->container));
	if (info->container_pid > 0)
		object = add(object, "container_pid", integer((uint64_t)info->container_pid));
	if (info->error)
		object = add(object, "error", words(info->error));
	return object;
}

static json_object *volume_object(const struct volume_info *info)
{
	json_object *object = one("name", string(info->name));

	object = add(object, "owner", integer(info->owner));
	object = add(object, "uuid", string(info->uuid));
	object = add(object, "state", string(state_name(info->state)));
	object = add_specification(object, info);
	object = add(object, "blank", json_object_new_boolean(info->blank));
	object = add(object, "generation", integer(info->generation));
	return add_optional(object, info);
}

int reply_ping(const char *driver, size_t n_volumes, char **ret_text)
{
	json_object *pong = one("version", string(DMUSER_VERSION));

	if (driver)
		pong = add(pong, "driver", words(driver));
	return answer(add(pong, "volumes", integer(n_volumes)), false, ret_text);
}

int reply_volume(const struct volume_info *info, char **ret_text)
{
	return answer(one("volume", volume_object(info)), false, ret_text);
}

int reply_created(const struct volume_info *info, bool created, char **ret_text)
{
	json_object *parameters = one("volume", volume_object(info));

	return answer(add(parameters, "created", json_object_new_boolean(created)), false, ret_text);
}

/* Release */

static const char *stage_name(enum release_stage stage)
{
	switch (stage) {
	case RELEASE_GONE:
		return "gone";
	case RELEASE_DRAINING:
		return "draining";
	case RELEASE_FAILING:
		return "failing";
	case RELEASE_DEVICE_BUSY:
		break;
	}
	return "device_busy";
}

static json_object *holders(const struct release_result *result)
{
	const char *text = result ? holders_first(&result->holders) : NULL;
	json_object *array = json_object_new_array();

	for (size_t i = 0; result && i < result->holders.n; i++, text = holders_next(text))
		array = append(array, words(text));
	return array;
}

int reply_released(const struct reply_released *released, size_t n_released, char **ret_text)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < n_released; i++) {
		json_object *object = one("name", string(released[i].name));

		object = add(object, "owner", integer(released[i].owner));
		object = add(object, "stage", string(stage_name(released[i].result->stage)));
		object = add(object, "holders", holders(released[i].result));
		array = append(array, object);
	}
	return answer(one("released", array), false, ret_text);
}

/* Backends */

/* The name that C does not let an array of unnamed structs have. */
typedef __typeof__(((struct parser_manifest *)NULL)->options[0]) manifest_option;

static const char *const kind_names[] = {
	[MANIFEST_STRING] = "string",
	[MANIFEST_INTEGER] = "integer",
	[MANIFEST_BOOLEAN] = "boolean",
	[MANIFEST_SIZE] = "size",
};

static const char *const resource_names[] = {
	[MANIFEST_MEMFD] = "memfd",
	[MANIFEST_FILE] = "file",
};

static json_object *backend_option(const struct parser_manifest *m, const manifest_option *option)
{
	json_object *object = one("name", string(option->name));

	object = add(object, "summary", words(option->summary));
	object = add(object, "kind", string(kind_names[option->kind]));
	object = add(object, "required", json_object_new_boolean(option->required));
	if (option->kind != MANIFEST_BOOLEAN) {
		object = add(object, "min", json_object_new_int64(option->min));
		object = add(object, "max", json_object_new_int64(option->max));
	}
	if (option->opens)
		object = add(object, "opens", string(resource_names[m->resources[option->opens - 1]]));
	return object;
}

static json_object *backend_object(const struct backend *b)
{
	const struct parser_manifest *m = &b->manifest;
	json_object *object = one("type", string(m->type));
	json_object *array = json_object_new_array();
	const char *missing = backend_missing(b);

	object = add(object, "summary", words(m->summary));
	object = add(object, "profile", string(m->profile));
	object = add(object, "size_min", integer(m->min_size_bytes));
	object = add(object, "size_max", integer(m->max_size_bytes));
	for (size_t i = 0; i < m->n_resources; i++)
		array = append(array, string(resource_names[m->resources[i]]));
	object = add(object, "resources", array);
	array = json_object_new_array();
	for (size_t i = 0; i < m->n_options; i++)
		array = append(array, backend_option(m, &m->options[i]));
	object = add(object, "options", array);
	return missing ? add(object, "missing", words(missing)) : object;
}

int reply_backends(const struct manager *m, char **ret_text)
{
	json_object *backends = json_object_new_array(), *rejected = json_object_new_array();
	const char *type, *reason;

	for (const struct backend *b = backend_next(m, NULL); b; b = backend_next(m, b))
		backends = append(backends, backend_object(b));
	for (size_t i = 0; backend_rejected(m, i, &type, &reason); i++)
		rejected = append(rejected,
				  add(one("type", string(type)), "reason", words(reason)));
	return answer(add(one("backends", backends), "rejected", rejected), false, ret_text);
}

/* Errors of io.dmuser */

static json_object *available(const struct manager *m)
{
	json_object *array = json_object_new_array();

	for (const struct backend *b = backend_next(m, NULL); b; b = backend_next(m, b))
		array = append(array, string(b->manifest.type));
	return array;
}

static json_object *two(const char *key1, json_object *value1, const char *key2, json_object *value2)
{
	return add(one(key1, value1), key2, value2);
}

static json_object *containers(const struct reply_subject *subject)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < subject->n_containers; i++)
		array = append(array, words(subject->containers[i]));
	return array;
}

static int no_such_volume(const char *name, const char *last_failure, char **ret_text)
{
	json_object *parameters = one("name", string(name));

	if (last_failure)
		parameters = add(parameters, "last_failure", words(last_failure));
	return error("io.dmuser.NoSuchVolume", parameters, ret_text);
}

static int invalid_size(const struct failure *failure, char **ret_text)
{
	return error("io.dmuser.InvalidSize",
		     add(two("reason", words(failure->reason), "min",
			     integer(failure->min_size_bytes)),
			 "max", integer(failure->max_size_bytes)),
		     ret_text);
}

static int quota_exceeded(const struct failure *failure, char **ret_text)
{
	json_object *parameters = two("resource", words(failure->subject), "limit", integer(failure->limit));

	if (failure->setting)
		parameters = add(parameters, "setting", string(failure->setting));
	return error("io.dmuser.QuotaExceeded", parameters, ret_text);
}

int reply_failure(const struct failure *failure, const struct reply_subject *subject, char **ret_text)
{
	const char *name = subject->volume ? subject->volume : "";

	switch (failure->kind) {
	case FAILURE_NO_SUCH_VOLUME:
		return no_such_volume(name, subject->last_failure, ret_text);
	case FAILURE_AMBIGUOUS_NAME:
		return error("io.dmuser.AmbiguousName",
			     two("name", string(name), "containers", containers(subject)), ret_text);
	case FAILURE_VOLUME_EXISTS:
		return error("io.dmuser.VolumeExists",
			     two("name", string(name), "container", words(failure->subject)),
			     ret_text);
	case FAILURE_SPECIFICATION_MISMATCH:
		return error("io.dmuser.SpecificationMismatch",
			     two("name", string(name), "field", words(failure->subject)), ret_text);
	case FAILURE_VOLUME_BOUND:
		return error("io.dmuser.VolumeBound",
			     two("name", string(name), "container", words(failure->subject)),
			     ret_text);
	case FAILURE_VOLUME_BUSY:
		return error("io.dmuser.VolumeBusy",
			     add(two("name", string(name), "open_count",
				     integer(subject->result ? subject->result->open_count : 0)),
				 "holders", holders(subject->result)),
			     ret_text);
	case FAILURE_NO_SUCH_BACKEND:
		return error("io.dmuser.NoSuchBackend",
			     two("backend", words(failure->subject), "available",
				 available(subject->m)),
			     ret_text);
	case FAILURE_INVALID_OPTION:
		return error("io.dmuser.InvalidOption",
			     two("option", words(failure->subject), "reason",
				 words(failure->reason)),
			     ret_text);
	case FAILURE_INVALID_SIZE:
		return invalid_size(failure, ret_text);
	case FAILURE_BACKING_IN_USE:
		return error("io.dmuser.BackingInUse",
			     two("option", words(failure->subject), "reason",
				 words(failure->reason)),
			     ret_text);
	case FAILURE_INVALID_PARAMETER:
		return error("org.varlink.service.InvalidParameter",
			     one("parameter", words(failure->subject)), ret_text);
	case FAILURE_OPERATION_PENDING:
		return error("io.dmuser.OperationPending",
			     two("name", string(name), "operation", words(failure->subject)),
			     ret_text);
	case FAILURE_OWNER_GONE:
		return error("io.dmuser.OwnerGone", one("container", words(failure->subject)),
			     ret_text);
	case FAILURE_QUOTA_EXCEEDED:
		return quota_exceeded(failure, ret_text);
	case FAILURE_PERMISSION_DENIED:
		return error("io.dmuser.PermissionDenied", one("reason", words(failure->reason)),
			     ret_text);
	case FAILURE_DRIVER_UNAVAILABLE:
		return error("io.dmuser.DriverUnavailable", one("reason", words(failure->reason)),
			     ret_text);
	case FAILURE_TIMED_OUT:
		return error("io.dmuser.TimedOut", one("stage", words(failure->subject)), ret_text);
	case FAILURE_NONE:
	case FAILURE_BACKEND_FAILED:
		break;
	}
	return error("io.dmuser.BackendFailed", one("reason", words(failure->reason)), ret_text);
}

/* Several volumes */

int reply_list_new(struct reply_list **ret_list)
{
	struct reply_list *list = calloc(1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	list->volumes = json_object_new_array();
	if (!list->volumes) {
		free(list);
		return -ENOMEM;
	}
	*ret_list = list;
	return 0;
}

void reply_list_free(struct reply_list *list)
{
	if (!list)
		return;
	json_object_put(list->volumes);
	free(list);
}

int reply_list_add(struct reply_list *list, const struct volume_info *info)
{
	list->volumes = append(list->volumes, volume_object(info));
	return list->volumes ? 0 : -ENOMEM;
}

int reply_list_text(struct reply_list *list, enum reply_event event, char **ret_text)
{
	static const char *const names[] = {
		[REPLY_SNAPSHOT] = "snapshot",
		[REPLY_CHANGED] = "changed",
		[REPLY_GONE] = "gone",
	};
	json_object *parameters = json_object_new_object();

	if (event != REPLY_LIST)
		parameters = add(parameters, "event", string(names[event]));
	parameters = add(parameters, "volumes", json_object_get(list->volumes));
	return answer(parameters, event != REPLY_LIST, ret_text);
}
