// SPDX-License-Identifier: Apache-2.0
/* dmuserctl ping: is dmuserd there, and the kernel module? */
#include "ctl/command.h"
#include "ctl/escape.h"

#include <inttypes.h>

static const char help[] =
"Usage: dmuserctl ping [OPTION]...\n"
"\n"
"Says whether dmuserd answers, its version, the kernel module's, and how many volumes there are.\n"
"\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

static void print_reply(struct json_object *parameters)
{
	const char *driver = object_string(parameters, "driver", NULL);
	int64_t volumes = object_int(parameters, "volumes", 0);
	char version[64], text[64];

	printf("dmuserd %s, ", escape_text(object_string(parameters, "version", "?"), version,
					   sizeof(version)));
	if (driver)
		printf("kernel module %s", escape_text(driver, text, sizeof(text)));
	else
		printf("kernel module not loaded (modprobe dm-user)");
	printf(", %" PRId64 " volume%s\n", volumes, volumes == 1 ? "" : "s");
}

static int run(struct context *context, int argc, char **argv)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int r = context_ask(context, argc, argv, 0, "io.dmuser.Ping", &reply);

	if (r || !reply)
		return r;
	if (context->json)
		escape_json(stdout, dmuser_reply_parameters(reply), 1);
	else
		print_reply(dmuser_reply_parameters(reply));
	return EXIT_DONE;
}

const struct command command_ping = { "ping", "is dmuserd there?", help, run };
