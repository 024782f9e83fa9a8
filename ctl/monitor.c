// SPDX-License-Identifier: Apache-2.0
/* dmuserctl monitor: the volumes there are, then every change, a line each, until it is stopped. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/news.h"
#include "ctl/volume-view.h"

#include <string.h>

#define LINE_SIZE 2048

static const char help[] =
"Usage: dmuserctl monitor [OPTION]...\n"
"\n"
"Shows your volumes (everybody's, if you are root), and then each change, until it is stopped. A line is:\n"
"event (snapshot, changed, gone), name, state, size, device, and what holds it or is wrong with it; '-' is\n"
"what there is not, or not yet. What is as it was is not told again.\n"
"\n"
"  --json          print each event as JSON, a line each\n"
"  --timeout TIME  wait so long for the first event: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

struct monitor {
	const struct context *context;
	struct news news;
};

/*
 * "b  active  64M  /dev/dm-3  kept": of one that is gone, nothing holds it, and nothing is its
 * device.
 */
static void format_volume(struct json_object *volume, bool gone, char out[static LINE_SIZE])
{
	const char *error = object_string(volume, "error", NULL);
	char text[1024], name[256], size[24], held_by[192], device[128], state[64];

	snprintf(held_by, sizeof(held_by), "-");
	if (!gone)
		volume_view_held_by(volume, held_by);
	snprintf(out, LINE_SIZE, "%s  %s  %s  %s  %s",
		 escape_text(object_string(volume, "name", "?"), name, sizeof(name)),
		 escape_text(gone ? "-" : object_string(volume, "state", "?"), state,
			     sizeof(state)),
		 volume_view_size(volume, size)[0] ? size : "-",
		 escape_text(gone ? "-" : object_string(volume, "device", "-"), device,
			     sizeof(device)),
		 escape_text(error ? error : held_by, text, sizeof(text)));
}

/* Whether there is more to say than was said last. line: as a person sees it. */
static bool is_news(struct monitor *m, struct json_object *volume, bool gone, const char *line)
{
	const char *key = object_string(volume, "uuid", object_string(volume, "name", "?"));
	const char *words = m->context->json ?
				    json_object_to_json_string_ext(volume, JSON_C_TO_STRING_PLAIN) :
				    line;

	if (!gone)
		return news_is(&m->news, key, words);
	news_forget(&m->news, key);
	return true;
}

/* An event for people; as JSON only whether it tells anything. */
static bool take_volumes(struct monitor *m, struct json_object *parameters, const char *event)
{
	bool gone = strcmp(event, "gone") == 0, any = false;
	char text[64];

	escape_text(event, text, sizeof(text));
	for (size_t i = 0; i < object_array_length(parameters, "volumes"); i++) {
		struct json_object *volume = object_array_element(parameters, "volumes", i);
		char line[LINE_SIZE] = "";

		if (!m->context->json)
			format_volume(volume, gone, line);
		if (!is_news(m, volume, gone, line))
			continue;
		any = true;
		if (!m->context->json)
			printf("%-8s  %s\n", text, line);
	}
	return any;
}

static void print_event(struct monitor *m, struct json_object *parameters)
{
	const char *event = object_string(parameters, "event", "?");
	bool any = take_volumes(m, parameters, event);

	if (m->context->json && (any || strcmp(event, "snapshot") == 0))
		escape_json(stdout, parameters, 0);
	fflush(stdout);
	if (!m->context->json && !any && strcmp(event, "snapshot") == 0)
		fputs("no volumes yet; waiting for the first\n", stderr);
}

static void monitor_done(struct monitor *m)
{
	news_done(&m->news);
}

static int run(struct context *context, int argc, char **argv)
{
	static const struct option options[] = { COMMON_OPTIONS };
	_cleanup_(monitor_done) struct monitor m = { .context = context };
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
		print_event(&m, dmuser_reply_parameters(reply));
		if (ferror(stdout))
			return EXIT_FAILED; /* nobody reads it any more */
		if (!dmuser_reply_continues(reply))
			break;
		timeout_ms = DMUSER_TIMEOUT_INFINITE;
	}
	return r;
}

const struct command command_monitor = { "monitor", "show changes as they happen", help, run };
