// SPDX-License-Identifier: Apache-2.0
/* dmuserctl list: a table of the volumes that the caller may see. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/table.h"
#include "ctl/volume-view.h"

static const char help[] =
"Usage: dmuserctl list [OPTION]...\n"
"\n"
"Lists your volumes; everybody's, if you are root. HELD BY is the container that a volume is bound to, or\n"
"'kept' (until it is released by hand), or 'leased' (to a connection). REASON, why a volume is degraded or\n"
"not gone yet, is there if one is not active; 'dmuserctl show NAME' says what to do about it.\n"
"\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

static bool is_any_amiss(struct json_object *parameters)
{
	for (size_t i = 0; i < object_array_length(parameters, "volumes"); i++)
		if (!volume_view_is_active(object_array_element(parameters, "volumes", i)))
			return true;
	return false;
}

static void print_table(struct json_object *parameters)
{
	static const char *const headings[] = { "NAME",	  "STATE",   "SIZE",  "BACKEND",
						"DEVICE", "HELD BY", "OWNER", "REASON" };
	bool with_reasons = is_any_amiss(parameters);
	_cleanup_(table_freep) struct table *table =
		table_new(headings, ARRAY_SIZE(headings) - !with_reasons);

	for (size_t i = 0; i < object_array_length(parameters, "volumes"); i++) {
		struct json_object *volume = object_array_element(parameters, "volumes", i);
		char text[192];

		table_add(table, object_string(volume, "name", ""));
		table_add(table, object_string(volume, "state", ""));
		table_add(table, volume_view_size(volume, text));
		table_add(table, object_string(volume, "backend", ""));
		table_add(table, object_string(volume, "device", ""));
		table_add(table, volume_view_held_by(volume, text));
		table_add(table, volume_view_owner(volume, text));
		if (with_reasons)
			table_add(table, object_string(volume, "error", ""));
	}
	table_print(table, stdout);
}

static int run(struct context *context, int argc, char **argv)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int r = context_ask(context, argc, argv, 0, "io.dmuser.List", &reply);

	if (r || !reply)
		return r;
	if (context->json)
		escape_json(stdout, dmuser_reply_parameters(reply), 1);
	else
		print_table(dmuser_reply_parameters(reply));
	return EXIT_DONE;
}

const struct command command_list = { "list", "list volumes", help, run };
