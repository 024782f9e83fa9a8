// SPDX-License-Identifier: Apache-2.0
/* dmuserctl call: any method, with parameters as JSON. */
#include "ctl/command.h"
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

static int receive_all(struct context *context, bool more)
{
	bool continues = true;

	while (continues) {
		_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
		int r = context_receive(context, context->timeout_ms, &reply);

		if (r)
			return r;
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
	return receive_all(context, flags & DMUSER_CALL_MORE);
}

const struct command command_call = { "call", "call any method", help, run };
