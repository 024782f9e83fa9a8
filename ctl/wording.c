// SPDX-License-Identifier: Apache-2.0
/* What is said of each error; see wording.h. */
#include "ctl/wording.h"
#include "ctl/inquiry.h"
#include "ctl/object.h"
#include "ctl/reason.h"
#include "util/cleanup.h"
#include "util/name.h"

#include <string.h>

/* A constant's number, as a sentence has it. */
#define TEXT_OF(tokens) #tokens
#define TEXT(constant)	TEXT_OF(constant)

/* A volume has none that is larger. */
#define BLOCK_SIZE_MAX 4096

#define MANIFEST "'dmuserctl backends {backend}'"

static const struct wording wordings[] = {
	{ "io.dmuser.NoSuchVolume", EXIT_NO_VOLUME,
	  "there is no volume '{name}' that you may see",
	  "'dmuserctl list' names yours" },
	{ "io.dmuser.AmbiguousName", EXIT_FAILED,
	  "volume '{name}' exists in containers {containers}: say which with --container ID",
	  "'dmuserctl list' shows what holds each" },
	{ "io.dmuser.VolumeExists", EXIT_FAILED,
	  "container '{container}' has a volume '{name}' already",
	  "'dmuserctl show {name} --container {container}' tells what it is" },
	{ "io.dmuser.SpecificationMismatch", EXIT_FAILED,
	  "a volume '{name}' exists already, with another {field}{difference}",
	  "'dmuserctl show {name}' tells what it is; choose another name, or release it first" },
	{ "io.dmuser.VolumeBound", EXIT_BUSY,
	  "volume '{name}' belongs to container '{container}' already",
	  "choose another name, or wait for that container's end" },
	{ "io.dmuser.VolumeBusy", EXIT_BUSY,
	  "volume '{name}' is in use: its device is open {times} ({by})",
	  "{advice}; or dmuserctl release {volume} --force, which fails its I/O" },
	{ "io.dmuser.NoSuchBackend", EXIT_FAILED,
	  "no backend '{backend}' is installed",
	  "installed are: {available}; if it should be, 'dmuserctl backends {backend}' says what "
	  "is wrong" },
	{ "io.dmuser.InvalidOption", EXIT_FAILED,
	  "the backend does not take option '{option}': {reason}",
	  "'dmuserctl backends' lists what it takes" },
	{ "io.dmuser.InvalidSize", EXIT_FAILED,
	  "that size cannot be had: {reason}",
	  "sizes from {limits} can be; 'dmuserctl backends' lists what each backend takes" },
	{ "io.dmuser.BackingInUse", EXIT_BUSY,
	  "{option=} cannot be taken: {reason}",
	  "release the volume, or unmount what has it; 'dmuserctl list' names volumes" },
	{ "io.dmuser.BackendFailed", EXIT_FAILED,
	  "the volume's process failed: {reason}",
	  "'dmuserctl doctor' looks for what is amiss on this machine; {log}" },
	{ "io.dmuser.OperationPending", EXIT_BUSY,
	  "volume '{name}' is busy with another operation: {operation}",
	  "try again when it is over; 'dmuserctl monitor' shows when" },
	{ "io.dmuser.OwnerGone", EXIT_FAILED,
	  "container '{container}' has ended already",
	  "start it again; its volumes are released" },
	{ "io.dmuser.QuotaExceeded", EXIT_FAILED,
	  "a limit is reached: no more than {limit} {resource}",
	  "release what is not needed, or raise the limit in /etc/dmuser/dmuserd.conf" },
	{ "io.dmuser.PermissionDenied", EXIT_DENIED,
	  "dmuserd does not allow that: {reason}",
	  "be root, or the volume's owner" },
	{ "io.dmuser.DriverUnavailable", EXIT_FAILED,
	  "the kernel side cannot serve: {reason}",
	  "'modprobe dm-user' loads the module; 'dmuserctl ping' shows whether it is there" },
	{ "io.dmuser.TimedOut", EXIT_TIMED_OUT,
	  "dmuserd gave up waiting: {stage}",
	  "'dmuserctl list' shows what is there now; {log}" },
	{ "org.varlink.service.InvalidParameter", EXIT_FAILED,
	  "dmuserd does not take the value of parameter '{parameter}'",
	  "'dmuserctl introspect' tells what it may be" },
	{ "org.varlink.service.MethodNotFound", EXIT_FAILED,
	  "dmuserd has no method '{method}'",
	  "'dmuserctl introspect' lists its methods" },
	{ "org.varlink.service.MethodNotImplemented", EXIT_FAILED,
	  "this dmuserd does not implement method '{method}'",
	  "'dmuserctl ping' tells its version" },
	{ "org.varlink.service.InterfaceNotFound", EXIT_FAILED,
	  "dmuserd has no interface '{interface}'",
	  "'dmuserctl call org.varlink.service.GetInfo' lists its interfaces" },
	{ "org.varlink.service.ExpectedMore", EXIT_FAILED,
	  "the method gives several replies and was not asked for them",
	  "add --more" },
	{ "org.varlink.service.PermissionDenied", EXIT_DENIED,
	  "dmuserd does not allow that",
	  "be root, or join the group dmuser" },
};

/* What some errors mean, when it is known who asked and for what. */
static const struct wording no_volume_for_root = {
	"", EXIT_NO_VOLUME, "there is no volume '{name}'",
	"'dmuserctl list' names all there are"
};
static const struct wording others_volume = {
	"", EXIT_NO_VOLUME, "root has no volume '{name}'; it is one of {owners}",
	"dmuserctl {command} {other}"
};
static const struct wording setting_exceeded = {
	"", EXIT_FAILED, "a limit is reached: no more than {limit} {resource}",
	"release what is not needed, or raise {setting} in /etc/dmuser/dmuserd.conf"
};
/* There is nothing to release that would help. */
static const struct wording memory_size_exceeded = {
	"", EXIT_FAILED,
	"a volume in memory has {limit} bytes at most, and this backend serves none so small",
	"raise {setting} in /etc/dmuser/dmuserd.conf"
};
static const struct wording no_volume_in_container = {
	"", EXIT_NO_VOLUME, "there is no volume '{name}' of container '{container}'",
	"'dmuserctl list' shows what holds each volume"
};
static const struct wording no_volumes_of_container = {
	"", EXIT_NO_VOLUME, "container '{container}' has no volumes",
	"'dmuserctl list' shows what holds each volume"
};
static const struct wording volume_not_created = {
	"", EXIT_NO_VOLUME,
	"no volume '{name}'; the last attempt to create it failed: {last_failure}",
	"mend that, and create it again"
};
static const struct wording volume_not_created_by_hook = {
	"", EXIT_NO_VOLUME,
	"no volume '{name}'; the last attempt to create it failed: {last_failure}",
	"mend that, and start the container again; 'journalctl -t dmuser-oci-hook' shows all that "
	"the hook said"
};
static const struct wording backend_misspelt = {
	"", EXIT_FAILED, "no backend '{backend}' is installed",
	"did you mean '{meant}'? Installed are: {installed}"
};
/* Nobody could have installed it. */
static const struct wording backend_misnamed = {
	"", EXIT_FAILED,
	"no backend can be called '{backend}': a name is a small letter, then small letters, "
	"digits and '-', " TEXT(NAME_BACKEND_MAX) " at the most",
	"'dmuserctl backends' lists those that are installed"
};
static const struct wording size_missing = {
	"", EXIT_FAILED, "{backend} needs {--size}: how large the volume is to be",
	"such as {--size=}64M: bytes, or a number with one of K, M, G, T after it"
};
static const struct wording size_refused = {
	"", EXIT_FAILED,
	"{backend} cannot have {--size=}{size}: it must be a multiple of the block size, {block} "
	"bytes",
	MANIFEST " says which sizes it takes"
};
static const struct wording size_out_of_range = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be, in multiples of the block size ({block} bytes); nearest to "
	"{size}: {nearest}"
};
static const struct wording image_too_small = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be; enlarge the image: truncate -s {least} FILE"
};
static const struct wording image_too_large = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be; {--size=}SIZE serves the beginning of what is too large"
};
static const struct wording device_too_small = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be: choose a larger device"
};
static const struct wording path_missing = {
	"", EXIT_FAILED, "{backend} needs {-o}path=FILE",
	"FILE is the absolute path of an image or a device, such as {-o}path=/srv/disk.img"
};
static const struct wording option_missing = {
	"", EXIT_FAILED, "{backend} needs {-o}{option}=VALUE", MANIFEST " says what it may be"
};
static const struct wording option_refused = {
	"", EXIT_FAILED, "{option=} cannot be taken: {reason}", "{hint}"
};
static const struct wording option_misspelt = {
	"", EXIT_FAILED, "{option=} cannot be taken: {reason}",
	"did you mean {-o}{option meant}? It has: {options}"
};
static const struct wording backing_held = {
	"", EXIT_BUSY, "{option=} cannot be taken: {reason}", "{hint}"
};
static const struct wording device_held = {
	"", EXIT_BUSY, "{option=} cannot be taken: it is in use: {user}",
	"{ends_user}; or choose another device"
};
static const struct wording spawner_missing = {
	"", EXIT_FAILED, "dmuserd can start no process, as its spawner is not there: {reason}",
	"{restart}; volumes that there are live on"
};
/* The reason says what to do, and no process was started. */
static const struct wording backend_incomplete = {
	"", EXIT_FAILED, "{reason}", "'dmuserctl doctor' looks for what else is not there"
};
#define UNSERVED "backend {backend} does not serve that: {refusal}"
static const struct wording worker_refused = {
	"", EXIT_FAILED, UNSERVED, MANIFEST " tells what it takes"
};
static const struct wording direct_needs_blocks = {
	"", EXIT_FAILED, UNSERVED,
	"what lies below has larger blocks than {block} bytes: {--block-size=}4096; or leave out "
	"{-o}direct=true"
};
static const struct wording direct_refused = {
	"", EXIT_FAILED, UNSERVED, "leave out {-o}direct=true, or choose another place"
};
static const struct wording value_refused = {
	"", EXIT_FAILED, "dmuserd does not take the value of {parameter}",
	"the command's --help tells what it may be"
};

static const struct wording annotation_refused = {
	"", EXIT_FAILED, "dmuserd does not take the value of {parameter}",
	"dmuser-oci-hook(8) tells what it may be"
};

/* A hook says of which volume it speaks. */
static bool is_told_by_hook(const char *last_failure)
{
	const char *colon = strstr(last_failure, ": ");

	return colon && strncmp(colon + 2, "volume ", strlen("volume ")) == 0;
}

static bool have_others_one(const struct matter *m)
{
	return m->c->found && m->c->found->others &&
	       json_object_array_length(m->c->found->others) > 0;
}

static const struct wording *choose_no_volume(const struct matter *m)
{
	const char *last_failure = object_string(m->parameters, "last_failure", "");
	struct json_object *request = m->c->request;

	/* First, since what failed may be long ago, and another's. */
	if (have_others_one(m))
		return &others_volume;
	if (last_failure[0])
		return is_told_by_hook(last_failure) && m->c->has_unit ?
			       &volume_not_created_by_hook :
			       &volume_not_created;
	if (object_string(request, "container", NULL))
		return object_string(request, "name", NULL) ? &no_volume_in_container :
							      &no_volumes_of_container;
	return m->c->is_root ? &no_volume_for_root : NULL;
}

static const struct wording *choose_size(struct json_object *request)
{
	return json_object_object_get_ex(request, "size_bytes", NULL) ? &size_refused :
									&size_missing;
}

static const struct wording *choose_option(const struct matter *m)
{
	struct json_object *given = object_member(m->c->request, "options", json_type_object);
	const char *option = object_string(m->parameters, "option", "");

	if (!json_object_object_get_ex(given, option, NULL))
		return strcmp(option, "path") == 0 ? &path_missing : &option_missing;
	return matter_option_meant(m) ? &option_misspelt : &option_refused;
}

static enum backing_kind backing_of(const struct matter *m)
{
	return m->c->found ? m->c->found->backing : BACKING_UNKNOWN;
}

/* Of a size that was found, and not asked for. NULL: the reason does not tell what is wrong. */
static const struct wording *choose_found_size(const struct matter *m)
{
	const char *reason = object_string(m->parameters, "reason", "");

	if (!matter_reason_is_whole(m))
		return NULL;
	if (strstr(reason, ", and the largest that backend "))
		return &image_too_large;
	if (!strstr(reason, ", and the smallest that backend "))
		return NULL;
	return backing_of(m) == BACKING_BLOCK_DEVICE ? &device_too_small : &image_too_small;
}

/* NULL too where the size is one that the backend serves, and this machine has not. */
static const struct wording *choose_out_of_range(const struct matter *m)
{
	int64_t asked = object_int(m->c->request, "size_bytes", 0);

	if (asked == 0)
		return object_member(m->c->request, "options", json_type_object) ?
			       choose_found_size(m) :
			       NULL;
	if (asked >= object_int(m->parameters, "min", 0) &&
	    asked <= object_int(m->parameters, "max", INT64_MAX) &&
	    (uint64_t)asked % matter_block_size(m) == 0)
		return NULL;
	return &size_out_of_range;
}

/* What a worker refuses with is its own affair. */
static const struct wording *choose_refusal(const struct matter *m, const char *refusal)
{
	if (!object_string(m->c->request, "backend", NULL))
		return NULL;
	if (strncmp(refusal, "direct: ", strlen("direct: ")) != 0)
		return &worker_refused;
	/* A read that is no whole number of the disk's blocks is invalid. */
	return strstr(refusal, ": Invalid argument") && matter_block_size(m) < BLOCK_SIZE_MAX ?
		       &direct_needs_blocks : &direct_refused;
}

static const struct wording *choose_backend_failed(const struct matter *m)
{
	const char *reason = object_string(m->parameters, "reason", "");
	const char *refusal = matter_refusal(m);

	if (refusal)
		return choose_refusal(m, refusal);
	/* Nothing can be started for anybody then, whatever the call was. */
	if (reason_is_no_spawner(reason))
		return &spawner_missing;
	return reason_is_incomplete(reason) ? &backend_incomplete : NULL;
}

static const struct wording *choose_held(const struct matter *m)
{
	return m->c->found && m->c->found->user.who[0] ? &device_held : &backing_held;
}

static const struct wording *choose_limit(const struct matter *m)
{
	if (strcmp(object_string(m->parameters, "resource", ""), "memory_volume_bytes") == 0)
		return &memory_size_exceeded;
	return object_string(m->parameters, "setting", NULL) ? &setting_exceeded : NULL;
}

static bool is_about(const struct matter *m, const char *parameter)
{
	return strcmp(object_string(m->parameters, "parameter", ""), parameter) == 0;
}

/* Of a parameter that dmuserd does not take. */
static const struct wording *choose_parameter(const struct matter *m)
{
	bool create = object_string(m->c->request, "backend", NULL);
	char word[PARAMETER_WORD_SIZE];

	if (create && is_about(m, "size_bytes"))
		return choose_size(m->c->request);
	if (create && is_about(m, "backend"))
		return matter_meant(m) ? &backend_misspelt : &backend_misnamed;
	if (!matter_word(m, "parameter", word))
		return NULL;
	return m->c->words == WORDS_OF_COMMAND_LINE ? &value_refused : &annotation_refused;
}

/* What this error means here; NULL: what it always means. */
static const struct wording *choose(const char *error, const struct matter *m)
{
	bool create = object_string(m->c->request, "backend", NULL);

	if (strcmp(error, "io.dmuser.NoSuchVolume") == 0)
		return choose_no_volume(m);
	if (strcmp(error, "io.dmuser.InvalidOption") == 0)
		return create ? choose_option(m) : NULL;
	if (strcmp(error, "io.dmuser.BackingInUse") == 0)
		return create ? choose_held(m) : NULL;
	if (strcmp(error, "io.dmuser.InvalidSize") == 0)
		return create ? choose_out_of_range(m) : NULL;
	if (strcmp(error, "io.dmuser.BackendFailed") == 0)
		return choose_backend_failed(m);
	if (strcmp(error, "io.dmuser.QuotaExceeded") == 0)
		return choose_limit(m);
	if (strcmp(error, "io.dmuser.NoSuchBackend") == 0)
		return matter_meant(m) ? &backend_misspelt : NULL;
	if (strcmp(error, "org.varlink.service.InvalidParameter") == 0)
		return choose_parameter(m);
	return NULL;
}

const struct wording *wording_choose(const char *error, const struct matter *m)
{
	const struct wording *w = choose(error, m);

	for (size_t i = 0; !w && i < ARRAY_SIZE(wordings); i++)
		if (strcmp(wordings[i].error, error) == 0)
			w = &wordings[i];
	return w;
}
