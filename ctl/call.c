// SPDX-License-Identifier: Apache-2.0
/* dmuserctl call: any method, with parameters as JSON. */
#include "ctl/command.h"
#include "ctl/description.h"
#include "ctl/escape.h"

#include <string.h>

static const char help[] =
"Usage: dmuserctl call METHOD [PARAMETERS] [OPTION]...\n"
"\n"
"Calls a method and prints its reply as JSON. METHOD is of io.dmuser unless it names its interface.\n"
"PARAMETERS is a JSON object. For methods that take no descriptor.\n"
"\n"
"  --more          ask for several replies, and print each on a line\n"
"  --oneway        ask for no reply\n"
"  --timeout TIME  wait so long for each reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n"
"\n"
"Example: dmuserctl call Describe '{\"name\":\"scratch\"}'\n";

struct call {
	struct context *context;
	const char *method; /* with its interface */
	struct json_object *parameters;
};

/* The text of the method's interface; NULL: it is not to be had. *ret_reply holds it. */
static const char *get_description(const struct call *call, struct dmuser_reply **ret_reply)
{
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	const char *dot = strrchr(call->method, '.');
	char interface[256];

	snprintf(interface, sizeof(interface), "%.*s", (int)(dot - call->method), call->method);
	object_set_string(parameters, "interface", interface);
	if (dmuser_call(call->context->connection, "org.varlink.service.GetInterfaceDescription",
			parameters, NULL, 0, call->context->timeout_ms, ret_reply) != 0)
		return NULL;
	return object_string(dmuser_reply_parameters(*ret_reply), "description", NULL);
}

static void tell_fault(const struct call *call, const char *path, enum description_fault fault,
		       const char *text)
{
	char parameter[256], method[256], about[2 * DESCRIPTION_TEXT_SIZE];

	escape_text(path, parameter, sizeof(parameter));
	escape_text(call->method, method, sizeof(method));
	escape_text(text, about, sizeof(about));
	switch (fault) {
	case FAULT_UNKNOWN_PARAMETER:
		fprintf(stderr, "dmuserctl: %s has no parameter '%s'\n  hint: it takes %s\n",
			method, parameter, about[0] ? about : "none");
		break;
	case FAULT_MISSING:
		fprintf(stderr,
			"dmuserctl: %s needs parameter '%s', and it is not given\n"
			"  hint: its type is %s; 'dmuserctl introspect' tells what it may be\n",
			method, parameter, about);
		break;
	case FAULT_TYPE:
		fprintf(stderr, "dmuserctl: parameter '%s' of %s is of another type\n"
				"  hint: it must be of type %s\n", parameter, method, about);
		break;
	case FAULT_VALUE:
		fprintf(stderr,
			"dmuserctl: dmuserd does not take the value of parameter '%s'\n"
			"  hint: its type is %s; 'dmuserctl introspect' tells what it may be\n",
			parameter, about);
	}
}

/*
 * The service says no more than which parameter it does not take: what is wrong with it is found
 * here.
 */
static int tell_error(const struct call *call, const struct dmuser_reply *error)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	struct json_object *parameters = dmuser_reply_parameters(error);
	const char *path = object_string(parameters, "parameter", ""), *description;
	enum description_fault fault;
	char text[DESCRIPTION_TEXT_SIZE];

	if (strcmp(dmuser_reply_error(error), "org.varlink.service.InvalidParameter") == 0) {
		description = get_description(call, &reply);
		if (description &&
		    description_find_fault(description, strrchr(call->method, '.') + 1,
					   call->parameters, path, &fault, text) == 0) {
			tell_fault(call, path, fault, text);
			return EXIT_FAILED;
		}
	}
	return report_error(call->context, dmuser_reply_error(error), parameters, NULL);
}

static int receive_all(const struct call *call, bool more)
{
	bool continues = true;

	while (continues) {
		_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
		int r = context_receive_any(call->context, call->context->timeout_ms, &reply);

		if (r)
			return r;
		if (dmuser_reply_error(reply))
			return tell_error(call, reply);
		escape_json(stdout, dmuser_reply_parameters(reply), !more);
		if (fflush(stdout) != 0)
			return EXIT_FAILED;
		continues = dmuser_reply_continues(reply);
	}
	return EXIT_DONE;
}

static int take_parameters(const struct context *context, const char *text,
			   struct json_object **ret_parameters)
{
	struct json_object *parameters;

	if (object_parse(text, strlen(text), &parameters) < 0)
		return usage_error(context, "the parameters are not JSON");
	if (!json_object_is_type(parameters, json_type_object)) {
		json_object_put(parameters);
		return usage_error(context, "the parameters are not a JSON object");
	}
	*ret_parameters = parameters;
	return 0;
}

static int run(struct context *context, int argc, char **argv)
{
	static const struct option options[] = {
		{ "more", no_argument, NULL, 'm' },
		{ "oneway", no_argument, NULL, 'o' },
		COMMON_OPTIONS,
	};
	_cleanup_(object_putp) struct json_object *parameters = NULL;
	unsigned int flags = 0;
	char method[256];
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0) {
		if (option == 'm')
			flags |= DMUSER_CALL_MORE;
		else if (option == 'o')
			flags |= DMUSER_CALL_ONEWAY;
		else
			r = context_option(context, option);
	}
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 1, 2);
	if (r)
		return r;
	if (flags == (DMUSER_CALL_MORE | DMUSER_CALL_ONEWAY))
		return usage_error(context, "--more and --oneway exclude each other");
	if (argc - optind == 2)
		r = take_parameters(context, argv[optind + 1], &parameters);
	if (r)
		return r;
	snprintf(method, sizeof(method), "%s%s", strchr(argv[optind], '.') ? "" : "io.dmuser.",
		 argv[optind]);
	r = context_send(context, method, parameters, flags);
	if (r || (flags & DMUSER_CALL_ONEWAY))
		return r;
	return receive_all(&(struct call){ context, method, parameters }, flags & DMUSER_CALL_MORE);
}

const struct command command_call = { "call", "call any method", help, run };
