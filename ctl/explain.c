// SPDX-License-Identifier: Apache-2.0
/* Why something failed, and what to do next; see explain.h. */
#include "ctl/explain.h"
#include "api/dmuser.h"
#include "ctl/escape.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <inttypes.h>
#include <string.h>

/* {key} stands for the parameter of that name. */
struct wording {
	const char *error;
	enum exit_code exit_code;
	const char *sentence;
	const char *hint;
};

static const struct wording wordings[] = {
	{ "io.dmuser.NoSuchVolume", EXIT_NO_VOLUME,
	  "there is no volume '{name}' that you may see",
	  "'dmuserctl list' names yours; root can name another owner's with --owner" },
	{ "io.dmuser.SpecificationMismatch", EXIT_FAILED,
	  "a volume '{name}' exists already, with another {field}",
	  "'dmuserctl show {name}' tells what it is; choose another name, or release it first" },
	{ "io.dmuser.VolumeBound", EXIT_BUSY,
	  "volume '{name}' belongs to container '{container}' already",
	  "choose another name, or wait for that container's end" },
	{ "io.dmuser.VolumeBusy", EXIT_BUSY,
	  "volume '{name}' is in use: its device is open {open_count} times ({holders})",
	  "end what uses it, or unmount it, and try again" },
	{ "io.dmuser.NoSuchBackend", EXIT_FAILED,
	  "no backend '{backend}' is installed",
	  "installed are: {available}" },
	{ "io.dmuser.InvalidOption", EXIT_FAILED,
	  "the backend does not take option '{option}': {reason}",
	  "the backend's manifest lists what it takes" },
	{ "io.dmuser.BackendFailed", EXIT_FAILED,
	  "the volume's process failed: {reason}",
	  "'journalctl -u dmuserd' has the rest" },
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
	  "'dmuserctl list' shows what is there now; 'journalctl -u dmuserd' has the rest" },
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

/* Writes template with each {key} replaced. */
static void fill(const char *template, struct json_object *parameters, char *out, size_t size)
{
	out[0] = 0;
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
		append_value(out, size, json_object_object_get(parameters, piece));
		template = end + 1;
	}
}

static const struct wording *wording_find(const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(wordings); i++)
		if (strcmp(wordings[i].error, error) == 0)
			return &wordings[i];
	return NULL;
}

void explain_reply(const char *error, struct json_object *parameters, struct explanation *ret)
{
	const struct wording *w = wording_find(error);

	if (w) {
		ret->exit_code = w->exit_code;
		fill(w->sentence, parameters, ret->sentence, sizeof(ret->sentence));
		fill(w->hint, parameters, ret->hint, sizeof(ret->hint));
		return;
	}
	ret->exit_code = EXIT_FAILED;
	strcpy(ret->sentence, "dmuserd answered with an error unknown here: ");
	append_escaped(ret->sentence, sizeof(ret->sentence), error);
	append(ret->sentence, sizeof(ret->sentence), " ");
	append_value(ret->sentence, sizeof(ret->sentence), parameters);
	strcpy(ret->hint, "is it newer than this program? 'dmuserctl ping' tells its version");
}

static void say(struct explanation *ret, enum exit_code exit_code, const char *sentence,
		const char *hint)
{
	ret->exit_code = exit_code;
	snprintf(ret->sentence, sizeof(ret->sentence), "%s", sentence);
	snprintf(ret->hint, sizeof(ret->hint), "%s", hint);
}

void explain_call_errno(int error, const char *address, struct explanation *ret)
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
		say(ret, EXIT_UNREACHABLE, "dmuserd is not running", "systemctl start dmuserd");
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "dmuserd is not running: nobody listens on %s", where);
		break;
	case EACCES:
	case EPERM:
		say(ret, EXIT_DENIED, "", "be root, or join the group dmuser: usermod -aG dmuser USER");
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
		    "it may have restarted, or have no room for another connection: "
		    "journalctl -u dmuserd");
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
