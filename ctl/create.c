// SPDX-License-Identifier: Apache-2.0
/*
 * dmuserctl create: makes a volume, or finds the one of the same name and specification.
 *
 * With --lease it stays until its stdin closes or it is told to stop, because the volume lives as
 * long as its connection.
 */
#include "ctl/backing.h"
#include "ctl/circumstances.h"
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/quantity.h"
#include "ctl/size-option.h"
#include "ctl/volume-view.h"
#include "util/name.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#define DEFAULT_BLOCK_SIZE 512

static const char help[] =
"Usage: dmuserctl create NAME --backend TYPE [--size SIZE] [OPTION]...\n"
"\n"
"Makes a volume and says which block device it is. If there is one of the same name and the same\n"
"specification, says that. The device is /dev/dm-N, and also /dev/mapper/dmuser-UID-NAME, which stays\n"
"the same for a name. The volume stays until 'dmuserctl release', unless it is leased or bound.\n"
"\n"
"  --backend TYPE      memory, file, or what else 'dmuserctl backends' lists\n"
"  --size SIZE         bytes, or with K, M, G or T (powers of 1024): a multiple of the block\n"
"                      size, and 4K or more for memory and file. memory needs it; file takes the\n"
"                      size that FILE has, unless it is given\n"
"  -o, --option KEY=VALUE  an option of the backend (repeatable); file needs -o path=FILE, an\n"
"                      image or a device by its absolute path. One that is a size is given as\n"
"                      --size is: 4K\n"
"  --block-size BYTES  512 (default), 1024, 2048 or 4096\n"
"  --read-only         nobody can write to it\n"
"  --container ID      bind it at once to a container, and release it when that ends\n"
"  --pid PID           the pid of the container's init; goes with --container\n"
"  --lease             keep it only until stdin closes, or SIGTERM or SIGINT comes; then exit\n"
"  --json              print the reply as JSON\n"
"  --timeout TIME      wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH      dmuserd's socket\n"
"\n"
"Examples:\n"
"  dmuserctl create scratch --backend memory --size 64M\n"
"  dmuserctl create disk --backend file -o path=/srv/disk.img --size 10G\n"
"An image that is not there is made for root, if --size is given. Without --size it is as large as it is.\n"
"No image is ever removed with its volume.\n";

struct request {
	struct json_object *parameters;
	const char *container, *pid;
	bool lease;
	int pidfd;
};

static int take_option(const struct context *context, const char *text, struct request *q)
{
	struct json_object *options = object_member(q->parameters, "options", json_type_object);
	const char *equals = strchr(text, '=');
	char key[NAME_OPTION_MAX + 2];

	if (!equals)
		return usage_error(context, "--option takes KEY=VALUE, not '%s'", text);
	snprintf(key, sizeof(key), "%.*s", (int)(equals - text), text);
	if (!name_is_option(key))
		return usage_error(context, "'%.*s' is no name of an option", (int)(equals - text),
				   text);
	if (!options) {
		options = object_new();
		object_set(q->parameters, "options", options);
	}
	if (json_object_object_get_ex(options, key, NULL))
		return usage_error(context, "option '%s' is given twice", key);
	if (!equals[1])
		return usage_error(context, "-o %s= has no value", key);
	object_set_string(options, key, equals + 1);
	return -1;
}

static int take_size(const struct context *context, const char *text, struct request *q)
{
	uint64_t bytes;
	int r = quantity_parse_size(text, &bytes);

	if (r == 0 && bytes == 0)
		return usage_error(context, "--size must be more than 0");
	if (text[0] == '-')
		return usage_error(context, "--size must be more than 0, and '%s' is negative",
				   text);
	if (r == -ERANGE)
		return usage_error(context,
				   "--size %s is too large: it must be less than 2^63 bytes "
				   "(8388608T)",
				   text);
	if (r < 0)
		return usage_error(context,
				   "--size takes bytes, or a number with one of K, M, G, T after "
				   "it, such as 64M, not '%s'",
				   text);
	object_set_int(q->parameters, "size_bytes", (int64_t)bytes);
	return -1;
}

static int take_block_size(const struct context *context, const char *text, struct request *q)
{
	uint64_t bytes;

	if (quantity_parse_size(text, &bytes) < 0 || bytes < 512 || bytes > 4096 ||
	    (bytes & (bytes - 1)))
		return usage_error(context, "--block-size takes 512, 1024, 2048 or 4096, not '%s'",
				   text);
	object_set_int(q->parameters, "block_size", (int64_t)bytes);
	return -1;
}

static const struct option long_options[] = {
	{ "backend", required_argument, NULL, 'b' },
	{ "size", required_argument, NULL, 's' },
	{ "option", required_argument, NULL, 'o' },
	{ "block-size", required_argument, NULL, 'B' },
	{ "read-only", no_argument, NULL, 'r' },
	{ "container", required_argument, NULL, 'c' },
	{ "pid", required_argument, NULL, 'p' },
	{ "lease", no_argument, NULL, 'l' },
	COMMON_OPTIONS,
};

/* -1: go on; otherwise the exit code. */
static int take_options(struct context *context, int argc, char **argv, struct request *q)
{
	int option, r = -1;

	while (r < 0 &&
	       (option = context_next_option(context, argc, argv, "ho:", long_options)) >= 0) {
		switch (option) {
		case 'b':
			object_set_string(q->parameters, "backend", optarg);
			break;
		case 's':
			r = take_size(context, optarg, q);
			break;
		case 'o':
			r = take_option(context, optarg, q);
			break;
		case 'B':
			r = take_block_size(context, optarg, q);
			break;
		case 'r':
			object_set_bool(q->parameters, "read_only", true);
			break;
		case 'c':
			q->container = optarg;
			break;
		case 'p':
			q->pid = optarg;
			break;
		case 'l':
			q->lease = true;
			break;
		default:
			r = context_option(context, option);
		}
	}
	return r;
}

/* "path=/x" is no name: it is what an option, or an option of the backend, was to be. */
static int refuse_pair(const struct context *context, const char *word, size_t key_length)
{
	char escaped[512];

	escape_text(word, escaped, sizeof(escaped));
	for (const struct option *o = long_options; o->name; o++)
		if (o->has_arg == required_argument && strlen(o->name) == key_length &&
		    strncmp(word, o->name, key_length) == 0)
			return usage_error(context, "'%s' is no volume's name: did you mean --%s?",
					   escaped, escaped);
	return usage_error(context, "'%s' is no volume's name: did you mean -o %s?", escaped,
			   escaped);
}

static int check_words(const struct context *context, int argc, char **argv)
{
	int r;

	for (int i = optind; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');

		if (equals && equals > argv[i])
			return refuse_pair(context, argv[i], (size_t)(equals - argv[i]));
	}
	r = usage_check_count(context, argc, argv, 1, 1);
	return r ? r : usage_take_name(context, argv[optind]);
}

static int check(const struct context *context, int argc, char **argv, struct request *q)
{
	int r;

	r = check_words(context, argc, argv);
	if (r)
		return r;
	object_set_string(q->parameters, "name", argv[optind]);
	if (!object_string(q->parameters, "backend", NULL))
		return usage_missing(context, "--backend is missing: create needs a kind of "
					      "storage, such as --backend memory");
	if (q->lease && q->container)
		return usage_error(context, "--lease and --container exclude each other");
	if (!q->lease)
		object_set_bool(q->parameters, "keep", true);
	if (q->container || q->pid)
		return usage_take_container(context, q->container, q->pid, q->parameters,
					    &q->pidfd);
	return 0;
}

static bool is_whole_blocks(struct json_object *parameters)
{
	return object_int(parameters, "size_bytes", 0) %
		       object_int(parameters, "block_size", DEFAULT_BLOCK_SIZE) == 0;
}

/*
 * dmuserd would only say that it is the size. What it says of one that no backend serves, with the
 * sizes that could be, is said here of one that is no whole number of blocks, whether or not it is
 * within the limits.
 */
static int refuse_size(const struct context *context, struct json_object *parameters,
		       struct json_object *backend)
{
	_cleanup_(object_putp) struct json_object *error = object_new();
	int64_t size = object_int(parameters, "size_bytes", 0);
	int64_t min = object_int(backend, "size_min", 0);
	int64_t max = object_int(backend, "size_max", INT64_MAX);
	const char *type = object_string(parameters, "backend", "");
	char reason[256];

	if (size < min || size > max)
		snprintf(reason, sizeof(reason),
			 "the volume has %" PRId64 " bytes, and the %s that backend %s serves "
			 "has %" PRId64,
			 size, size < min ? "smallest" : "largest", type, size < min ? min : max);
	else
		snprintf(reason, sizeof(reason),
			 "%" PRId64 " bytes are no multiple of the block size, %" PRId64, size,
			 object_int(parameters, "block_size", DEFAULT_BLOCK_SIZE));
	object_set_string(error, "reason", reason);
	object_set_int(error, "min", min);
	object_set_int(error, "max", max);
	return report_error(context, "io.dmuser.InvalidSize", error, parameters);
}

/*
 * What is to be sent: the request itself or a copy, the caller's to put. Asks what the backend
 * takes, if what was given cannot be sent without that. 0, or the exit code.
 */
static int fit_to_backend(struct context *context, struct json_object *parameters,
			  struct json_object **ret_fitting)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	struct json_object *backend;
	int r;

	if (is_whole_blocks(parameters) && !size_options_need_kinds(parameters)) {
		*ret_fitting = json_object_get(parameters);
		return 0;
	}
	r = context_call(context, "io.dmuser.ListBackends", NULL, -EBADF, &reply);
	if (r)
		return r;
	backend = size_options_find_backend(dmuser_reply_parameters(reply),
					    object_string(parameters, "backend", ""));
	/* That there is no such backend, Create will say. */
	if (backend && !is_whole_blocks(parameters))
		return refuse_size(context, parameters, backend);
	*ret_fitting = size_options_to_bytes(parameters, backend);
	return 0;
}

/* Nothing fails yet, so it is no more than a note: it will once the file system is full. */
static void note_shortage(struct json_object *parameters)
{
	struct json_object *volume = object_member(parameters, "volume", json_type_object);
	const char *path = backing_path(object_member(volume, "options", json_type_object));
	char text[PATH_MAX], needed[24], available[24];
	struct backing_shortage shortage;

	if (!path || object_bool(volume, "read_only") || !object_bool(parameters, "created") ||
	    !backing_is_short(path, &shortage))
		return;
	quantity_format_rounded(shortage.needed_bytes, needed);
	quantity_format_rounded(shortage.free_bytes, available);
	fprintf(stderr,
		"dmuserctl: note: %s is a sparse file that can grow by %s, and its file system has "
		"%s free: once that is full, writing to the volume fails\n",
		escape_text(path, text, sizeof(text)), needed, available);
}

static void print_reply(const struct context *context, struct json_object *parameters)
{
	struct json_object *volume = object_member(parameters, "volume", json_type_object);
	char name[256], device[128], link[VOLUME_VIEW_LINK_SIZE], escaped[256], size[24];

	if (context->json) {
		escape_json(stdout, parameters, 1);
	} else {
		volume_view_link(volume, "", link);
		escape_text(link, escaped, sizeof(escaped));
		printf("%s: %s, %s%s%s%s, %s\n",
		       escape_text(object_string(volume, "name", "?"), name, sizeof(name)),
		       object_bool(parameters, "created") ? "created" : "exists already",
		       escape_text(object_string(volume, "device", "no device"), device,
				   sizeof(device)),
		       link[0] ? " (" : "", escaped, link[0] ? ")" : "",
		       volume_view_size(volume, size));
	}
	fflush(stdout);
}

/*
 * A volume that was there may be dead: whoever mounts it would hear of that much later, and less
 * clearly.
 */
static int check_alive(struct json_object *parameters)
{
	struct json_object *volume = object_member(parameters, "volume", json_type_object);
	char name[256], why[1024], next[VOLUME_VIEW_NEXT_SIZE];

	if (strcmp(object_string(volume, "state", ""), "degraded") != 0)
		return EXIT_DONE;
	escape_text(object_string(volume, "name", "?"), name, sizeof(name));
	escape_text(object_string(volume, "error", "its worker has ended"), why, sizeof(why));
	fprintf(stderr, "dmuserctl: volume '%s' is there, but degraded, and its I/O fails: %s\n"
			"  hint: %s\n", name, why, volume_view_next(volume, next));
	return EXIT_FAILED;
}

/* Discards what stdin says. True once it has been closed at the other end. */
static bool stdin_is_over(void)
{
	char nothing[256];

	return read(STDIN_FILENO, nothing, sizeof(nothing)) <= 0;
}

/* Until stdin closes, a signal comes, or dmuserd goes away. signals: blocked already. */
static int hold_lease(struct context *context, int signals)
{
	struct pollfd polled[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = dmuser_connection_fd(context->connection), .events = POLLIN },
	};
	struct circumstances c;

	for (;;) {
		if (poll(polled, ARRAY_SIZE(polled), -1) < 0) {
			if (errno == EINTR)
				continue;
			return EXIT_FAILED;
		}
		if (polled[2].revents) {
			circumstances_read(&c);
			fprintf(stderr,
				"dmuserctl: dmuserd closed the connection: the volume goes, at the latest when dmuserd "
				"runs again\n"
				"  hint: %s\n", circumstances_log(&c));
			return EXIT_UNREACHABLE;
		}
		if (polled[1].revents || (polled[0].revents && stdin_is_over()))
			return EXIT_DONE;
	}
}

static int call(struct context *context, struct request *q)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	_cleanup_(object_putp) struct json_object *fitting = NULL;
	_cleanup_(closep) int signals = -EBADF;
	sigset_t mask;
	int r;

	if (q->lease) {
		/*
		 * Before the volume exists, so that no signal finds the lease without its holder.
		 */
		sigemptyset(&mask);
		sigaddset(&mask, SIGTERM);
		sigaddset(&mask, SIGINT);
		sigaddset(&mask, SIGHUP);
		sigprocmask(SIG_BLOCK, &mask, NULL);
		signals = signalfd(-1, &mask, SFD_CLOEXEC);
		if (signals < 0)
			return EXIT_FAILED;
	}
	r = fit_to_backend(context, q->parameters, &fitting);
	if (r)
		return r;
	r = context_call_for(context, "io.dmuser.Create", fitting, q->parameters, q->pidfd, &reply);
	if (r)
		return r;
	r = check_alive(dmuser_reply_parameters(reply));
	if (r != EXIT_DONE)
		return r;
	print_reply(context, dmuser_reply_parameters(reply));
	note_shortage(dmuser_reply_parameters(reply));
	return q->lease ? hold_lease(context, signals) : EXIT_DONE;
}

static int run(struct context *context, int argc, char **argv)
{
	struct request q = { .parameters = object_new(), .pidfd = -EBADF };
	int r;

	r = take_options(context, argc, argv, &q);
	if (r < 0) {
		r = check(context, argc, argv, &q);
		if (r == 0)
			r = call(context, &q);
	}
	closep(&q.pidfd);
	json_object_put(q.parameters);
	return r;
}

const struct command command_create = { "create", "make a volume", help, run };
