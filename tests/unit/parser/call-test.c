// SPDX-License-Identifier: Apache-2.0
/* One Varlink call: its envelope, and what it is refused for. */
#include "expect.h"
#include "util/cleanup.h"

#include <stdio.h>

static void a_call_without_parameters_is_taken(void **state)
{
	requested("{\"method\":\"io.dmuser.Ping\"}", 0, PARSER_METHOD_PING);
	requested("{\"method\":\"io.dmuser.Ping\",\"parameters\":{}}", 0, PARSER_METHOD_PING);
	requested("{\"method\":\"io.dmuser.Ping\",\"parameters\":null}", 0, PARSER_METHOD_PING);
	requested("{\"parameters\":{},\"method\":\"io.dmuser.\\u0050ing\"}", 0, PARSER_METHOD_PING);
}

static void flags_are_passed_on(void **state)
{
	const struct parser_message *m;

	m = requested("{\"method\":\"io.dmuser.Ping\"}", 0, PARSER_METHOD_PING);
	assert_int_equal(m->flags, 0);
	m = requested("{\"method\":\"io.dmuser.Ping\",\"more\":true}", 0, PARSER_METHOD_PING);
	assert_int_equal(m->flags, PARSER_CALL_MORE);
	m = requested("{\"method\":\"io.dmuser.Ping\",\"oneway\":true,\"more\":false}", 0,
		      PARSER_METHOD_PING);
	assert_int_equal(m->flags, PARSER_CALL_ONEWAY);
	m = requested("{\"method\":\"io.dmuser.Ping\",\"more\":null,\"upgrade\":false}", 0,
		      PARSER_METHOD_PING);
	assert_int_equal(m->flags, 0);
}

static void a_refusal_still_says_whether_an_answer_is_wanted(void **state)
{
	static const char *const bad[] = {
		"\"parameters\":{\"x\":1}",	    /* unknown field */
		"\"parameters\":{\"x\":1,\"x\":1}", /* repeated */
		"\"parameters\":{\"x\":9999999999999999999}",
	};
	const struct parser_message *m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char json[256];

		snprintf(json, sizeof(json), "{\"method\":\"io.dmuser.Ping\",%s,\"oneway\":true}",
			 bad[i]);
		m = parse(json, 0);
		expect_refusal(m, PARSER_REFUSED_INVALID_PARAMETER, false, "x");
		assert_int_equal(m->flags, PARSER_CALL_ONEWAY);
	}
	m = parse("{\"method\":\"io.dmuser.Nothing\",\"oneway\":true}", 0);
	expect_refusal(m, PARSER_REFUSED_METHOD_NOT_FOUND, false, "io.dmuser.Nothing");
	assert_int_equal(m->flags, PARSER_CALL_ONEWAY);
}

static void an_unknown_method_is_named(void **state)
{
	expect_refusal(parse("{\"method\":\"io.dmuser.Nothing\"}", 0),
		       PARSER_REFUSED_METHOD_NOT_FOUND, false, "io.dmuser.Nothing");
	expect_refusal(parse("{\"method\":\"io.dmuser.ping\"}", 0), PARSER_REFUSED_METHOD_NOT_FOUND,
		       false, "io.dmuser.ping");
	expect_refusal(parse("{\"method\":\"io.dmuser.\"}", 0), PARSER_REFUSED_METHOD_NOT_FOUND,
		       false, "io.dmuser.");
	expect_refusal(parse("{\"method\":\"org.varlink.service.Ping\"}", 0),
		       PARSER_REFUSED_METHOD_NOT_FOUND, false, "org.varlink.service.Ping");
	expect_refusal(parse("{\"method\":\"io.dmuser.GetInfo\"}", 0),
		       PARSER_REFUSED_METHOD_NOT_FOUND, false, "io.dmuser.GetInfo");
}

static void an_unknown_interface_is_named(void **state)
{
	expect_refusal(parse("{\"method\":\"org.example.Ping\"}", 0),
		       PARSER_REFUSED_INTERFACE_NOT_FOUND, false, "org.example");
	expect_refusal(parse("{\"method\":\"io.dmuser.x.Ping\"}", 0),
		       PARSER_REFUSED_INTERFACE_NOT_FOUND, false, "io.dmuser.x");
	expect_refusal(parse("{\"method\":\"io.dmuse.Ping\"}", 0),
		       PARSER_REFUSED_INTERFACE_NOT_FOUND, false, "io.dmuse");
	expect_refusal(parse("{\"method\":\".Ping\"}", 0), PARSER_REFUSED_INTERFACE_NOT_FOUND,
		       false, "");
}

static void a_name_too_long_to_repeat_is_cut(void **state)
{
	char json[1200], expected[PARSER_TEXT_SIZE];

	memset(expected, 'x', sizeof(expected) - 1);
	expected[sizeof(expected) - 1] = '\0';
	snprintf(json, sizeof(json), "{\"method\":\"%s%s.y\"}", expected, expected);
	expect_refusal(parse(json, 0), PARSER_REFUSED_INTERFACE_NOT_FOUND, false, expected);
	memcpy(expected, "io.dmuser.", 10);
	snprintf(json, sizeof(json), "{\"method\":\"%sxxx\"}", expected);
	expect_refusal(parse(json, 0), PARSER_REFUSED_METHOD_NOT_FOUND, false, expected);
}

static void a_method_without_an_interface_ends_the_connection(void **state)
{
	ends("{\"method\":\"Ping\"}", "method");
	ends("{\"method\":\"\"}", "method");
}

static void a_message_without_a_method_ends_the_connection(void **state)
{
	ends("{}", "method");
	ends("{\"method\":null}", "method");
	ends("{\"parameters\":{}}", "method");
}

static void an_envelope_of_wrong_types_ends_the_connection(void **state)
{
	ends("{\"method\":1}", "method");
	ends("{\"method\":[\"io.dmuser.Ping\"]}", "method");
	ends("{\"method\":\"io.dmuser.Ping\",\"parameters\":[]}", "parameters");
	ends("{\"method\":\"io.dmuser.Ping\",\"parameters\":\"\"}", "parameters");
	ends("{\"method\":\"io.dmuser.Ping\",\"more\":1}", "more");
	ends("{\"method\":\"io.dmuser.Ping\",\"oneway\":\"true\"}", "oneway");
	ends("{\"method\":\"io.dmuser.Ping\",\"upgrade\":{}}", "upgrade");
}

static void an_unknown_envelope_key_ends_the_connection(void **state)
{
	ends("{\"method\":\"io.dmuser.Ping\",\"continues\":true}", "continues");
	ends("{\"method\":\"io.dmuser.Ping\",\"x\":null}", "x");
	ends("{\"Method\":\"io.dmuser.Ping\"}", "Method");
}

static void many_answers_and_none_at_once_ends_the_connection(void **state)
{
	ends("{\"method\":\"io.dmuser.Ping\",\"more\":true,\"oneway\":true}", "oneway");
}

static void upgrade_is_refused(void **state)
{
	refuses("{\"method\":\"io.dmuser.Ping\",\"upgrade\":true}", "upgrade");
}

static void a_repeated_envelope_key_ends_the_connection(void **state)
{
	ends("{\"method\":\"io.dmuser.Ping\",\"method\":\"io.dmuser.List\"}", "method");
	ends("{\"oneway\":false,\"method\":\"io.dmuser.Ping\",\"oneway\":true}", "oneway");
	ends("{\"parameters\":{},\"method\":\"io.dmuser.Ping\",\"parameters\":{}}", "parameters");
}

static void a_repeated_parameter_is_named(void **state)
{
	refuses(CALL("Describe", "\"name\":\"a\",\"name\":\"b\""), "name");
	refuses(CALL("Describe", "\"name\":\"a\",\"n\\u0061me\":\"b\""), "name");
	refuses(CALL("Create", "\"options\":{\"path\":\"a\",\"path\":\"b\"}"), "options.path");
	refuses(CALL("Bind", "\"container\":{\"id\":\"a\",\"pidfd\":0,\"id\":\"b\"}"),
		"container.id");
}

static void what_json_c_takes_too_kindly_is_refused_by_parameter(void **state)
{
	refuses(CALL("Create", "\"size_bytes\":99999999999999999999999"), "size_bytes");
	refuses(CALL("Create", "\"size_bytes\":\"12junk\""), "size_bytes");
	refuses(CALL("Create", "\"na\\u0000me\":\"v\""), "na\xef\xbf\xbdme");
	refuses(CALL("Describe", "\"name\":\"v\\u0000\""), "name");
	refuses(CALL("Describe", "\"name\":\"\\ud800\""), "name");

	ends(CALL("Create", "\"size_bytes\":12junk"), "size_bytes");
	ends(CALL("Create", "\"size_bytes\":NaN"), "size_bytes");
	ends(CALL("Create", "\"size_bytes\":Infinity"), "size_bytes");
	ends(CALL("Create", "\"size_bytes\":010"), "size_bytes");
	ends(CALL("Create", "\"name\":'v'"), "name");
	ends(CALL("Create", "'name':\"v\""), "parameters");
	ends(CALL("Create", "\"name\":/**/\"v\""), "name");
	ends(CALL("Create", "\"name\":\"\xc0\xaf\""), "name");
	ends(CALL("Create", "\"name\":\"a\nb\""), "name");
	ends(CALL("Create", "\"options\":{\"path\":\"\x01\"}"), "options.path");
	ends("{\"method\":'io.dmuser.Ping'}", "method");
}

static void a_text_that_is_no_object_is_no_call(void **state)
{
	is_no_call(BYTES(""));
	is_no_call(BYTES("GET / HTTP/1.1\r\n"));
	is_no_call(BYTES("[]"));
	is_no_call(BYTES("{"));
	is_no_call(BYTES("{\"method\":\"io.dmuser.Ping\"} x"));
	is_no_call(BYTES("{\"method\":\"io.dmuser.Ping\"}{}"));
	is_no_call(BYTES("\xff\xfe"));
	is_no_call(BYTES("{\"method\":\"io.dmuser.Ping\"}\0"));
}

static void depth_and_count_beyond_the_limits_end_the_connection(void **state)
{
	ends(CALL("Create", "\"options\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"),
	     "options[0][0][0][0][0][0][0][0][0][0][0][0][0][0]");
}

static void a_message_of_a_megabyte_is_read_and_one_more_byte_is_not(void **state)
{
	static char json[PARSER_MESSAGE_MAX_BYTES + 1];
	static const char head[] = "{\"method\":\"io.dmuser.Ping\",\"parameters\":{\"x\":\"";
	static const char tail[] = "\"}}";

	memset(json, ' ', sizeof(json));
	memset(json, 'x', sizeof(json) - 1);
	memcpy(json, head, sizeof(head) - 1);
	memcpy(json + sizeof(json) - sizeof(tail), tail, sizeof(tail) - 1);
	expect_refusal(parse_bytes(json, sizeof(json) - 1, 0), PARSER_REFUSED_INVALID_PARAMETER,
		       false, "x");
	json[sizeof(json) - 1] = ' ';
	is_no_call(json, sizeof(json));
}

static void descriptors_that_nothing_names_are_refused(void **state)
{
	expect_refusal(parse("{\"method\":\"io.dmuser.Ping\"}", 1),
		       PARSER_REFUSED_INVALID_PARAMETER, false, "fds");
	expect_refusal(
		parse(CALL("Bind", "\"name\":\"v\",\"container\":{\"id\":\"c\",\"pidfd\":0}"), 2),
		PARSER_REFUSED_INVALID_PARAMETER, false, "fds");
	expect_refusal(
		parse(CALL("Bind", "\"name\":\"v\",\"container\":{\"id\":\"c\",\"pidfd\":1}"), 2),
		PARSER_REFUSED_INVALID_PARAMETER, false, "fds");
	expect_refusal(parse(CALL("Ping", ""), PARSER_FDS_MAX), PARSER_REFUSED_INVALID_PARAMETER,
		       false, "fds");
}

static void nothing_of_a_refused_call_is_passed_on(void **state)
{
	struct parser_message empty = {};
	const struct parser_message *m = parse(
		CALL("Create",
		     "\"name\":\"v\",\"backend\":\"b\",\"options\":{\"path\":\"secret\"},\"x\":1"),
		0);

	expect_refusal(m, PARSER_REFUSED_INVALID_PARAMETER, false, "x");
	assert_int_equal(m->method, 0);
	assert_memory_equal(&m->create, &empty.create, sizeof(empty.create));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_without_parameters_is_taken),
		cmocka_unit_test(flags_are_passed_on),
		cmocka_unit_test(a_refusal_still_says_whether_an_answer_is_wanted),
		cmocka_unit_test(an_unknown_method_is_named),
		cmocka_unit_test(an_unknown_interface_is_named),
		cmocka_unit_test(a_name_too_long_to_repeat_is_cut),
		cmocka_unit_test(a_method_without_an_interface_ends_the_connection),
		cmocka_unit_test(a_message_without_a_method_ends_the_connection),
		cmocka_unit_test(an_envelope_of_wrong_types_ends_the_connection),
		cmocka_unit_test(an_unknown_envelope_key_ends_the_connection),
		cmocka_unit_test(many_answers_and_none_at_once_ends_the_connection),
		cmocka_unit_test(upgrade_is_refused),
		cmocka_unit_test(a_repeated_envelope_key_ends_the_connection),
		cmocka_unit_test(a_repeated_parameter_is_named),
		cmocka_unit_test(what_json_c_takes_too_kindly_is_refused_by_parameter),
		cmocka_unit_test(a_text_that_is_no_object_is_no_call),
		cmocka_unit_test(depth_and_count_beyond_the_limits_end_the_connection),
		cmocka_unit_test(a_message_of_a_megabyte_is_read_and_one_more_byte_is_not),
		cmocka_unit_test(descriptors_that_nothing_names_are_refused),
		cmocka_unit_test(nothing_of_a_refused_call_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
