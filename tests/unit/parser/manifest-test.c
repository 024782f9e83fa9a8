// SPDX-License-Identifier: Apache-2.0
/* A backend's manifest: what it says, what it leaves out, what it may not say. */
#include "expect.h"
#include "dmuserd/parser/manifest.h"
#include "util/cleanup.h"

#include <stdio.h>

#define HEAD \
	"\"type\":\"file\",\"summary\":\"s\",\"profile\":\"file\",\"memory_max_bytes\":1048576"
#define PATH "\"name\":\"path\",\"summary\":\"Where it is.\",\"kind\":\"string\""
#define OPENED PATH ",\"required\":true,\"opens\":\"file\""
#define MANIFEST(more) "{" HEAD more "}"
#define OPTION(members) MANIFEST(",\"options\":[{\"name\":\"o\",\"summary\":\"s\"," members "}]")

static const struct parser_message *read_manifest(const char *json)
{
	static struct text text;
	static struct parser_message message;

	memset(&message, 0xa5, sizeof(message));
	assert_int_equal(manifest_parse(&text, json, strlen(json), &message), 0);
	assert_int_equal(message.version, PARSER_MESSAGE_VERSION);
	return &message;
}

static const struct parser_manifest *takes(const char *json)
{
	const struct parser_message *message = read_manifest(json);

	if (message->event != PARSER_MANIFEST)
		fail_msg("refused for \"%s\": %s", message->text, json);
	return &message->manifest;
}

static void refuses_manifest(const char *json, const char *place)
{
	expect_refusal(read_manifest(json), PARSER_REFUSED_INVALID_PARAMETER, true, place);
}

static void every_field_is_taken(void **state)
{
	const struct parser_manifest *m =
		takes("{\"type\":\"file\",\"summary\":\"é\",\"profile\":\"file-2\","
		      "\"memory_max_bytes\":1,\"size\":{\"min\":1024,\"max\":2048},"
		      "\"volatile_cache\":false,\"threads\":64,\"resources\":[\"memfd\",\"file\"],"
		      "\"options\":[{" OPENED ",\"min\":2,\"max\":7},"
		      "{\"name\":\"depth\",\"summary\":\"s\",\"kind\":\"integer\","
		      "\"min\":-5,\"max\":5},"
		      "{\"name\":\"sync\",\"summary\":\"s\",\"kind\":\"boolean\","
		      "\"required\":false},"
		      "{\"name\":\"chunk\",\"summary\":\"s\",\"kind\":\"size\",\"min\":512}]}\n");

	assert_string_equal(m->type, "file");
	assert_string_equal(m->summary, "é");
	assert_string_equal(m->profile, "file-2");
	assert_int_equal(m->memory_max_bytes, 1);
	assert_int_equal(m->min_size_bytes, 1024);
	assert_int_equal(m->max_size_bytes, 2048);
	assert_int_equal(m->volatile_cache, 0);
	assert_int_equal(m->n_threads, 64);
	assert_int_equal(m->n_resources, 2);
	assert_int_equal(m->resources[0], MANIFEST_MEMFD);
	assert_int_equal(m->resources[1], MANIFEST_FILE);
	assert_int_equal(m->n_options, 4);
	assert_string_equal(m->options[0].name, "path");
	assert_string_equal(m->options[0].summary, "Where it is.");
	assert_int_equal(m->options[0].kind, MANIFEST_STRING);
	assert_int_equal(m->options[0].required, 1);
	assert_int_equal(m->options[0].min, 2);
	assert_int_equal(m->options[0].max, 7);
	/* The second resource. */
	assert_int_equal(m->options[0].opens, 2);
	assert_int_equal(m->options[1].kind, MANIFEST_INTEGER);
	assert_true(m->options[1].min == -5 && m->options[1].max == 5);
	assert_int_equal(m->options[1].opens, 0);
	assert_int_equal(m->options[2].kind, MANIFEST_BOOLEAN);
	assert_int_equal(m->options[2].required, 0);
	assert_int_equal(m->options[3].kind, MANIFEST_SIZE);
	assert_int_equal(m->options[3].min, 512);
	assert_true(m->options[3].max == INT64_MAX);
}

static void what_is_left_out_has_its_default(void **state)
{
	const struct parser_manifest *m = takes(MANIFEST(",\"options\":[{" PATH "}]"));

	assert_int_equal(m->min_size_bytes, 512);
	assert_true(m->max_size_bytes == INT64_MAX);
	/* Nobody may believe in data that is gone. */
	assert_int_equal(m->volatile_cache, 1);
	assert_int_equal(m->n_threads, 1);
	assert_int_equal(m->n_resources, 0);
	assert_int_equal(m->options[0].required, 0);
	assert_int_equal(m->options[0].min, 1);
	assert_int_equal(m->options[0].max, WORKER_OPTION_VALUE_SIZE - 1);
}

static void type_summary_profile_and_memory_are_required(void **state)
{
	refuses_manifest("{}", "type");
	refuses_manifest("{\"type\":\"file\"}", "summary");
	refuses_manifest("{\"type\":\"file\",\"summary\":\"s\"}", "profile");
	refuses_manifest("{\"type\":\"file\",\"summary\":\"s\",\"profile\":\"p\"}",
			 "memory_max_bytes");
	refuses_manifest(OPTION("\"required\":true"), "options[0].kind");
	refuses_manifest(MANIFEST(",\"options\":[{}]"), "options[0].name");
	refuses_manifest(MANIFEST(",\"options\":[{\"name\":\"o\"}]"), "options[0].summary");
}

static void names_cannot_leave_their_folder(void **state)
{
	refuses_manifest("{\"type\":\"../file\"}", "type");
	refuses_manifest("{\"type\":\"\"}", "type");
	refuses_manifest("{\"profile\":\"a/b\"}", "profile");
	refuses_manifest("{\"profile\":\".\"}", "profile");
	refuses_manifest(MANIFEST(",\"options\":[{\"name\":\"A\"}]"), "options[0].name");
}

static void wrong_types_are_named(void **state)
{
	refuses_manifest("{\"type\":1}", "type");
	refuses_manifest("{\"summary\":[]}", "summary");
	refuses_manifest("{\"summary\":\"a\\nb\"}", "summary");
	refuses_manifest("{\"memory_max_bytes\":\"1\"}", "memory_max_bytes");
	refuses_manifest("{\"volatile_cache\":0}", "volatile_cache");
	refuses_manifest("{\"size\":512}", "size");
	refuses_manifest("{\"size\":{\"bytes\":512}}", "size.bytes");
	refuses_manifest("{\"resources\":{}}", "resources");
	refuses_manifest("{\"resources\":[1]}", "resources[0]");
	refuses_manifest("{\"resources\":[null]}", "resources[0]");
	refuses_manifest("{\"options\":{}}", "options");
	refuses_manifest("{\"options\":[null]}", "options[0]");
	refuses_manifest("{\"options\":[[]]}", "options[0]");
	refuses_manifest(OPTION("\"kind\":2"), "options[0].kind");
	refuses_manifest(OPTION("\"kind\":\"float\""), "options[0].kind");
	refuses_manifest(OPTION("\"min\":\"1\""), "options[0].min");
	refuses_manifest(OPTION("\"required\":1"), "options[0].required");
	refuses_manifest(OPTION("\"default\":1"), "options[0].default");
	refuses_manifest("{\"version\":1}", "version");
}

static void numbers_are_in_range(void **state)
{
	refuses_manifest("{\"memory_max_bytes\":0}", "memory_max_bytes");
	refuses_manifest("{\"memory_max_bytes\":-1}", "memory_max_bytes");
	refuses_manifest("{\"size\":{\"min\":511}}", "size.min");
	refuses_manifest("{\"size\":{\"max\":0}}", "size.max");
	refuses_manifest("{\"threads\":0}", "threads");
	refuses_manifest("{\"threads\":65}", "threads");
	refuses_manifest("{\"size\":{\"max\":9223372036854775808}}", "size.max");
	refuses_manifest(MANIFEST(",\"size\":{\"min\":2048,\"max\":1024}"), "size");
	refuses_manifest(OPTION("\"kind\":\"string\",\"max\":4096"), "options[0].max");
	refuses_manifest(OPTION("\"kind\":\"string\",\"min\":0"), "options[0].min");
	refuses_manifest(OPTION("\"kind\":\"string\",\"min\":9,\"max\":8"), "options[0].max");
	refuses_manifest(OPTION("\"kind\":\"size\",\"min\":-1"), "options[0].min");
	refuses_manifest(OPTION("\"kind\":\"boolean\",\"max\":2"), "options[0].max");
}

static void resources_are_one_of_a_kind(void **state)
{
	refuses_manifest("{\"resources\":[\"socket\"]}", "resources[0]");
	refuses_manifest("{\"resources\":[\"memfd\",\"memfd\"]}", "resources[1]");
	refuses_manifest("{\"resources\":[\"memfd\",\"file\",\"memfd\",\"file\",\"file\"]}",
			 "resources");
	assert_int_equal(takes(MANIFEST(",\"resources\":[\"memfd\"]"))->n_resources, 1);
}

static void a_file_is_opened_by_one_required_option(void **state)
{
	assert_int_equal(takes(MANIFEST(",\"resources\":[\"file\"],\"options\":[{" OPENED "}]"))
				 ->options[0].opens,
			 1);
	refuses_manifest(MANIFEST(",\"resources\":[\"file\"]"), "resources");
	refuses_manifest(MANIFEST(",\"options\":[{" OPENED "}]"), "resources");
	refuses_manifest(MANIFEST(",\"resources\":[\"memfd\"],\"options\":[{" OPENED "}]"),
			 "resources");
	refuses_manifest(MANIFEST(",\"resources\":[\"file\"],\"options\":[{" OPENED "},"
				  "{\"name\":\"p2\",\"summary\":\"s\",\"kind\":\"string\","
				  "\"required\":true,\"opens\":\"file\"}]"),
			 "resources");
	refuses_manifest(OPTION("\"kind\":\"string\",\"opens\":\"file\""), "options[0].opens");
	refuses_manifest(OPTION("\"kind\":\"size\",\"required\":true,\"opens\":\"file\""),
			 "options[0].opens");
	refuses_manifest(OPTION("\"kind\":\"string\",\"required\":true,\"opens\":\"memfd\""),
			 "options[0].opens");
	refuses_manifest(OPTION("\"kind\":\"string\",\"required\":true,\"opens\":\"socket\""),
			 "options[0].opens");
}

static void options_have_names_of_their_own(void **state)
{
	refuses_manifest(MANIFEST(",\"options\":[{" PATH "},{" PATH "}]"), "options[1].name");
}

static void no_more_options_than_a_worker_takes(void **state)
{
	char json[4096];
	int used = snprintf(json, sizeof(json), "{" HEAD ",\"options\":[");

	for (int i = 0; i < WORKER_OPTIONS_MAX; i++)
		used += snprintf(json + used, sizeof(json) - (size_t)used,
				 "%s{\"name\":\"o%d\",\"summary\":\"s\",\"kind\":\"boolean\"}",
				 i ? "," : "", i);
	strcpy(json + used, "]}");
	assert_int_equal(takes(json)->n_options, WORKER_OPTIONS_MAX);
	strcpy(json + used, ",{\"name\":\"o\",\"summary\":\"s\",\"kind\":\"boolean\"}]}");
	refuses_manifest(json, "options");
}

static void a_manifest_is_as_strict_json_as_a_call(void **state)
{
	refuses_manifest(MANIFEST(",\"type\":\"memory\""), "type");
	refuses_manifest(OPTION("\"kind\":\"size\",\"kind\":\"size\""), "options[0].kind");
	refuses_manifest("{\"type\":'file'}", "type");
	refuses_manifest("{\"threads\":01}", "threads");
	expect_refusal(read_manifest("{} // a comment"), PARSER_REFUSED_SYNTAX, true, "");
	expect_refusal(read_manifest(""), PARSER_REFUSED_SYNTAX, true, "");
	expect_refusal(read_manifest("[]"), PARSER_REFUSED_SYNTAX, true, "");
}

static char **manifests; /* files, the last one NULL */

static void the_manifests_of_this_tree_are_taken(void **state)
{
	for (char **path = manifests; *path; path++) {
		_cleanup_(fclosep) FILE *file = fopen(*path, "re");
		char json[65536];
		size_t size;

		assert_non_null(file);
		size = fread(json, 1, sizeof(json) - 1, file);
		json[size] = '\0';
		takes(json);
	}
}

/* manifest-test [MANIFEST]... */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_taken),
		cmocka_unit_test(what_is_left_out_has_its_default),
		cmocka_unit_test(type_summary_profile_and_memory_are_required),
		cmocka_unit_test(names_cannot_leave_their_folder),
		cmocka_unit_test(wrong_types_are_named),
		cmocka_unit_test(numbers_are_in_range),
		cmocka_unit_test(resources_are_one_of_a_kind),
		cmocka_unit_test(a_file_is_opened_by_one_required_option),
		cmocka_unit_test(options_have_names_of_their_own),
		cmocka_unit_test(no_more_options_than_a_worker_takes),
		cmocka_unit_test(a_manifest_is_as_strict_json_as_a_call),
		cmocka_unit_test(the_manifests_of_this_tree_are_taken),
	};

	manifests = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
