// SPDX-License-Identifier: Apache-2.0
/* Why something failed, and what to do next; see explain.h. */
#include "ctl/explain.h"
#include "api/dmuser.h"
#include "ctl/escape.h"
#include "ctl/object.h"
#include "ctl/template.h"
#include "ctl/wording.h"

#include <errno.h>
#include <string.h>

void explain_reply_in(const struct circumstances *c, const char *error,
		      struct json_object *parameters, struct explanation *ret)
{
	const struct matter m = { .c = c, .parameters = parameters };
	const struct wording *w = wording_choose(error, &m);
	char escaped[1024];
	size_t used;

	if (w) {
		ret->exit_code = w->exit_code;
		ret->sentence[0] = ret->hint[0] = 0;
		template_fill(w->sentence, &m, ret->sentence, sizeof(ret->sentence));
		template_fill(w->hint, &m, ret->hint, sizeof(ret->hint));
		return;
	}
	ret->exit_code = EXIT_FAILED;
	escape_text(error, escaped, sizeof(escaped));
	snprintf(ret->sentence, sizeof(ret->sentence),
		 "dmuserd answered with an error unknown here: %s ", escaped);
	escape_text(json_object_to_json_string(parameters), escaped, sizeof(escaped));
	used = strlen(ret->sentence);
	snprintf(ret->sentence + used, sizeof(ret->sentence) - used, "%s", escaped);
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
		say(ret, EXIT_DENIED, "",
		    c->has_group ? "be root, or join the group dmuser: usermod -aG dmuser USER" :
				   "be root; others have to be in the group dmuser, which dmuserd "
				   "did not find here");
		snprintf(ret->sentence, sizeof(ret->sentence), "you may not connect to %s", where);
		break;
	case ETIMEDOUT:
		say(ret, EXIT_TIMED_OUT, "dmuserd did not answer in time",
		    "what was asked may still happen: 'dmuserctl list'; wait longer with "
		    "--timeout");
		break;
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
		say(ret, EXIT_UNREACHABLE, "dmuserd closed the connection",
		    "");
		snprintf(ret->hint, sizeof(ret->hint),
			 "it may have restarted, or have no room for another connection; %s",
			 circumstances_log(c));
		break;
	case EPROTO:
	case EMSGSIZE:
		say(ret, EXIT_FAILED, "", "is it dmuserd that listens there?");
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "what came from %s is no Varlink reply", where);
		break;
	case E2BIG:
		say(ret, EXIT_FAILED, "the call is larger than 1 MiB, which dmuserd does not take",
		    "");
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
