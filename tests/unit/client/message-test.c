// SPDX-License-Identifier: Apache-2.0
/* Varlink messages as text, without a socket. */
#include "api/client/message.h"
#include "api/dmuser.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void assert_call(const char *method, const char *parameters, unsigned int flags,
			const char *expected)
{
	struct json_object *p = parameters ? json_tokener_parse(parameters) : NULL;
	char *text;
	size_t size;

	assert_int_equal(message_format_call(method, p, flags, &text, &size), 0);
	assert_string_equal(text, expected);
	assert_int_equal(size, strlen(expected) + 1);
	free(text);
	json_object_put(p);
}

static void a_call_is_written_with_its_nul(void **state)
{
	assert_call("a.B", NULL, 0, "{\"method\":\"a.B\"}");
	assert_call("a.B", "{\"x\":1}", 0, "{\"method\":\"a.B\",\"parameters\":{\"x\":1}}");
}

static void flags_are_written_only_when_set(void **state)
{
	assert_call("a.B", NULL, DMUSER_CALL_MORE, "{\"method\":\"a.B\",\"more\":true}");
	assert_call("a.B", NULL, DMUSER_CALL_ONEWAY, "{\"method\":\"a.B\",\"oneway\":true}");
}

static void a_nul_in_a_parameter_does_not_end_the_message(void **state)
{
	struct json_object *p = json_object_new_object();
	char *text;
	size_t size;

	json_object_object_add(p, "x", json_object_new_string_len("a\0b", 3));
	assert_int_equal(message_format_call("a.B", p, 0, &text, &size), 0);
	assert_int_equal(strlen(text) + 1, size);
	assert_non_null(strstr(text, "a\\u0000b"));
	free(text);
	json_object_put(p);
}

static void a_call_needs_a_method_and_an_object(void **state)
{
	struct json_object *array = json_object_new_array();
	char *text;
	size_t size;

	assert_int_equal(message_format_call(NULL, NULL, 0, &text, &size), -EINVAL);
	assert_int_equal(message_format_call("", NULL, 0, &text, &size), -EINVAL);
	assert_int_equal(message_format_call("a.B", array, 0, &text, &size), -EINVAL);
	json_object_put(array);
}

static void a_call_beyond_the_limit_is_refused(void **state)
{
	struct json_object *p = json_object_new_object();
	char *big = malloc(DMUSER_CALL_MAX_BYTES);
	char *text;
	size_t size;

	memset(big, 'x', DMUSER_CALL_MAX_BYTES - 1);
	big[DMUSER_CALL_MAX_BYTES - 1] = 0;
	json_object_object_add(p, "x", json_object_new_string(big));
	assert_int_equal(message_format_call("a.B", p, 0, &text, &size), -E2BIG);
	free(big);
	json_object_put(p);
}

static void parameters_stay_the_callers(void **state)
{
	struct json_object *p = json_object_new_object();
	char *text;
	size_t size;

	assert_int_equal(message_format_call("a.B", p, 0, &text, &size), 0);
	free(text);
	assert_int_equal(json_object_put(p), 1);
}

static void a_good_reply_is_read(void **state)
{
	const char *text = "{\"parameters\":{\"x\":7},\"continues\":true}";
	struct message m;

	assert_int_equal(message_parse_reply(text, strlen(text), &m), 0);
	assert_null(m.error);
	assert_true(m.continues);
	assert_int_equal(json_object_get_int(json_object_object_get(m.parameters, "x")), 7);
	message_clear(&m);
}

static void a_reply_without_parameters_has_an_empty_object(void **state)
{
	struct message m;

	assert_int_equal(message_parse_reply("{}", 2, &m), 0);
	assert_int_equal(json_object_object_length(m.parameters), 0);
	assert_false(m.continues);
	message_clear(&m);
}

static void an_error_reply_is_read(void **state)
{
	const char *text = "{\"error\":\"io.dmuser.NoSuchVolume\",\"parameters\":{\"name\":\"a\"}}";
	struct message m;

	assert_int_equal(message_parse_reply(text, strlen(text), &m), 0);
	assert_string_equal(m.error, "io.dmuser.NoSuchVolume");
	message_clear(&m);
}

static void what_is_no_reply_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "[]", "1", "null", "\"x\"", "{", "{} x", "{}{}",
		"{\"parameters\":[]}", "{\"parameters\":null}", "{\"parameters\":1}",
		"{\"error\":1}", "{\"error\":null}", "{\"error\":\"a\\u0000b\"}",
		"{\"continues\":1}", "{\"continues\":\"true\"}",
		"{\"error\":\"a.B\",\"continues\":true}",
		"{\"a\":\"\xff\"}", "{\"a\":1,}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct message m;

		if (message_parse_reply(bad[i], strlen(bad[i]), &m) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
	}
}

static void deep_nesting_is_refused(void **state)
{
	char text[4096] = "{\"a\":";
	size_t n = strlen(text);
	struct message m;

	memset(text + n, '[', 1000);
	memset(text + n + 1000, ']', 1000);
	text[n + 2000] = '}';
	assert_int_equal(message_parse_reply(text, n + 2001, &m), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_written_with_its_nul),
		cmocka_unit_test(flags_are_written_only_when_set),
		cmocka_unit_test(a_nul_in_a_parameter_does_not_end_the_message),
		cmocka_unit_test(a_call_needs_a_method_and_an_object),
		cmocka_unit_test(a_call_beyond_the_limit_is_refused),
		cmocka_unit_test(parameters_stay_the_callers),
		cmocka_unit_test(a_good_reply_is_read),
		cmocka_unit_test(a_reply_without_parameters_has_an_empty_object),
		cmocka_unit_test(an_error_reply_is_read),
		cmocka_unit_test(what_is_no_reply_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
