// SPDX-License-Identifier: Apache-2.0
/* Why something failed, and what to do next; see explain.h. */
#include "ctl/explain.h"
#include "api/dmuser.h"
#include "ctl/escape.h"
#include "ctl/holder.h"
#include "ctl/object.h"
#include "ctl/option-hint.h"
#include "ctl/parameter.h"
#include "ctl/quantity.h"
#include "ctl/shell-word.h"
#include "ctl/volume-view.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_BLOCK_SIZE 512
#define MANIFEST "'dmuserctl backends {backend}'"

/*
 * {key} stands for the error's parameter of that name, or else the request's. Some are made here: {log}, where
 * dmuserd's messages are, {restart}, how it is started anew, {times}, how often {open_count} is, {advice}, what
 * to do about {holders}, {option=}, the option as it was given, {value}, what was given for it, {directory},
 * where that lies, {hint}, what to do about its refusal, {size}, the size that was given, {limits}, from {min}
 * to {max}, {block}, the block size, and {nearest}, the sizes that could be. {parameter} and {field} name a
 * parameter: shown is the option that gave it.
 */
struct wording {
	const char *error;
	enum exit_code exit_code;
	const char *sentence;
	const char *hint;
};

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
	  "a volume '{name}' exists already, with another {field}",
	  "'dmuserctl show {name}' tells what it is; choose another name, or release it first" },
	{ "io.dmuser.VolumeBound", EXIT_BUSY,
	  "volume '{name}' belongs to container '{container}' already",
	  "choose another name, or wait for that container's end" },
	{ "io.dmuser.VolumeBusy", EXIT_BUSY,
	  "volume '{name}' is in use: its device is open {times} ({holders})",
	  "{advice}; or dmuserctl release {volume} --force, which fails its I/O" },
	{ "io.dmuser.NoSuchBackend", EXIT_FAILED,
	  "no backend '{backend}' is installed",
	  "installed are: {available}; if it should be, 'dmuserctl backends {backend}' says what is wrong" },
	{ "io.dmuser.InvalidOption", EXIT_FAILED,
	  "the backend does not take option '{option}': {reason}",
	  "'dmuserctl backends' lists what it takes" },
	{ "io.dmuser.InvalidSize", EXIT_FAILED,
	  "that size cannot be had: {reason}",
	  "sizes from {limits} can be; 'dmuserctl backends' lists what each backend takes" },
	{ "io.dmuser.BackingInUse", EXIT_BUSY,
	  "-o {option=} cannot be taken: {reason}",
	  "release the volume, or unmount what has it; 'dmuserctl list' names volumes" },
	{ "io.dmuser.BackendFailed", EXIT_FAILED,
	  "the volume's process failed: {reason}",
	  "{log}" },
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
	"'dmuserctl list' names all there are; another owner's needs --owner UID"
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
	"mend that and create it again; {log}"
};
static const struct wording size_missing = {
	"", EXIT_FAILED, "{backend} needs --size: how large the volume is to be",
	"such as --size 64M; 'dmuserctl create --help' says what a size may be"
};
static const struct wording size_refused = {
	"", EXIT_FAILED,
	"{backend} cannot have --size {size}: it must be a multiple of the block size, {block} bytes",
	MANIFEST " says which sizes it takes"
};
static const struct wording size_out_of_range = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be, in multiples of the block size ({block} bytes); nearest to {size}: "
	"{nearest}"
};
static const struct wording image_out_of_range = {
	"", EXIT_FAILED, "that size cannot be had: {reason}",
	"sizes from {limits} can be; truncate -s SIZE FILE makes an image larger, --size SIZE serves the "
	"beginning of one that is too large"
};
static const struct wording path_missing = {
	"", EXIT_FAILED, "{backend} needs -o path=FILE",
	"FILE is the absolute path of an image or a device, such as -o path=/srv/disk.img"
};
static const struct wording option_missing = {
	"", EXIT_FAILED, "{backend} needs -o {option}=VALUE", MANIFEST " says what it may be"
};
static const struct wording option_refused = {
	"", EXIT_FAILED, "-o {option=} cannot be taken: {reason}", "{hint}"
};
static const struct wording backing_held = {
	"", EXIT_BUSY, "-o {option=} cannot be taken: {reason}", "{hint}"
};
static const struct wording spawner_missing = {
	"", EXIT_FAILED, "dmuserd can start no process, as its spawner is not there: {reason}",
	"{restart}; volumes that there are live on"
};
static const struct wording value_refused = {
	"", EXIT_FAILED, "dmuserd does not take the value of {parameter}",
	"the command's --help tells what it may be"
};

static const struct wording annotation_refused = {
	"", EXIT_FAILED, "dmuserd does not take the value of {parameter}",
	"dmuser-oci-hook(8) tells what it may be"
};

/* One error, and all that is known about it. */
struct matter {
	const struct circumstances *c;
	struct json_object *parameters;
};

static void append(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s", text);
}

static void append_escaped(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	escape_text(text, out + used, size - used);
}

static void append_value(char *out, size_t size, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		append_escaped(out, size, json_object_get_string(value));
		break;
	case json_type_array:
		if (json_object_array_length(value) == 0)
			append(out, size, "none known");
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			append(out, size, i ? ", " : "");
			append_value(out, size, json_object_array_get_idx(value, i));
		}
		break;
	case json_type_null:
		append(out, size, "unknown");
		break;
	default:
		append_escaped(out, size, json_object_to_json_string(value));
	}
}

static void append_log(char *out, size_t size, const struct matter *m)
{
	append(out, size, circumstances_log(m->c));
}

static void append_restart(char *out, size_t size, const struct matter *m)
{
	append(out, size, m->c->has_unit ? "systemctl restart dmuser-workers dmuserd" :
					   "end dmuserd (SIGTERM) and start it again, as root");
}

static void append_advice(char *out, size_t size, const struct matter *m)
{
	struct json_object *parameters = m->parameters;
	size_t begin = strlen(out);

	for (size_t i = 0; i < object_array_length(parameters, "holders"); i++) {
		struct json_object *holder = object_array_element(parameters, "holders", i);
		char advice[HOLDER_ADVICE_SIZE];

		if (!holder_advice(json_object_get_string(holder), advice, sizeof(advice))[0])
			continue;
		append(out, size, out[begin] ? "; " : "");
		append(out, size, advice);
	}
	if (!out[begin])
		append(out, size, "unmount it, or end what uses it, if that still can be ended");
}

/* As `release` takes it: by the name that the error tells, of the owner and container that were asked for. */
static void append_volume(char *out, size_t size, const struct matter *m)
{
	_cleanup_(object_putp) struct json_object *volume = object_new();
	const char *container = object_string(m->c->request, "container", NULL);
	int64_t owner = object_int(m->c->request, "owner", -1);
	char words[512];

	object_set_string(volume, "name", object_string(m->parameters, "name", "?"));
	if (container)
		object_set_string(volume, "container", container);
	if (owner >= 0)
		object_set_int(volume, "owner", owner);
	append(out, size, volume_view_words(volume, words));
}

static void append_times(char *out, size_t size, const struct matter *m)
{
	int64_t count = object_int(m->parameters, "open_count", 0);
	size_t used = strlen(out);

	if (count == 1)
		append(out, size, "once");
	else
		snprintf(out + used, size - used, "%" PRId64 " times", count);
}

static const char *given_option(const struct matter *m)
{
	return object_string(object_member(m->c->request, "options", json_type_object),
			     object_string(m->parameters, "option", ""), "");
}

static void append_value_word(char *out, size_t size, const struct matter *m)
{
	char word[SHELL_WORD_SIZE];

	append_escaped(out, size, shell_word(given_option(m), word, sizeof(word)));
}

static void append_directory(char *out, size_t size, const struct matter *m)
{
	char text[PATH_MAX], word[SHELL_WORD_SIZE], *slash;

	snprintf(text, sizeof(text), "%s", given_option(m));
	slash = strrchr(text, '/');
	if (slash)
		slash[slash == text] = 0;
	append_escaped(out, size, shell_word(text, word, sizeof(word)));
}

static void append_option(char *out, size_t size, const struct matter *m)
{
	append_escaped(out, size, object_string(m->parameters, "option", ""));
	append(out, size, "=");
	append_escaped(out, size, given_option(m));
}

static void append_bytes(char *out, size_t size, struct json_object *object, const char *key)
{
	char text[24];

	append(out, size, quantity_format_size((uint64_t)object_int(object, key, 0), text));
}

static void append_size(char *out, size_t size, const struct matter *m)
{
	append_bytes(out, size, m->c->request, "size_bytes");
}

static void append_limits(char *out, size_t size, const struct matter *m)
{
	append_bytes(out, size, m->parameters, "min");
	append(out, size, " to ");
	append_bytes(out, size, m->parameters, "max");
}

static uint64_t block_size(const struct matter *m)
{
	int64_t asked = object_int(m->c->request, "block_size", 0);

	return asked > 0 ? (uint64_t)asked : DEFAULT_BLOCK_SIZE;
}

static void append_block(char *out, size_t size, const struct matter *m)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%" PRIu64, block_size(m));
}

/* The one or two sizes next to the one that was given. */
static void append_nearest(char *out, size_t size, const struct matter *m)
{
	uint64_t block = block_size(m), asked = (uint64_t)object_int(m->c->request, "size_bytes", 0);
	uint64_t min = (uint64_t)object_int(m->parameters, "min", 0);
	uint64_t max = (uint64_t)object_int(m->parameters, "max", INT64_MAX);
	uint64_t least = (min + block - 1) / block * block, most = max - max % block;
	uint64_t below = asked - asked % block, above = below + block;
	bool has_below, has_above;
	char text[2][24];

	if (asked < least)
		above = least;
	if (asked > most)
		below = most;
	has_below = below > 0 && below >= least;
	has_above = above <= most;
	quantity_format_size(below, text[0]);
	quantity_format_size(above, text[1]);
	/* Two neighbours are told in one unit, which half a K is none of. */
	if (has_below && has_above && block % 1024) {
		snprintf(text[0], sizeof(text[0]), "%" PRIu64, below);
		snprintf(text[1], sizeof(text[1]), "%" PRIu64, above);
	}
	append(out, size, has_below ? text[0] : "");
	append(out, size, has_below && has_above ? " and " : "");
	append(out, size, has_above ? text[1] : "");
}

/* For the parameter that the error names; NULL: that. */
static const char *what_caller_wrote(const struct matter *m, const char *key)
{
	const char *path = object_string(m->parameters, key, "");

	if (m->c->name_of)
		return m->c->name_of(path);
	return m->c->request ? parameter_option(path) : NULL;
}

/* True if the caller gave the parameter by another name. */
static bool append_parameter(char *out, size_t size, const struct matter *m, const char *key)
{
	const char *name = what_caller_wrote(m, key);

	if (name)
		append(out, size, name);
	return name;
}

static void fill(const char *template, const struct matter *m, char *out, size_t size);

static void append_hint(char *out, size_t size, const struct matter *m)
{
	const struct option_circumstances c = {
		.is_root = m->c->is_root,
		.has_size = object_int(m->c->request, "size_bytes", 0) > 0,
	};

	fill(option_hint(object_string(m->parameters, "reason", ""), &c), m, out, size);
}

static const struct {
	const char *key;
	void (*append)(char *out, size_t size, const struct matter *m);
} made_here[] = {
	{ "log", append_log },
	{ "restart", append_restart },
	{ "advice", append_advice },
	{ "volume", append_volume },
	{ "times", append_times },
	{ "option=", append_option },
	{ "value", append_value_word },
	{ "directory", append_directory },
	{ "hint", append_hint },
	{ "size", append_size },
	{ "limits", append_limits },
	{ "block", append_block },
	{ "nearest", append_nearest },
};

static void append_key(char *out, size_t size, const struct matter *m, const char *key)
{
	struct json_object *value;

	for (size_t i = 0; i < ARRAY_SIZE(made_here); i++) {
		if (strcmp(key, made_here[i].key) == 0) {
			made_here[i].append(out, size, m);
			return;
		}
	}
	if ((strcmp(key, "parameter") == 0 || strcmp(key, "field") == 0) &&
	    append_parameter(out, size, m, key))
		return;
	if (json_object_object_get_ex(m->parameters, key, &value) ||
	    json_object_object_get_ex(m->c->request, key, &value))
		append_value(out, size, value);
	else
		append(out, size, "unknown");
}

/* Appends template with each {key} replaced. */
static void fill(const char *template, const struct matter *m, char *out, size_t size)
{
	while (*template) {
		size_t plain = strcspn(template, "{");
		const char *end = strchr(template + plain, '}');
		char piece[256];

		snprintf(piece, sizeof(piece), "%.*s", (int)plain, template);
		append(out, size, piece);
		template += plain;
		if (!end)
			break;
		snprintf(piece, sizeof(piece), "%.*s", (int)(end - template - 1), template + 1);
		append_key(out, size, m, piece);
		template = end + 1;
	}
}

static const struct wording *choose_no_volume(const struct matter *m)
{
	struct json_object *request = m->c->request;

	if (object_string(m->parameters, "last_failure", "")[0])
		return &volume_not_created;
	if (object_string(request, "container", NULL))
		return object_string(request, "name", NULL) ? &no_volume_in_container :
							      &no_volumes_of_container;
	return m->c->is_root ? &no_volume_for_root : NULL;
}

static const struct wording *choose_size(struct json_object *request)
{
	return json_object_object_get_ex(request, "size_bytes", NULL) ? &size_refused : &size_missing;
}

static const struct wording *choose_option(const struct matter *m)
{
	struct json_object *given = object_member(m->c->request, "options", json_type_object);
	const char *option = object_string(m->parameters, "option", "");

	if (!json_object_object_get_ex(given, option, NULL))
		return strcmp(option, "path") == 0 ? &path_missing : &option_missing;
	return &option_refused;
}

/* NULL too where the size is one that the backend serves, and this machine has not. */
static const struct wording *choose_out_of_range(const struct matter *m)
{
	int64_t asked = object_int(m->c->request, "size_bytes", 0);

	if (asked == 0)
		return object_member(m->c->request, "options", json_type_object) ? &image_out_of_range : NULL;
	if (asked >= object_int(m->parameters, "min", 0) &&
	    asked <= object_int(m->parameters, "max", INT64_MAX) &&
	    (uint64_t)asked % block_size(m) == 0)
		return NULL;
	return &size_out_of_range;
}

/* Nothing can be started for anybody then, whatever the call was. */
static bool is_without_spawner(const struct matter *m)
{
	return strstr(object_string(m->parameters, "reason", ""), "start dmuser-spawner");
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
		return create ? &backing_held : NULL;
	if (strcmp(error, "io.dmuser.InvalidSize") == 0)
		return create ? choose_out_of_range(m) : NULL;
	if (strcmp(error, "io.dmuser.BackendFailed") == 0)
		return is_without_spawner(m) ? &spawner_missing : NULL;
	if (strcmp(error, "org.varlink.service.InvalidParameter") != 0)
		return NULL;
	if (create && strcmp(object_string(m->parameters, "parameter", ""), "size_bytes") == 0)
		return choose_size(m->c->request);
	if (!what_caller_wrote(m, "parameter"))
		return NULL;
	return m->c->request ? &value_refused : &annotation_refused;
}

static const struct wording *wording_find(const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(wordings); i++)
		if (strcmp(wordings[i].error, error) == 0)
			return &wordings[i];
	return NULL;
}

void explain_reply_in(const struct circumstances *c, const char *error,
		      struct json_object *parameters, struct explanation *ret)
{
	const struct matter m = { .c = c, .parameters = parameters };
	const struct wording *w = choose(error, &m);

	if (!w)
		w = wording_find(error);
	if (w) {
		ret->exit_code = w->exit_code;
		ret->sentence[0] = ret->hint[0] = 0;
		fill(w->sentence, &m, ret->sentence, sizeof(ret->sentence));
		fill(w->hint, &m, ret->hint, sizeof(ret->hint));
		return;
	}
	ret->exit_code = EXIT_FAILED;
	strcpy(ret->sentence, "dmuserd answered with an error unknown here: ");
	append_escaped(ret->sentence, sizeof(ret->sentence), error);
	append(ret->sentence, sizeof(ret->sentence), " ");
	append_value(ret->sentence, sizeof(ret->sentence), parameters);
	strcpy(ret->hint, "is it newer than this program? 'dmuserctl ping' tells its version");
}

void explain_reply(const char *error, struct json_object *parameters, struct explanation *ret)
{
	struct circumstances c;

	circumstances_read(&c);
	explain_reply_in(&c, error, parameters, ret);
}

static void say(struct explanation *ret, enum exit_code exit_code, const char *sentence,
		const char *hint)
{
	ret->exit_code = exit_code;
	snprintf(ret->sentence, sizeof(ret->sentence), "%s", sentence);
	snprintf(ret->hint, sizeof(ret->hint), "%s", hint);
}

/* How it is started depends on what is installed, and on whether that would serve this address. */
static const char *start_hint(const struct circumstances *c, const char *address)
{
	if (strcmp(address, DMUSER_ADDRESS_DEFAULT) != 0)
		return "is that the address? 'dmuserd --set run_dir=DIR', started by root, serves "
		       "DIR/io.dmuser";
	if (c->has_unit)
		return "systemctl start dmuserd";
	return "start it by hand, as root: dmuserd; one that serves another socket is reached with "
	       "DMUSER_ADDRESS=PATH";
}

void explain_call_errno(int error, const char *address, struct explanation *ret)
{
	struct circumstances c;

	circumstances_read(&c);
	explain_call_errno_in(&c, error, address, ret);
}

void explain_call_errno_in(const struct circumstances *c, int error, const char *address,
			   struct explanation *ret)
{
	char where[256];

	if (!address)
		address = secure_getenv("DMUSER_ADDRESS");
	if (!address || !address[0])
		address = DMUSER_ADDRESS_DEFAULT;
	escape_text(address, where, sizeof(where));

	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		say(ret, EXIT_UNREACHABLE, "", start_hint(c, address));
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "dmuserd is not running: nobody listens on %s", where);
		break;
	case EACCES:
	case EPERM:
		say(ret, EXIT_DENIED, "", c->has_group ?
		    "be root, or join the group dmuser: usermod -aG dmuser USER" :
		    "be root; others have to be in the group dmuser, which dmuserd did not find here");
		snprintf(ret->sentence, sizeof(ret->sentence), "you may not connect to %s", where);
		break;
	case ETIMEDOUT:
		say(ret, EXIT_TIMED_OUT, "dmuserd did not answer in time",
		    "what was asked may still happen: 'dmuserctl list'; wait longer with --timeout");
		break;
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
		say(ret, EXIT_UNREACHABLE, "dmuserd closed the connection",
		    "it may have restarted, or have no room for another connection; ");
		append(ret->hint, sizeof(ret->hint), circumstances_log(c));
		break;
	case EPROTO:
	case EMSGSIZE:
		say(ret, EXIT_FAILED, "", "is it dmuserd that listens there?");
		snprintf(ret->sentence, sizeof(ret->sentence), "what came from %s is no Varlink reply",
			 where);
		break;
	case E2BIG:
		say(ret, EXIT_FAILED, "the call is larger than 1 MiB, which dmuserd does not take", "");
		break;
	case EINVAL:
	case ENAMETOOLONG:
		say(ret, EXIT_USAGE, "", "an address is the path of a Unix socket");
		snprintf(ret->sentence, sizeof(ret->sentence), "'%s' is no address", where);
		break;
	default:
		say(ret, EXIT_FAILED, "", "");
		snprintf(ret->sentence, sizeof(ret->sentence), "cannot talk to dmuserd: %s",
			 strerror(-error));
	}
}
