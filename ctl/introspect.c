// SPDX-License-Identifier: Apache-2.0
/* dmuserctl introspect: the description of an interface, as the service gives it. */
#include "ctl/command.h"
#include "ctl/escape.h"

#include <string.h>

static const char help[] =
"Usage: dmuserctl introspect [INTERFACE] [OPTION]...\n"
"\n"
"Prints the description of an interface (io.dmuser): its methods, their parameters and errors.\n"
"\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

/* Line by line, because escaping would take the line ends for control characters. */
static void print_description(const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char line[512], escaped[1024];

		if (length >= sizeof(line))
			length = sizeof(line) - 1;
		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		puts(escape_text(line, escaped, sizeof(escaped)));
		text += length;
		text += *text == '\n';
	}
}

static int run(struct context *context, int argc, char **argv)
{
	static const struct option options[] = { COMMON_OPTIONS };
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0)
		r = context_option(context, option);
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 0, 1);
	if (r)
		return r;
	object_set_string(parameters, "interface", argc > optind ? argv[optind] : "io.dmuser");
	r = context_call(context, "org.varlink.service.GetInterfaceDescription", parameters, -EBADF,
			 &reply);
	if (r)
		return r;
	if (context->json)
		escape_json(stdout, dmuser_reply_parameters(reply), 1);
	else
		print_description(object_string(dmuser_reply_parameters(reply), "description", ""));
	return EXIT_DONE;
}

const struct command command_introspect = { "introspect", "describe the interface", help, run };
