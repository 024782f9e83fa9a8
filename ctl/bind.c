// SPDX-License-Identifier: Apache-2.0
/* dmuserctl bind: has a volume released when a container ends. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/volume-view.h"

static const char help[] =
"Usage: dmuserctl bind NAME --container ID --pid PID [OPTION]...\n"
"\n"
"Binds a volume to a container, once: when the container's init has ended and its cgroup is empty, the\n"
"volume is released. Binding again to the same container changes nothing.\n"
"\n"
"  --container ID  the runtime's name for the container\n"
"  --pid PID       the pid of its init\n"
"  --owner USER    another owner's volume, by name or uid (root)\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

struct request {
	struct json_object *parameters;
	const char *container, *pid;
	int pidfd;
};

/* -1: go on; otherwise the exit code. */
static int take_options(struct context *context, int argc, char **argv, struct request *q)
{
	static const struct option options[] = {
		{ "container", required_argument, NULL, 'c' },
		{ "pid", required_argument, NULL, 'p' },
		{ "owner", required_argument, NULL, 'o' },
		COMMON_OPTIONS,
	};
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0) {
		switch (option) {
		case 'c':
			q->container = optarg;
			break;
		case 'p':
			q->pid = optarg;
			break;
		case 'o':
			r = usage_take_owner(context, optarg, q->parameters) ? EXIT_USAGE : -1;
			break;
		default:
			r = context_option(context, option);
		}
	}
	return r;
}

static int call(struct context *context, int argc, char **argv, struct request *q)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	struct json_object *volume;
	char name[256], container[256];
	int r;

	r = usage_check_count(context, argc, argv, 1, 1);
	if (r == 0)
		r = usage_take_name(context, argv[optind]);
	if (r == 0)
		r = usage_take_container(context, q->container, q->pid, q->parameters, &q->pidfd);
	if (r)
		return r;
	object_set_string(q->parameters, "name", argv[optind]);
	r = context_call(context, "io.dmuser.Bind", q->parameters, q->pidfd, &reply);
	if (r)
		return r;
	volume = object_member(dmuser_reply_parameters(reply), "volume", json_type_object);
	if (context->json)
		escape_json(stdout, dmuser_reply_parameters(reply), 1);
	else
		printf("%s: bound to container %s\n",
		       escape_text(object_string(volume, "name", "?"), name, sizeof(name)),
		       escape_text(object_string(volume, "container", "?"), container,
				   sizeof(container)));
	return EXIT_DONE;
}

static int run(struct context *context, int argc, char **argv)
{
	struct request q = { .parameters = object_new(), .pidfd = -EBADF };
	int r;

	r = take_options(context, argc, argv, &q);
	if (r < 0)
		r = call(context, argc, argv, &q);
	closep(&q.pidfd);
	json_object_put(q.parameters);
	return r;
}

const struct command command_bind = { "bind", "bind a volume to a container", help, run };
