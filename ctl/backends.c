// SPDX-License-Identifier: Apache-2.0
/* dmuserctl backends: what kinds of volumes there are, and what each takes. */
#include "ctl/command.h"
#include "ctl/escape.h"
#include "ctl/nearest.h"
#include "ctl/quantity.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_SIZE 1024

static const char help[] =
"Usage: dmuserctl backends [TYPE] [OPTION]...\n"
"\n"
"Lists the backends that are installed, or the one named, with the sizes and options that 'create' takes\n"
"for each, and the manifests that dmuserd could not take, with the reason. A backend that was installed\n"
"just now is among them: dmuserd need not be restarted. A SIZE is bytes, or with K, M, G or T.\n"
"\n"
"  --json          print the reply as JSON\n"
"  --timeout TIME  wait so long for the reply: 30s (default), 500ms, infinity\n"
"  --address PATH  dmuserd's socket\n";

static const char *text_of(struct json_object *object, const char *key, char out[static TEXT_SIZE])
{
	return escape_text(object_string(object, key, "?"), out, TEXT_SIZE);
}

/* "4K to 1T"; out must hold 64 bytes. */
static const char *sizes(int64_t min, int64_t max, char *out)
{
	char least[24], most[24];

	quantity_format_size((uint64_t)min, least);
	quantity_format_size((uint64_t)max, most);
	/* The last multiple of nothing: the largest that the interface can say. */
	if (max == INT64_MAX)
		sprintf(out, "%s or more", least);
	else
		sprintf(out, "%s to %s", least, most);
	return out;
}

/* What a value is, where there is a word for it. */
static const char *placeholder(const char *kind, bool opens)
{
	if (opens)
		return "FILE";
	if (strcmp(kind, "size") == 0)
		return "SIZE";
	if (strcmp(kind, "boolean") == 0)
		return "true|false";
	return strcmp(kind, "integer") == 0 ? "NUMBER" : "TEXT";
}

/* ", from 1 to 9": what an option's value may be; "" for what may be anything of its kind. */
static const char *range(struct json_object *option, const char *kind, char out[static 96])
{
	int64_t min = object_int(option, "min", INT64_MIN),
		max = object_int(option, "max", INT64_MAX);
	char text[64];

	out[0] = '\0';
	if (min == INT64_MIN && max == INT64_MAX)
		return out;
	if (strcmp(kind, "string") == 0)
		snprintf(out, 96, ", %" PRId64 " to %" PRId64 " bytes long", min, max);
	else if (strcmp(kind, "size") == 0)
		snprintf(out, 96, ", %s", sizes(min, max, text));
	else
		snprintf(out, 96, ", %" PRId64 " to %" PRId64, min, max);
	return out;
}

static void print_option(struct json_object *option)
{
	const char *kind = object_string(option, "kind", "");
	char name[TEXT_SIZE], summary[TEXT_SIZE], limits[96], given[TEXT_SIZE + 16];

	snprintf(given, sizeof(given), "%s=%s", text_of(option, "name", name),
		 placeholder(kind, object_string(option, "opens", NULL)));
	printf("  -o %-19s %s%s%s\n", given, text_of(option, "summary", summary),
	       range(option, kind, limits), object_bool(option, "required") ? " (needed)" : "");
}

static bool has_resource(struct json_object *backend, const char *kind)
{
	for (size_t i = 0; i < object_array_length(backend, "resources"); i++) {
		struct json_object *resource = object_array_element(backend, "resources", i);

		if (strcmp(json_object_get_string(resource), kind) == 0)
			return true;
	}
	return false;
}

/* What lies in a file alone can do without being told a size. */
static bool has_size_of_its_own(struct json_object *backend)
{
	return has_resource(backend, "file") && !has_resource(backend, "memfd");
}

static void print_backend(struct json_object *backend)
{
	char type[TEXT_SIZE], summary[TEXT_SIZE], missing[TEXT_SIZE], limits[64];

	printf("%s: %s\n", text_of(backend, "type", type), text_of(backend, "summary", summary));
	if (object_string(backend, "missing", NULL))
		printf("  cannot be used: there is no %s\n", text_of(backend, "missing", missing));
	printf("  --size SIZE            %s%s\n",
	       sizes(object_int(backend, "size_min", 0), object_int(backend, "size_max", INT64_MAX),
		     limits),
	       has_size_of_its_own(backend) ? "; what FILE has, if left out" : " (needed)");
	for (size_t i = 0; i < object_array_length(backend, "options"); i++)
		print_option(object_array_element(backend, "options", i));
}

/* Those of a list that are of this type, or all. */
static struct json_object *those_of(struct json_object *parameters, const char *list,
				    const char *type)
{
	struct json_object *array = object_new_array();

	for (size_t i = 0; i < object_array_length(parameters, list); i++) {
		struct json_object *element = object_array_element(parameters, list, i);

		if (!type || strcmp(object_string(element, "type", ""), type) == 0)
			object_append(array, json_object_get(element));
	}
	return array;
}

/* The reply, as if there were no other type. The caller's to put. */
static struct json_object *reply_about(struct json_object *parameters, const char *type)
{
	struct json_object *reply = object_new();

	object_set(reply, "backends", those_of(parameters, "backends", type));
	object_set(reply, "rejected", those_of(parameters, "rejected", type));
	return reply;
}

static void print_all(struct json_object *parameters)
{
	char name[TEXT_SIZE], reason[TEXT_SIZE];

	for (size_t i = 0; i < object_array_length(parameters, "backends"); i++)
		print_backend(object_array_element(parameters, "backends", i));
	for (size_t i = 0; i < object_array_length(parameters, "rejected"); i++) {
		struct json_object *rejected = object_array_element(parameters, "rejected", i);

		printf("%s: cannot be used: %s\n", text_of(rejected, "type", name),
		       text_of(rejected, "reason", reason));
	}
}

static void offer_all(struct nearest *nearest, struct json_object *parameters, const char *list)
{
	for (size_t i = 0; i < object_array_length(parameters, list); i++) {
		struct json_object *backend = object_array_element(parameters, list, i);

		nearest_offer(nearest, object_string(backend, "type", ""));
	}
}

static int refuse_type(struct json_object *parameters, const char *type)
{
	struct nearest nearest = { .word = type };
	char name[TEXT_SIZE], meant[TEXT_SIZE];

	offer_all(&nearest, parameters, "backends");
	offer_all(&nearest, parameters, "rejected");
	fprintf(stderr, "dmuserctl: no backend '%s' is installed\n  hint: ",
		escape_text(type, name, sizeof(name)));
	if (nearest.best)
		fprintf(stderr, "did you mean '%s'? ",
			escape_text(nearest.best, meant, sizeof(meant)));
	fputs("'dmuserctl backends' lists those that are\n", stderr);
	return EXIT_FAILED;
}

static int print(const struct context *context, struct json_object *parameters, const char *type)
{
	_cleanup_(object_putp) struct json_object *meant = reply_about(parameters, type);

	if (type &&
	    object_array_length(meant, "backends") + object_array_length(meant, "rejected") == 0)
		return refuse_type(parameters, type);
	if (context->json)
		escape_json(stdout, meant, 1);
	else
		print_all(meant);
	return EXIT_DONE;
}

static int run(struct context *context, int argc, char **argv)
{
	_cleanup_(dmuser_reply_freep) struct dmuser_reply *reply = NULL;
	int r = context_ask(context, argc, argv, 1, "io.dmuser.ListBackends", &reply);

	if (r || !reply)
		return r;
	return print(context, dmuser_reply_parameters(reply), optind < argc ? argv[optind] : NULL);
}

const struct command command_backends = { "backends", "what kinds of volumes there are", help,
					  run };
