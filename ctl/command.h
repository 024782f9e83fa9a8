/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every command of dmuserctl shares: its place in the list, the common options, calling
 * dmuserd.
 *
 * A command is one file and one struct command. run() returns the exit code; whoever finds out that
 * something is wrong says so on stderr, once, with what to do next.
 */
#pragma once

#include "api/dmuser.h"
#include "ctl/exit-code.h"
#include "ctl/object.h"
#include "util/cleanup.h"

#include <getopt.h>
#include <stdbool.h>

#define DEFAULT_TIMEOUT_MS 30000

struct context {
	const struct command *command;
	const char *address; /* NULL: the library's choice */
	int timeout_ms;      /* for each call */
	bool json;
	struct dmuser_connection *connection; /* made by the first call */
};

struct command {
	const char *name;
	const char *summary; /* in a list of commands */
	const char *help;    /* its usage, its options, its output */
	int (*run)(struct context *context, int argc, char **argv);
};

extern const struct command command_backends, command_bind, command_call, command_create,
	command_doctor, command_introspect, command_list, command_monitor, command_ping,
	command_release, command_show;

/* Options that stand before or after the command's name. */
enum { OPTION_ADDRESS = 1000, OPTION_TIMEOUT, OPTION_JSON, OPTION_HELP, OPTION_COMMAND };

#define COMMON_OPTIONS                                                                             \
	{ "address", required_argument, NULL, OPTION_ADDRESS },                                    \
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },                                    \
	{ "json", no_argument, NULL, OPTION_JSON },                                                \
	{ "help", no_argument, NULL, 'h' },                                                        \
	{ NULL, 0, NULL, 0 }

/*
 * getopt_long(), which says by itself what is wrong with an option, and which one was probably
 * meant: it returns '?' then, which context_option() turns into EXIT_USAGE. shorts: as getopt takes
 * them.
 */
int context_next_option(const struct context *context, int argc, char **argv, const char *shorts,
			const struct option *options);
/*
 * The default: of a command's switch over what that returned. -1: go on. Otherwise the exit code.
 */
int context_option(struct context *context, int option);

/* Says on stderr what is wrong with the command line. Returns EXIT_USAGE. */
int usage_error(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, and the command's usage with it: for what is left out. */
int usage_missing(const struct context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * The count of arguments after the options must be within, and min is 0 or 1; otherwise EXIT_USAGE
 * and a word about it. What is missing is named as the command's usage names it.
 */
int usage_check_count(const struct context *context, int argc, char **argv, int min, int max);
/*
 * Takes a volume's name, a container's id, an owner by name or uid. 0, or EXIT_USAGE and a word
 * about it.
 */
int usage_take_name(const struct context *context, const char *text);
int usage_take_container_id(const struct context *context, const char *text);
int usage_take_owner(const struct context *context, const char *text,
		     struct json_object *parameters);

/*
 * Adds `container` to parameters, whose pidfd is the call's first descriptor. *ret_pidfd is the
 * caller's. Returns 0, or an exit code, having said why.
 */
int usage_take_container(const struct context *context, const char *id, const char *pid,
			 struct json_object *parameters, int *ret_pidfd);

/*
 * Connects if need be, and calls. fd: a descriptor to go along, or negative; it stays the caller's.
 * Returns 0 with *ret_reply, or an exit code, having said why.
 */
int context_call(struct context *context, const char *method, struct json_object *parameters,
		 int fd, struct dmuser_reply **ret_reply);
/*
 * For a command that has no options of its own and asks without parameters: reads its line, with up
 * to max words beside the options, and calls. As context_call(); *ret_reply stays as it is after
 * --help, with 0.
 */
int context_ask(struct context *context, int argc, char **argv, int max, const char *method,
		struct dmuser_reply **ret_reply);
/*
 * Says on stderr what an error of the interface means. request: what the command made of its
 * options; NULL if what was asked was not made of options. Asks what it has to, to tell more.
 * Returns the exit code.
 */
int report_error(const struct context *context, const char *error, struct json_object *parameters,
		 struct json_object *request);
/* As context_call(), where what was asked for is not, word for word, what is sent. */
int context_call_for(struct context *context, const char *method, struct json_object *parameters,
		     struct json_object *request, int fd, struct dmuser_reply **ret_reply);
/*
 * As context_call(), for a call that gets several replies, or none; receive them with
 * context_receive().
 */
int context_send(struct context *context, const char *method, struct json_object *parameters,
		 unsigned int flags);
int context_receive(struct context *context, int timeout_ms, struct dmuser_reply **ret_reply);
/* The same, but an error is a reply too, which the caller has to tell. */
int context_receive_any(struct context *context, int timeout_ms, struct dmuser_reply **ret_reply);

static inline void dmuser_reply_freep(struct dmuser_reply **reply)
{
	dmuser_reply_free(*reply);
}
