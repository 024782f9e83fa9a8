// SPDX-License-Identifier: Apache-2.0
/* Every method's every field: what it takes, and what it refuses by the field's name. */
#include "expect.h"
#include "util/cleanup.h"

#include <stdio.h>

/* Creates are so with these, and whatever is added. */
#define CREATE(more) CALL("Create", "\"name\":\"v\",\"backend\":\"memory\"" more)
#define BIND(container) CALL("Bind", "\"name\":\"v\",\"container\":" container)
#define RELEASE(more) CALL("Release", "\"name\":\"v\"" more)

/* None of these is a value for the field. format: a call, with a %s for `"field":value`. */
static void refuses_values(const char *format, const char *field, const char *place,
			   const char *const *values)
{
	for (; *values; values++) {
		char member[512];

		snprintf(member, sizeof(member), "\"%s\":%s", field, *values);
		refuses(with(format, member), place);
	}
}

static const char *const not_strings[] = { "1", "0", "1.5", "true", "[]", "{}", "[\"v\"]", NULL };
static const char *const not_integers[] = { "\"1\"", "\"\"", "1.0", "1e3", "0.5", "true",
					    "false", "[]",   "{}",  "-1",  NULL };
static const char *const not_booleans[] = { "0", "1", "\"true\"", "\"\"", "[]", "{}", NULL };
static const char *const not_objects[] = { "0", "\"\"", "\"c\"", "true", "[]", "[{}]", NULL };

/* ATTACKS 35: none of these names anything. */
static const char *const not_names[] = {
	"\"\"",	    "\"/\"",	     "\"../x\"", "\".\"",  "\"..\"",	  "\".x\"",
	"\"a/b\"",  "\"a b\"",	     "\" a\"",	 "\"a \"", "\"\\\\x2f\"", "\"a\\u0001\"",
	"\"a\\n\"", "\"\\u007f\"",   "\"-a\"",	 "\"_a\"", "\"é\"",	  "\"a%2fb\"",
	"\"a:b\"",  "\"a\\u002fb\"", NULL,
};

static void refuses_names(const char *format, const char *field, const char *place, size_t max)
{
	char longest[512];

	refuses_values(format, field, place, not_strings);
	refuses_values(format, field, place, not_names);
	snprintf(longest, sizeof(longest), "\"%s\":\"%0200d\"", field, 0);
	refuses(with(format, longest), place);
	snprintf(longest, sizeof(longest), "\"%s\":\"a%0*d\"", field, (int)max, 0);
	refuses(with(format, longest), place);
}

static void get_info_takes_no_parameter(void **state)
{
	requested("{\"method\":\"org.varlink.service.GetInfo\"}", 0, PARSER_METHOD_GET_INFO);
	refuses("{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{\"x\":1}}", "x");
}

#define DESCRIPTION \
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{%s}}"

static void get_interface_description_passes_the_interface_on(void **state)
{
	static const char *const wrong[] = { "\"\"", "\"a b\"", "\"a\\n\"", "\"a/b\"", NULL };
	const struct parser_message *m;
	char json[1024];

	snprintf(json, sizeof(json), DESCRIPTION, "\"interface\":\"org.example-1.X\"");
	m = requested(json, 0, PARSER_METHOD_GET_INTERFACE_DESCRIPTION);
	assert_string_equal(m->text, "org.example-1.X");

	refuses_values(DESCRIPTION, "interface", "interface", not_strings);
	refuses_values(DESCRIPTION, "interface", "interface", wrong);
	snprintf(json, sizeof(json), DESCRIPTION, "");
	refuses(json, "interface");
	snprintf(json, sizeof(json),
		 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"a%0256d\"}}",
		 0);
	refuses(json, "interface");
}

static void ping_and_list_take_no_parameter(void **state)
{
	requested(CALL("Ping", ""), 0, PARSER_METHOD_PING);
	requested(CALL("List", ""), 0, PARSER_METHOD_LIST);
	refuses(CALL("Ping", "\"name\":\"v\""), "name");
	refuses(CALL("List", "\"owner\":0"), "owner");
	refuses(CALL("List", "\"\":0"), "");
}

static void subscribe_expects_more(void **state)
{
	const struct parser_message *m = requested(
		"{\"method\":\"io.dmuser.Subscribe\",\"more\":true}", 0, PARSER_METHOD_SUBSCRIBE);

	assert_int_equal(m->flags, PARSER_CALL_MORE);
	expect_refusal(parse("{\"method\":\"io.dmuser.Subscribe\"}", 0),
		       PARSER_REFUSED_EXPECTED_MORE, false, "");
	expect_refusal(parse("{\"method\":\"io.dmuser.Subscribe\",\"oneway\":true}", 0),
		       PARSER_REFUSED_EXPECTED_MORE, false, "");
	refuses("{\"method\":\"io.dmuser.Subscribe\",\"more\":true,\"parameters\":{\"x\":1}}", "x");
}

static void create_takes_every_field(void **state)
{
	const struct parser_message *m = requested(
		CREATE(",\"size_bytes\":8192,\"options\":{\"path\":\"/srv/a b\",\"mode\":\"é\"},"
		       "\"block_size\":4096,\"read_only\":true,\"keep\":true,"
		       "\"container\":{\"id\":\"c1\",\"pidfd\":0}"),
		1, PARSER_METHOD_CREATE);
	const struct parser_create *c = &m->create;

	assert_string_equal(c->name, "v");
	assert_string_equal(c->backend, "memory");
	assert_int_equal(c->size_bytes, 8192);
	assert_int_equal(c->block_size, 4096);
	assert_int_equal(c->read_only, 1);
	assert_int_equal(c->keep, 1);
	assert_string_equal(c->container.id, "c1");
	assert_int_equal(c->container.pidfd, 0);
	assert_int_equal(c->n_options, 2);
	assert_string_equal(c->options[0].name, "path");
	assert_string_equal(c->options[0].value, "/srv/a b");
	assert_string_equal(c->options[1].name, "mode");
	assert_string_equal(c->options[1].value, "é");
}

static void create_takes_what_is_left_out_or_null_as_not_given(void **state)
{
	static const char *const calls[] = {
		CREATE(""),
		CREATE(",\"size_bytes\":null,\"options\":null,\"block_size\":null,"
		       "\"read_only\":null,"
		       "\"keep\":null,\"container\":null"),
		CREATE(",\"options\":{\"path\":null}"),
		CREATE(",\"options\":{},\"read_only\":false,\"keep\":false"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct parser_create *c =
			&requested(calls[i], 0, PARSER_METHOD_CREATE)->create;

		assert_true(c->size_bytes == PARSER_UNSET);
		assert_int_equal(c->n_options, 0);
		assert_int_equal(c->block_size, 0);
		assert_int_equal(c->read_only, 0);
		assert_int_equal(c->keep, 0);
		assert_string_equal(c->container.id, "");
	}
}

static void create_leaves_no_stray_byte(void **state)
{
	static struct parser_message expected;
	const struct parser_message *m = requested(CREATE(""), 0, PARSER_METHOD_CREATE);

	memset(&expected, 0, sizeof(expected));
	expected.version = PARSER_MESSAGE_VERSION;
	expected.event = PARSER_REQUEST;
	expected.method = PARSER_METHOD_CREATE;
	strcpy(expected.create.name, "v");
	strcpy(expected.create.backend, "memory");
	expected.create.size_bytes = PARSER_UNSET;
	assert_memory_equal(m, &expected, sizeof(expected));
}

static void create_needs_a_name_and_a_backend(void **state)
{
	refuses(CALL("Create", ""), "name");
	refuses("{\"method\":\"io.dmuser.Create\"}", "name");
	refuses(CALL("Create", "\"name\":\"v\""), "backend");
	refuses(CALL("Create", "\"backend\":\"memory\""), "name");
	refuses(CALL("Create", "\"name\":null,\"backend\":\"memory\""), "name");
	refuses(CALL("Create", "\"name\":\"v\",\"backend\":null"), "backend");
}

static void create_refuses_names_that_are_none(void **state)
{
	static const char *const not_backends[] = { "\"Memory\"", "\"1a\"", "\"a_b\"", "\"a.b\"",
						    "\"../x\"",	  "\"\"",   NULL };

	refuses_names("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "name", "name",
		      NAME_VOLUME_MAX);
	refuses_names("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "backend", "backend",
		      NAME_BACKEND_MAX);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "backend",
		       "backend", not_backends);
}

static void names_may_have_their_full_length(void **state)
{
	const struct parser_message *m;
	char json[512];

	snprintf(json, sizeof(json), CALL("Describe", "\"name\":\"%0*d\""), NAME_VOLUME_MAX, 0);
	m = requested(json, 0, PARSER_METHOD_DESCRIBE);
	assert_int_equal(strlen(m->volume.name), NAME_VOLUME_MAX);
	snprintf(json, sizeof(json), CALL("Release", "\"container\":\"%0*d\""), NAME_CONTAINER_MAX,
		 0);
	m = requested(json, 0, PARSER_METHOD_RELEASE);
	assert_int_equal(strlen(m->volume.container.id), NAME_CONTAINER_MAX);
}

static void create_refuses_sizes_that_are_none(void **state)
{
	static const char *const wrong[] = { "0",
					     "-512",
					     "511",
					     "1",
					     "513",
					     "1000",
					     "9223372036854775807",
					     "9223372036854775808",
					     "18446744073709551615",
					     "18446744073709551616",
					     NULL };

	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"name\":\"v\","
		       "\"backend\":\"b\",%s}}",
		       "size_bytes", "size_bytes", not_integers);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"name\":\"v\","
		       "\"backend\":\"b\",%s}}",
		       "size_bytes", "size_bytes", wrong);
	refuses(CREATE(",\"size_bytes\":512,\"block_size\":4096"), "size_bytes");
	assert_true(
		requested(CREATE(",\"size_bytes\":9223372036854775296"), 0, PARSER_METHOD_CREATE)
			->create.size_bytes == 9223372036854775296u);
}

static void create_refuses_block_sizes_that_are_none(void **state)
{
	static const char *const wrong[] = { "0",    "1",    "256",  "511",	   "513",
					     "1536", "4095", "8192", "4294967808", NULL };

	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"name\":\"v\","
		       "\"backend\":\"b\",%s}}",
		       "block_size", "block_size", not_integers);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"name\":\"v\","
		       "\"backend\":\"b\",%s}}",
		       "block_size", "block_size", wrong);
	for (unsigned int size = 512; size <= 4096; size *= 2) {
		char json[256];

		snprintf(json, sizeof(json), CREATE(",\"block_size\":%u"), size);
		assert_int_equal(requested(json, 0, PARSER_METHOD_CREATE)->create.block_size, size);
	}
}

static void create_refuses_flags_that_are_not_boolean(void **state)
{
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "read_only",
		       "read_only", not_booleans);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "keep", "keep",
		       not_booleans);
}

static void create_refuses_unknown_fields(void **state)
{
	refuses(CREATE(",\"size\":1"), "size");
	refuses(CREATE(",\"x\":null"), "x");
	refuses(CREATE(",\"Name\":\"v\""), "Name");
	refuses(CREATE(",\"container\":{\"id\":\"c\",\"pid\":1}"), "container.pid");
}

static void options_are_names_with_strings(void **state)
{
	static const char *const not_option_names[] = { "Path", "1a", "a-b", "a.b",
							"../x", "/",  "a b", "é" };
	static const char *const wrong[] = { "\"\"",	       "\"a\\u0000\"", "\"a\\n\"",
					     "\"\\u001b[2J\"", "\"\\u007f\"",  NULL };

	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "options",
		       "options", not_objects);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"options\":{%s}}}",
		       "path", "options.path", not_strings);
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{\"options\":{%s}}}",
		       "path", "options.path", wrong);
	for (size_t i = 0; i < ARRAY_SIZE(not_option_names); i++) {
		char json[256], place[64];

		snprintf(json, sizeof(json), CREATE(",\"options\":{\"%s\":\"x\"}"),
			 not_option_names[i]);
		snprintf(place, sizeof(place), "options.%s", not_option_names[i]);
		refuses(json, place);
	}
	refuses(CREATE(",\"options\":{\"\":\"x\"}"), "options.");
	refuses(CREATE(",\"options\":{\"a234567890123456789012345678901234\":\"x\"}"),
		"options.a234567890123456789012345678901234");
}

static void an_option_may_be_as_long_as_a_path(void **state)
{
	char json[2 * WORKER_OPTION_VALUE_SIZE];

	snprintf(json, sizeof(json), CREATE(",\"options\":{\"path\":\"%0*d\"}"),
		 WORKER_OPTION_VALUE_SIZE - 1, 0);
	assert_int_equal(strlen(requested(json, 0, PARSER_METHOD_CREATE)->create.options[0].value),
			 WORKER_OPTION_VALUE_SIZE - 1);
	snprintf(json, sizeof(json), CREATE(",\"options\":{\"path\":\"%0*d\"}"),
		 WORKER_OPTION_VALUE_SIZE, 0);
	refuses(json, "options.path");
}

static void no_more_options_than_a_worker_takes(void **state)
{
	_Static_assert(WORKER_OPTIONS_MAX == 8, "the calls below");
	assert_int_equal(
		requested(CREATE(",\"options\":{\"a\":\"x\",\"b\":\"x\",\"c\":\"x\",\"d\":\"x\","
				 "\"e\":\"x\",\"f\":\"x\",\"g\":\"x\",\"h\":\"x\",\"i\":null}"),
			  0, PARSER_METHOD_CREATE)
			->create.n_options,
		WORKER_OPTIONS_MAX);
	refuses(CREATE(",\"options\":{\"a\":\"x\",\"b\":\"x\",\"c\":\"x\",\"d\":\"x\",\"e\":\"x\","
		       "\"f\":\"x\",\"g\":\"x\",\"h\":\"x\",\"i\":\"x\"}"),
		"options");
}

static void a_container_is_an_id_and_a_pidfd(void **state)
{
	static const char *const formats[] = {
		"{\"method\":\"io.dmuser.Create\",\"parameters\":{\"container\":{%s}}}",
		"{\"method\":\"io.dmuser.Bind\",\"parameters\":{\"container\":{%s}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		refuses_names(formats[i], "id", "container.id", NAME_CONTAINER_MAX);
		refuses_values(formats[i], "pidfd", "container.pidfd", not_integers);
	}
	refuses(BIND("{\"id\":\"c\"}"), "container.pidfd");
	refuses(CREATE(",\"container\":{}"), "container.id");
	refuses_values("{\"method\":\"io.dmuser.Create\",\"parameters\":{%s}}", "container",
		       "container", not_objects);
	refuses_values("{\"method\":\"io.dmuser.Bind\",\"parameters\":{%s}}", "container",
		       "container", not_objects);
}

static void a_pidfd_is_one_that_came_with_the_call(void **state)
{
	refuses(BIND("{\"id\":\"c\",\"pidfd\":0}"), "container.pidfd");
	expect_refusal(parse(BIND("{\"id\":\"c\",\"pidfd\":1}"), 1),
		       PARSER_REFUSED_INVALID_PARAMETER, false, "container.pidfd");
	expect_refusal(parse(BIND("{\"id\":\"c\",\"pidfd\":-1}"), 1),
		       PARSER_REFUSED_INVALID_PARAMETER, false, "container.pidfd");
	expect_refusal(parse(BIND("{\"id\":\"c\",\"pidfd\":4294967296}"), 1),
		       PARSER_REFUSED_INVALID_PARAMETER, false, "container.pidfd");
	requested(BIND("{\"id\":\"c\",\"pidfd\":0}"), 1, PARSER_METHOD_BIND);
}

static void bind_takes_every_field(void **state)
{
	const struct parser_message *m =
		requested(CALL("Bind", "\"name\":\"v\",\"owner\":1000,"
				       "\"container\":{\"pidfd\":0,\"id\":\"c.1_-\"}"),
			  1, PARSER_METHOD_BIND);

	assert_string_equal(m->volume.name, "v");
	assert_int_equal(m->volume.owner, 1000);
	assert_string_equal(m->volume.container.id, "c.1_-");
	assert_int_equal(m->volume.container.pidfd, 0);
	assert_true(m->volume.timeout_ms == PARSER_UNSET);
	m = requested(BIND("{\"id\":\"c\",\"pidfd\":0}"), 1, PARSER_METHOD_BIND);
	assert_true(m->volume.owner == PARSER_UNSET);
}

static void bind_needs_a_name_and_a_container(void **state)
{
	refuses(CALL("Bind", ""), "name");
	refuses(CALL("Bind", "\"name\":\"v\""), "container");
	refuses(CALL("Bind", "\"name\":\"v\",\"container\":null"), "container");
	refuses_names("{\"method\":\"io.dmuser.Bind\",\"parameters\":{%s}}", "name", "name",
		      NAME_VOLUME_MAX);
	refuses(CALL("Bind", "\"timeout_ms\":1"), "timeout_ms");
}

static void owners_are_uids(void **state)
{
	static const char *const formats[] = {
		"{\"method\":\"io.dmuser.Bind\",\"parameters\":{%s}}",
		"{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"v\",%s}}",
		"{\"method\":\"io.dmuser.Describe\",\"parameters\":{\"name\":\"v\",%s}}",
	};
	static const char *const wrong[] = { "4294967295", "4294967296", "-1", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		refuses_values(formats[i], "owner", "owner", not_integers);
		refuses_values(formats[i], "owner", "owner", wrong);
	}
	assert_int_equal(requested(RELEASE(",\"owner\":0"), 0, PARSER_METHOD_RELEASE)->volume.owner,
			 0);
	assert_int_equal(
		requested(RELEASE(",\"owner\":4294967294"), 0, PARSER_METHOD_RELEASE)->volume.owner,
		4294967294);
}

static void release_takes_every_field(void **state)
{
	const struct parser_message *m;

	m = requested(RELEASE(",\"owner\":7,\"timeout_ms\":600000"), 0, PARSER_METHOD_RELEASE);
	assert_string_equal(m->volume.name, "v");
	assert_int_equal(m->volume.owner, 7);
	assert_int_equal(m->volume.timeout_ms, 600000);
	assert_string_equal(m->volume.container.id, "");

	m = requested(CALL("Release", "\"container\":\"c\",\"timeout_ms\":0"), 0,
		      PARSER_METHOD_RELEASE);
	assert_string_equal(m->volume.name, "");
	assert_string_equal(m->volume.container.id, "c");
	assert_int_equal(m->volume.timeout_ms, 0);
	assert_true(m->volume.owner == PARSER_UNSET);

	m = requested(RELEASE(",\"owner\":null,\"container\":null,\"timeout_ms\":null"), 0,
		      PARSER_METHOD_RELEASE);
	assert_true(m->volume.owner == PARSER_UNSET);
	assert_true(m->volume.timeout_ms == PARSER_UNSET);
}

static void release_is_of_a_volume_or_of_a_container(void **state)
{
	const struct parser_message *m;

	refuses(CALL("Release", ""), "name");
	refuses(CALL("Release", "\"name\":null,\"container\":null"), "name");
	m = requested(RELEASE(",\"container\":\"c\""), 0, PARSER_METHOD_RELEASE);
	assert_string_equal(m->volume.name, "v");
	assert_string_equal(m->volume.container.id, "c");
}

static void release_takes_a_reason_of_one_line(void **state)
{
	char json[PARSER_REASON_SIZE + 128];
	const struct parser_message *m;

	m = requested(RELEASE(",\"reason\":\"mkfs: no room\""), 0, PARSER_METHOD_RELEASE);
	assert_string_equal(m->volume.reason, "mkfs: no room");
	assert_string_equal(requested(RELEASE(""), 0, PARSER_METHOD_RELEASE)->volume.reason, "");
	snprintf(json, sizeof(json), RELEASE(",\"reason\":\"%0*d\""), PARSER_REASON_SIZE - 1, 0);
	requested(json, 0, PARSER_METHOD_RELEASE);
	snprintf(json, sizeof(json), RELEASE(",\"reason\":\"%0*d\""), PARSER_REASON_SIZE, 0);
	refuses(json, "reason");
	refuses(RELEASE(",\"reason\":\"a\\nb\""), "reason");
	refuses(RELEASE(",\"reason\":7"), "reason");
	refuses(CALL("Describe", "\"name\":\"v\",\"reason\":\"why\""), "reason");
}

static void release_can_leave_alone_what_is_open(void **state)
{
	static const char *const wrong[] = { "0", "1", "\"true\"", "[]", NULL };

	assert_int_equal(requested(RELEASE(""), 0, PARSER_METHOD_RELEASE)->volume.unless_open, 0);
	assert_int_equal(requested(RELEASE(",\"unless_open\":true"), 0, PARSER_METHOD_RELEASE)
				 ->volume.unless_open, 1);
	assert_int_equal(requested(RELEASE(",\"unless_open\":false"), 0, PARSER_METHOD_RELEASE)
				 ->volume.unless_open, 0);
	refuses_values("{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"v\",%s}}",
		       "unless_open", "unless_open", wrong);
	refuses(CALL("Describe", "\"name\":\"v\",\"unless_open\":true"), "unless_open");
}

static void release_refuses_what_is_out_of_range(void **state)
{
	static const char *const wrong[] = { "-1", "600001", "9223372036854775807",
					     "18446744073709551615", NULL };

	refuses_names("{\"method\":\"io.dmuser.Release\",\"parameters\":{%s}}", "name", "name",
		      NAME_VOLUME_MAX);
	refuses_names("{\"method\":\"io.dmuser.Release\",\"parameters\":{%s}}", "container",
		      "container", NAME_CONTAINER_MAX);
	refuses_values("{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"v\",%s}}",
		       "timeout_ms", "timeout_ms", not_integers);
	refuses_values("{\"method\":\"io.dmuser.Release\",\"parameters\":{\"name\":\"v\",%s}}",
		       "timeout_ms", "timeout_ms", wrong);
	refuses(RELEASE(",\"pidfd\":0"), "pidfd");
}

static void describe_takes_a_name_an_owner_and_a_container(void **state)
{
	const struct parser_message *m = requested(
		CALL("Describe", "\"name\":\"a.b_c-1\",\"owner\":3"), 0, PARSER_METHOD_DESCRIBE);

	assert_string_equal(m->volume.name, "a.b_c-1");
	assert_int_equal(m->volume.owner, 3);
	m = requested(CALL("Describe", "\"name\":\"v\""), 0, PARSER_METHOD_DESCRIBE);
	assert_true(m->volume.owner == PARSER_UNSET);
	refuses(CALL("Describe", ""), "name");
	m = requested(CALL("Describe", "\"name\":\"v\",\"container\":\"c\""), 0,
		      PARSER_METHOD_DESCRIBE);
	assert_string_equal(m->volume.container.id, "c");
	refuses(CALL("Describe", "\"name\":\"v\",\"container\":\"_c\""), "container");
	refuses_names("{\"method\":\"io.dmuser.Describe\",\"parameters\":{%s}}", "name", "name",
		      NAME_VOLUME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_info_takes_no_parameter),
		cmocka_unit_test(get_interface_description_passes_the_interface_on),
		cmocka_unit_test(ping_and_list_take_no_parameter),
		cmocka_unit_test(subscribe_expects_more),
		cmocka_unit_test(create_takes_every_field),
		cmocka_unit_test(create_takes_what_is_left_out_or_null_as_not_given),
		cmocka_unit_test(create_leaves_no_stray_byte),
		cmocka_unit_test(create_needs_a_name_and_a_backend),
		cmocka_unit_test(create_refuses_names_that_are_none),
		cmocka_unit_test(names_may_have_their_full_length),
		cmocka_unit_test(create_refuses_sizes_that_are_none),
		cmocka_unit_test(create_refuses_block_sizes_that_are_none),
		cmocka_unit_test(create_refuses_flags_that_are_not_boolean),
		cmocka_unit_test(create_refuses_unknown_fields),
		cmocka_unit_test(options_are_names_with_strings),
		cmocka_unit_test(an_option_may_be_as_long_as_a_path),
		cmocka_unit_test(no_more_options_than_a_worker_takes),
		cmocka_unit_test(a_container_is_an_id_and_a_pidfd),
		cmocka_unit_test(a_pidfd_is_one_that_came_with_the_call),
		cmocka_unit_test(bind_takes_every_field),
		cmocka_unit_test(bind_needs_a_name_and_a_container),
		cmocka_unit_test(owners_are_uids),
		cmocka_unit_test(release_takes_every_field),
		cmocka_unit_test(release_is_of_a_volume_or_of_a_container),
		cmocka_unit_test(release_can_leave_alone_what_is_open),
		cmocka_unit_test(release_refuses_what_is_out_of_range),
		cmocka_unit_test(release_takes_a_reason_of_one_line),
		cmocka_unit_test(describe_takes_a_name_an_owner_and_a_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
