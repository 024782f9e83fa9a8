// SPDX-License-Identifier: Apache-2.0
/* What every command of dmuserctl shares; see command.h. */
#include "ctl/command.h"
#include "ctl/explain.h"
#include "ctl/quantity.h"
#include "util/name.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

int context_option(struct context *context, int option)
{
	switch (option) {
	case OPTION_ADDRESS:
		context->address = optarg;
		return -1;
	case OPTION_TIMEOUT:
		if (quantity_parse_time(optarg, &context->timeout_ms) < 0)
			return usage_error(context, "--timeout takes 30s, 500ms or infinity, not '%s'",
					   optarg);
		return -1;
	case OPTION_JSON:
		context->json = true;
		return -1;
	case 'h':
		fputs(context->command->help, stdout);
		return EXIT_DONE;
	default: /* getopt has said what is wrong */
		fprintf(stderr, "Try 'dmuserctl %s --help'.\n", context->command->name);
		return EXIT_USAGE;
	}
}

int usage_error(const struct context *context, const char *format, ...)
{
	const char *name = context->command ? context->command->name : "";
	va_list arguments;

	fputs("dmuserctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nTry 'dmuserctl %s%s--help'.\n", name, name[0] ? " " : "");
	return EXIT_USAGE;
}

int usage_check_count(const struct context *context, int argc, int min, int max)
{
	int count = argc - optind;

	if (count < min)
		return usage_error(context, "'%s' needs %s", context->command->name,
				   min == 1 ? "an argument" : "more arguments");
	if (count > max)
		return usage_error(context, "'%s' takes no more than %d argument%s",
				   context->command->name, max, max == 1 ? "" : "s");
	return 0;
}

int usage_take_name(const struct context *context, const char *text)
{
	if (name_is_volume(text))
		return 0;
	return usage_error(context,
			   "a volume's name is 1 to %d letters, digits, '.', '_' or '-', and begins with "
			   "a letter or digit", NAME_VOLUME_MAX);
}

int usage_take_owner(const struct context *context, const char *text, struct json_object *parameters)
{
	uint64_t uid;

	if (quantity_parse_number(text, UINT32_MAX - 1, &uid) < 0)
		return usage_error(context, "--owner takes a uid, not '%s'", text);
	object_set_int(parameters, "owner", (int64_t)uid);
	return 0;
}

static int pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int usage_take_container_id(const struct context *context, const char *text)
{
	if (name_is_container(text))
		return 0;
	return usage_error(context,
			   "a container's id is 1 to %d letters, digits, '.', '_' or '-', and begins with "
			   "a letter or digit", NAME_CONTAINER_MAX);
}

int usage_take_container(const struct context *context, const char *id, const char *pid,
			 struct json_object *parameters, int *ret_pidfd)
{
	struct json_object *container;
	uint64_t number;
	int fd;

	if (!id || !pid)
		return usage_error(context, "--container and --pid go together");
	if (usage_take_container_id(context, id))
		return EXIT_USAGE;
	if (quantity_parse_number(pid, INT_MAX, &number) < 0 || number == 0)
		return usage_error(context, "--pid takes the pid of the container's init, not '%s'", pid);
	fd = pidfd_open((pid_t)number);
	if (fd < 0) {
		fprintf(stderr, "dmuserctl: there is no process %s: %s\n", pid, strerror(-fd));
		return EXIT_FAILED;
	}
	container = object_new();
	object_set_string(container, "id", id);
	object_set_int(container, "pidfd", 0);
	object_set(parameters, "container", container);
	*ret_pidfd = fd;
	return 0;
}

static int report(const struct explanation *e)
{
	fprintf(stderr, "dmuserctl: %s\n", e->sentence);
	if (e->hint[0])
		fprintf(stderr, "  hint: %s\n", e->hint);
	return e->exit_code;
}

static int report_errno(const struct context *context, int error)
{
	struct explanation e;

	explain_call_errno(error, context->address, &e);
	return report(&e);
}

/*
 * What libdmuser returned for a reply, as an exit code; an error reply is freed here. request: what
 * the command made of its options; NULL if what was asked was not made of options.
 */
static int take_result(const struct context *context, int result, struct json_object *request,
		       struct dmuser_reply *reply, struct dmuser_reply **ret_reply)
{
	struct circumstances c;
	struct explanation e;

	if (result < 0)
		return report_errno(context, result);
	if (result == DMUSER_REFUSED) {
		circumstances_read(&c);
		c.request = request;
		explain_reply_in(&c, dmuser_reply_error(reply), dmuser_reply_parameters(reply), &e);
		dmuser_reply_free(reply);
		return report(&e);
	}
	*ret_reply = reply;
	return 0;
}

static int context_connect(struct context *context)
{
	int r;

	if (context->connection)
		return 0;
	r = dmuser_connect(context->address, context->timeout_ms, &context->connection);
	return r < 0 ? report_errno(context, r) : 0;
}

int context_call(struct context *context, const char *method, struct json_object *parameters, int fd,
		 struct dmuser_reply **ret_reply)
{
	struct dmuser_reply *reply = NULL;
	int r;

	r = context_connect(context);
	if (r)
		return r;
	r = dmuser_call(context->connection, method, parameters, &fd, fd >= 0, context->timeout_ms,
			&reply);
	return take_result(context, r, parameters, reply, ret_reply);
}

int context_ask(struct context *context, int argc, char **argv, int max, const char *method,
		struct dmuser_reply **ret_reply)
{
	static const struct option options[] = { COMMON_OPTIONS };
	int option, r = -1;

	while (r < 0 && (option = getopt_long(argc, argv, "h", options, NULL)) >= 0)
		r = context_option(context, option);
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, 0, max);
	return r ? r : context_call(context, method, NULL, -EBADF, ret_reply);
}

int context_send(struct context *context, const char *method, struct json_object *parameters,
		 unsigned int flags)
{
	int r;

	r = context_connect(context);
	if (r)
		return r;
	r = dmuser_send(context->connection, method, parameters, flags, NULL, 0, context->timeout_ms);
	return r < 0 ? report_errno(context, r) : 0;
}

int context_receive(struct context *context, int timeout_ms, struct dmuser_reply **ret_reply)
{
	struct dmuser_reply *reply = NULL;
	int r;

	r = dmuser_receive(context->connection, timeout_ms, &reply);
	return take_result(context, r, NULL, reply, ret_reply);
}
