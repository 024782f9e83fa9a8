// SPDX-License-Identifier: Apache-2.0
/* dmuserctl monitor: the volumes there are, then every change, a line each, until it is stopped. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/volume-view.h"

static const char help[] =
"Usage: dmuserctl monitor [OPTION]...\n"
"\n"
"Shows your volumes (everybody's, if you are root), and then each change, until it is stopped. A line is:\n"
"event (snapshot, changed, gone), name, state, size, device, and what holds it or is wrong with it.\n"
"\n"
"  --json          print each event as JSON, a line each\n"
"  --timeout TIME  wait so long for the first event: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

static void print_volume(const char *event, struct json_object *volume)
{
	const char *error = object_string(volume, "error", NULL);
	char text[1024], name[256], size[24], held_by[192], device[128], state[64];

	printf("%-8s  %s  %s  %s  %s  %s\n", event,
	       escape_text(object_string(volume, "name", "?"), name, sizeof(name)),
	       escape_text(object_string(volume, "state", "?"), state, sizeof(state)),
	       volume_view_size(volume, size),
	       escape_text(object_string(volume, "device", "-"), device, sizeof(device)),
	       escape_text(error ? error : volume_view_held_by(volume, held_by), text, sizeof(text)));
}

static void print_event(const struct context *context, struct json_object *parameters)
{
	const char *event = object_string(parameters, "event", "?");
	char text[64];

	if (context->json) {
		escape_json(stdout, parameters, 0);
	} else {
		escape_text(event, text, sizeof(text));
		for (size_t i = 0; i < object_array_length(parameters, "volumes"); i++)
			print_volume(text, object_array_element(parameters, "volumes", i));
	}
	fflush(stdout);
}

static int run(struct context *context, int argc, char **argv)
{
	static const struct option options[] = { COMMON_OPTIONS };
	int timeout_ms, option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0)
		r = context_option(context, option);
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 0, 0);
	if (r == 0)
		r = context_send(context, "io.dmuser.Subscribe", NULL, DMUSER_CALL_MORE);
	timeout_ms = context->timeout_ms;
	while (r == 0) {
		_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;

		r = context_receive(context, timeout_ms, &reply);
		if (r)
			break;
		print_event(context, dmuser_reply_parameters(reply));
		if (ferror(stdout))
			return EXIT_FAILED; /* nobody reads it any more */
		if (!dmuser_reply_continues(reply))
			break;
		timeout_ms = DMUSER_TIMEOUT_INFINITE;
	}
	return r;
}

const struct command command_monitor = { "monitor", "show changes as they happen", help, run };
