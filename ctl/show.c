// SPDX-License-Identifier: Apache-2.0
/* dmuserctl show: all about one volume, and what /proc says about its worker. */
#include "ctl/command.h"
#include "ctl/confinement.h"
#include "ctl/escape.h"
#include "ctl/target-status.h"
#include "ctl/volume-view.h"

#include <limits.h>
#include <string.h>

static const char help[] =
"Usage: dmuserctl show NAME [OPTION]...\n"
"\n"
"Shows all about one volume, and what to do about one that is degraded. Then what its worker may do, as\n"
"this program itself reads it in /proc: root sees all of it, and how many requests have failed.\n"
"\n"
"  --container ID  that container's, where several have a volume of that name\n"
"  --owner USER    another owner's volume, by name or uid (root)\n"
"  --json          print the reply as JSON, without what /proc says\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

static void print_worker(struct json_object *volume)
{
	int64_t pid = object_int(volume, "worker_pid", 0);
	int64_t uid = object_int(volume, "worker_uid", -1);
	struct confinement c;
	int r;

	if (pid <= 0 || pid > INT_MAX)
		return;
	printf("\nWhat the worker may do (/proc/%d)\n", (int)pid);
	r = confinement_read((pid_t)pid, &c);
	if (r == -ESRCH)
		printf("  it has ended\n");
	else if (r < 0)
		printf("  cannot be read: %s\n", strerror(-r));
	else if (c.uids[ID_REAL] != uid) /* the pid may be another process's by now */
		printf("  it has ended, or this /proc numbers processes otherwise\n");
	else
		confinement_print(&c, stdout);
}

/* The kernel's side of it, which root sees: only what is amiss is worth a line. */
static void print_status(struct json_object *volume)
{
	struct target_status status;

	if (target_status_read(object_string(volume, "uuid", ""), &status) == 0)
		volume_view_print_status(volume, &status, stdout);
}

/* -1: go on; otherwise the exit code. */
static int take_options(struct context *context, int argc, char **argv,
			struct json_object *parameters)
{
	static const struct option options[] = {
		{ "container", required_argument, NULL, 'c' },
		{ "owner", required_argument, NULL, 'o' },
		COMMON_OPTIONS,
	};
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0) {
		switch (option) {
		case 'c':
			if (usage_take_container_id(context, optarg))
				return EXIT_USAGE;
			object_set_string(parameters, "container", optarg);
			break;
		case 'o':
			r = usage_take_owner(context, optarg, parameters) ? EXIT_USAGE : -1;
			break;
		default:
			r = context_option(context, option);
		}
	}
	return r;
}

static int run(struct context *context, int argc, char **argv)
{
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	struct json_object *volume;
	int r;

	r = take_options(context, argc, argv, parameters);
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 1, 1);
	if (r == 0)
		r = usage_take_name(context, argv[optind]);
	if (r)
		return r;
	object_set_string(parameters, "name", argv[optind]);
	r = context_call(context, "io.dmuser.Describe", parameters, -EBADF, &reply);
	if (r)
		return r;
	if (context->json) {
		escape_json(stdout, dmuser_reply_parameters(reply), 1);
		return EXIT_DONE;
	}
	volume = object_member(dmuser_reply_parameters(reply), "volume", json_type_object);
	volume_view_print(volume, stdout);
	print_status(volume);
	print_worker(volume);
	return EXIT_DONE;
}

const struct command command_show = { "show", "show all about one volume", help, run };
