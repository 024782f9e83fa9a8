// SPDX-License-Identifier: Apache-2.0
/* dmuserctl release: ends a volume, or all volumes of a container. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/holder.h"
#include "ctl/inquiry.h"
#include "ctl/quantity.h"

#include <limits.h>
#include <string.h>

static const char help[] =
"Usage: dmuserctl release NAME [--container ID] [OPTION]...\n"
"       dmuserctl release --container ID [OPTION]...\n"
"\n"
"Ends one volume, or all of a container: waits for outstanding I/O, fails what is left, and removes\n"
"the device. What is in a volume's backing (the image of the file backend) stays.\n"
"A volume whose device is open, as that of a mounted one is, stays as it is, and who has it open is\n"
"said; the exit status is 7. --force ends it all the same: whoever has it open gets I/O errors, a file\n"
"system on it loses what was not written yet, and the device goes when its last user closes it, as\n"
"umount and swapoff do: which it takes is said on stderr.\n"
"\n"
"  --force         also if the device is open\n"
"  --container ID  all volumes that are bound to it; with NAME, its volume of that name\n"
"  --owner USER    another owner's volume, by name or uid (root)\n"
"  --timeout-ms N  give outstanding I/O so many milliseconds before it fails (default: what\n"
"                  dmuserd.conf says, 5000)\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply, on top of --timeout-ms: 30 or 30s (default), infinity\n"
"  --address PATH  dmuserd's socket\n";

static int take_timeout_ms(struct context *context, const char *text,
			   struct json_object *parameters)
{
	uint64_t ms;

	if (quantity_parse_number(text, INT_MAX, &ms) < 0)
		return usage_error(context, "--timeout-ms takes milliseconds, not '%s'", text);
	object_set_int(parameters, "timeout_ms", (int64_t)ms);
	return -1;
}

/* -1: go on; otherwise the exit code. */
static int take_options(struct context *context, int argc, char **argv,
			struct json_object *parameters)
{
	static const struct option options[] = {
		{ "container", required_argument, NULL, 'c' },
		{ "owner", required_argument, NULL, 'o' },
		{ "timeout-ms", required_argument, NULL, 't' },
		{ "force", no_argument, NULL, 'f' },
		COMMON_OPTIONS,
	};
	bool force = false;
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
		case 't':
			r = take_timeout_ms(context, optarg, parameters);
			break;
		case 'f':
			force = true;
			break;
		default:
			r = context_option(context, option);
		}
	}
	if (!force)
		object_set_bool(parameters, "unless_open", true);
	return r;
}

static int check(struct context *context, int argc, char **argv, struct json_object *parameters)
{
	bool container = object_string(parameters, "container", NULL);
	int64_t drain_ms = object_int(parameters, "timeout_ms", 5000);
	int r;

	if (!container && argc == optind)
		return usage_missing(context, "release needs NAME or --container ID");
	if (argc > optind) {
		r = usage_check_count(context, argc, argv, 1, 1);
		if (r == 0)
			r = usage_take_name(context, argv[optind]);
		if (r)
			return r;
		object_set_string(parameters, "name", argv[optind]);
	}
	if (context->timeout_ms >= 0)
		context->timeout_ms = context->timeout_ms > INT_MAX - drain_ms ?
					      INT_MAX : context->timeout_ms + (int)drain_ms;
	return 0;
}

static bool is_at(struct json_object *released, const char *stage)
{
	return strcmp(object_string(released, "stage", "?"), stage) == 0;
}

/* "pid 4711 (fio), mount /mnt" */
static void print_holders(struct json_object *released)
{
	size_t count = object_array_length(released, "holders");

	for (size_t i = 0; i < count; i++) {
		struct json_object *holder = object_array_element(released, "holders", i);
		char text[HOLDER_ADVICE_SIZE];

		printf("%s%s", i ? ", " : " by ",
		       escape_text(json_object_get_string(holder), text, sizeof(text)));
	}
}

/*
 * How to be rid of the device, which stays as long as it is open: on stderr, so that it is told
 * where stdout is JSON, too.
 */
static void tell_way_out(const struct context *context, struct json_object *parameters,
			 struct json_object *released)
{
	const char *name = object_string(released, "name", "?");
	const char *container = object_string(parameters, "container", NULL);
	/* Root releases a container's volumes without saying whose they are: the reply does. */
	int64_t owner = object_int(released, "owner", object_int(parameters, "owner", -1));
	_cleanup_(object_putp) struct json_object *volume =
		inquire_volume(context->connection, name, container, owner);
	char escaped[256], device[64], advice[HOLDER_ADVICE_SIZE];
	bool is_told = false;

	escape_text(object_string(volume, "device", "/dev/dm-N"), device, sizeof(device));
	fprintf(stderr,
		"dmuserctl: volume '%s' is there until its device, %s, is closed, and its I/O "
		"fails\n",
		escape_text(name, escaped, sizeof(escaped)), device);
	for (size_t i = 0; i < object_array_length(released, "holders"); i++) {
		struct json_object *holder = object_array_element(released, "holders", i);

		if (!holder_advice(json_object_get_string(holder), advice, sizeof(advice))[0])
			continue;
		fprintf(stderr, "  hint: %s\n", advice);
		is_told = true;
	}
	if (!is_told)
		fprintf(stderr, "  hint: %s\n",
			holder_advice_unseen(device, advice, sizeof(advice)));
}

static void print_released(struct json_object *released)
{
	char name[256], stage[256];

	printf("%s: ", escape_text(object_string(released, "name", "?"), name, sizeof(name)));
	if (is_at(released, "gone")) {
		puts("released");
	} else if (is_at(released, "device_busy")) {
		printf("its device is still open");
		print_holders(released);
		puts("; it goes when that closes");
	} else {
		printf("not gone yet: %s\n",
		       escape_text(object_string(released, "stage", "?"), stage, sizeof(stage)));
	}
}

/*
 * dmuserd takes it for done. Whoever names a container that has no volumes may have meant another.
 */
static int say_there_are_none(const struct context *context, struct json_object *parameters)
{
	_cleanup_(object_putp) struct json_object *error = object_new();

	return report_error(context, "io.dmuser.NoSuchVolume", error, parameters);
}

static int run(struct context *context, int argc, char **argv)
{
	_cleanup_(object_putp) struct json_object *parameters = object_new();
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	struct json_object *answer;
	bool gone = true;
	int r;

	r = take_options(context, argc, argv, parameters);
	if (r >= 0)
		return r;
	r = check(context, argc, argv, parameters);
	if (r == 0)
		r = context_call(context, "io.dmuser.Release", parameters, -EBADF, &reply);
	if (r)
		return r;
	answer = dmuser_reply_parameters(reply);
	if (context->json)
		escape_json(stdout, answer, 1);
	for (size_t i = 0; i < object_array_length(answer, "released"); i++) {
		struct json_object *released = object_array_element(answer, "released", i);

		if (!context->json)
			print_released(released);
		gone &= is_at(released, "gone");
		if (is_at(released, "device_busy"))
			tell_way_out(context, parameters, released);
	}
	if (object_array_length(answer, "released") == 0)
		return say_there_are_none(context, parameters);
	return gone ? EXIT_DONE : EXIT_BUSY;
}

const struct command command_release = { "release", "end a volume, or those of a container", help,
					 run };
