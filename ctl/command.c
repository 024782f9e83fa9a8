// SPDX-License-Identifier: Apache-2.0
/* What every command of dmuserctl shares; see command.h. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/explain.h"
#include "ctl/inquiry.h"
#include "ctl/quantity.h"
#include "util/name.h"

#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

/* -1: go on; otherwise the exit code. */
static int take_timeout(struct context *context, const char *text)
{
	/* Nothing is answered in no time. */
	if (quantity_parse_time(text, &context->timeout_ms) < 0 || context->timeout_ms == 0)
		return usage_error(context,
				   "--timeout takes seconds (30 or 30s) or milliseconds (500ms), "
				   "more than 0 and up to a day, or infinity, not '%s'",
				   text);
	return -1;
}

int context_option(struct context *context, int option)
{
	switch (option) {
	case OPTION_ADDRESS:
		context->address = optarg;
		return -1;
	case OPTION_TIMEOUT:
		return take_timeout(context, optarg);
	case OPTION_JSON:
		context->json = true;
		return -1;
	case 'h':
		fputs(context->command->help, stdout);
		return EXIT_DONE;
	default: /* context_next_option() has said what is wrong */
		return EXIT_USAGE;
	}
}

static void print_error(const char *format, va_list arguments)
{
	fputs("dmuserctl: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

static int point_to_help(const struct context *context)
{
	const char *name = context->command->name;

	fprintf(stderr, "Try 'dmuserctl %s%s--help'.\n", name, name[0] ? " " : "");
	return EXIT_USAGE;
}

int usage_error(const struct context *context, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	return point_to_help(context);
}

int usage_missing(const struct context *context, const char *format, ...)
{
	/* A help text begins with the usage, which an empty line ends. */
	const char *help = context->command->help, *end = strstr(help, "\n\n");
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	if (end)
		fprintf(stderr, "%.*s\n", (int)(end - help), help);
	return point_to_help(context);
}

/* What follows the command's name in its usage: "NAME". */
static int operand_length(const struct command *command, const char **ret_operand)
{
	const char *found = strstr(command->help, command->name);

	*ret_operand = found ? found + strlen(command->name) : "";
	*ret_operand += strspn(*ret_operand, " ");
	return (int)strcspn(*ret_operand, " \n");
}

int usage_check_count(const struct context *context, int argc, char **argv, int min, int max)
{
	const char *name = context->command->name, *operand;
	char word[256];
	int length;

	if (argc - optind < min) {
		length = operand_length(context->command, &operand);
		return usage_missing(context, "%s needs %.*s", name, length, operand);
	}
	if (argc - optind <= max)
		return 0;
	escape_text(argv[optind + max], word, sizeof(word));
	if (max == 0)
		return usage_error(context, "%s takes no argument, and '%s' is one", name, word);
	return usage_error(context, "%s takes no more than %d argument%s, and '%s' is one too many",
			   name, max, max == 1 ? "" : "s", word);
}

int usage_take_name(const struct context *context, const char *text)
{
	if (name_is_volume(text))
		return 0;
	return usage_error(context,
			   "a volume's name is 1 to %d letters, digits, '.', '_' or '-', and "
			   "begins with a letter or digit",
			   NAME_VOLUME_MAX);
}

int usage_take_owner(const struct context *context, const char *text,
		     struct json_object *parameters)
{
	const struct passwd *pw;
	char word[256];
	uint64_t uid;

	/* Digits are a uid, also where somebody is called so. */
	if (quantity_parse_number(text, UINT32_MAX - 1, &uid) < 0) {
		pw = getpwnam(text);
		if (!pw || text[strspn(text, "0123456789")] == 0)
			return usage_error(context,
					   "--owner takes a user's name or uid, and '%s' is none",
					   escape_text(text, word, sizeof(word)));
		uid = pw->pw_uid;
	}
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
			   "a container's id is 1 to %d letters, digits, '.', '_' or '-', and "
			   "begins with a letter or digit",
			   NAME_CONTAINER_MAX);
}

int usage_take_container(const struct context *context, const char *id, const char *pid,
			 struct json_object *parameters, int *ret_pidfd)
{
	struct json_object *container;
	uint64_t number;
	int fd;

	if (!id && !pid)
		return usage_missing(context, "%s needs --container ID and --pid PID",
				     context->command->name);
	if (!id || !pid)
		return usage_error(context, "--container and --pid go together: --%s is missing",
				   id ? "pid" : "container");
	if (usage_take_container_id(context, id))
		return EXIT_USAGE;
	if (quantity_parse_number(pid, INT_MAX, &number) < 0 || number == 0)
		return usage_error(context, "--pid takes the pid of the container's init, not '%s'",
				   pid);
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

int report_error(const struct context *context, const char *error, struct json_object *parameters,
		 struct json_object *request)
{
	_cleanup_(inquiry_done) struct inquiry found = {};
	struct circumstances c;
	struct explanation e;

	circumstances_read(&c);
	if (request) {
		inquire(context->connection, c.is_root, error, parameters, request, &found);
		c.words = WORDS_OF_COMMAND_LINE;
	}
	c.request = request;
	c.command = context->command->name;
	c.found = &found;
	explain_reply_in(&c, error, parameters, &e);
	return report(&e);
}

/* What libdmuser returned for a reply, as an exit code; an error reply is freed here. */
static int take_result(const struct context *context, int result, struct json_object *request,
		       struct dmuser_reply *reply, struct dmuser_reply **ret_reply)
{
	int r;

	if (result < 0)
		return report_errno(context, result);
	if (result == DMUSER_REFUSED) {
		r = report_error(context, dmuser_reply_error(reply), dmuser_reply_parameters(reply),
				 request);
		dmuser_reply_free(reply);
		return r;
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

int context_call_for(struct context *context, const char *method, struct json_object *parameters,
		     struct json_object *request, int fd, struct dmuser_reply **ret_reply)
{
	struct dmuser_reply *reply = NULL;
	int r;

	r = context_connect(context);
	if (r)
		return r;
	r = dmuser_call(context->connection, method, parameters, &fd, fd >= 0, context->timeout_ms,
			&reply);
	return take_result(context, r, request, reply, ret_reply);
}

int context_call(struct context *context, const char *method, struct json_object *parameters,
		 int fd, struct dmuser_reply **ret_reply)
{
	return context_call_for(context, method, parameters, parameters, fd, ret_reply);
}

int context_ask(struct context *context, int argc, char **argv, int max, const char *method,
		struct dmuser_reply **ret_reply)
{
	static const struct option options[] = { COMMON_OPTIONS };
	int option, r = -1;

	while (r < 0 && (option = context_next_option(context, argc, argv, "h", options)) >= 0)
		r = context_option(context, option);
	if (r >= 0)
		return r;
	r = usage_check_count(context, argc, argv, 0, max);
	return r ? r : context_call(context, method, NULL, -EBADF, ret_reply);
}

int context_send(struct context *context, const char *method, struct json_object *parameters,
		 unsigned int flags)
{
	int r;

	r = context_connect(context);
	if (r)
		return r;
	r = dmuser_send(context->connection, method, parameters, flags, NULL, 0,
			context->timeout_ms);
	return r < 0 ? report_errno(context, r) : 0;
}

int context_receive(struct context *context, int timeout_ms, struct dmuser_reply **ret_reply)
{
	struct dmuser_reply *reply = NULL;
	int r;

	r = dmuser_receive(context->connection, timeout_ms, &reply);
	return take_result(context, r, NULL, reply, ret_reply);
}

int context_receive_any(struct context *context, int timeout_ms, struct dmuser_reply **ret_reply)
{
	int r = dmuser_receive(context->connection, timeout_ms, ret_reply);

	return r < 0 ? report_errno(context, r) : 0;
}
