// SPDX-License-Identifier: Apache-2.0
/* What json-c takes too kindly, and the strict look at the bytes does not. */
#include "expect.h"
#include "dmuserd/parser/text.h"
#include "dmuserd/parser/utf8.h"
#include "util/cleanup.h"

#include <stdio.h>

static struct text room;

/* What the check alone says, with the place in *ret_where. */
static int check(const char *json, struct path *ret_where)
{
	path_clear(ret_where);
	return text_check(&room, json, strlen(json), ret_where);
}

static void accepts_text(const char *json)
{
	struct path where;

	if (check(json, &where))
		fail_msg("refused at \"%s\": %s", where.text, json);
}

static void refuses_text(const char *json, int verdict, const char *place)
{
	struct path where;

	if (check(json, &where) != verdict)
		fail_msg("not verdict %d: %s", verdict, json);
	assert_string_equal(where.text, place);
}

static void every_kind_of_value_is_json(void **state)
{
	accepts_text("{}");
	accepts_text(" \t\r\n{ \"a\" : [ ] , \"b\":{}, \"c\":[1,\"x\",null,true,false,[{}]] } \n");
	accepts_text(
		"{\"a\":0,\"b\":-0,\"c\":-1,\"d\":10,\"e\":0.5,\"f\":1e3,\"g\":-1.25E-2}");
	accepts_text("{\"a\":\"\",\"b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"}");
	accepts_text("{\"\":1}");
	accepts_text("{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
	accepts_text("{\"a\":\"é €😀\x7f\"}");
}

static void a_broken_text_names_the_place_where_it_breaks(void **state)
{
	refuses_text("", TEXT_BROKEN, "");
	refuses_text("{", TEXT_BROKEN, "");
	refuses_text("}", TEXT_BROKEN, "");
	refuses_text("{\"a\"", TEXT_BROKEN, "a");
	refuses_text("{\"a\":", TEXT_BROKEN, "a");
	refuses_text("{\"a\":1", TEXT_BROKEN, "a");
	refuses_text("{\"a\":1,}", TEXT_BROKEN, "");
	refuses_text("{,\"a\":1}", TEXT_BROKEN, "");
	refuses_text("{\"a\" 1}", TEXT_BROKEN, "a");
	refuses_text("{a:1}", TEXT_BROKEN, "");
	refuses_text("{1:1}", TEXT_BROKEN, "");
	refuses_text("{\"a\":[1,]}", TEXT_BROKEN, "a[1]");
	refuses_text("{\"a\":[1 2]}", TEXT_BROKEN, "a[0]");
	refuses_text("{\"a\":[{\"b\":]}]}", TEXT_BROKEN, "a[0].b");
	refuses_text("{\"a\":{\"b\":[1}}", TEXT_BROKEN, "a.b[0]");
}

static void text_after_the_end_is_refused(void **state)
{
	refuses_text("{} {}", TEXT_BROKEN, "");
	refuses_text("{}x", TEXT_BROKEN, "");
	refuses_text("{}}", TEXT_BROKEN, "");
	refuses_text("{}//", TEXT_BROKEN, "");
}

static void only_an_object_is_a_message(void **state)
{
	refuses_text("[]", TEXT_BROKEN, "");
	refuses_text("\"a\"", TEXT_BROKEN, "");
	refuses_text("1", TEXT_BROKEN, "");
	refuses_text("null", TEXT_BROKEN, "");
	refuses_text("true", TEXT_BROKEN, "");
}

static void words_that_are_not_json_are_refused(void **state)
{
	static const char *const words[] = {
		"NaN", "nan",	"Infinity", "-Infinity", "inf", "True", "TRUE",	 "Null",
		"nul", "nulll", "tru",	    "undefined", "'a'", "0x10", "/**/1", "//\n1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char json[64], in_array[64];

		snprintf(json, sizeof(json), "{\"a\":%s}", words[i]);
		snprintf(in_array, sizeof(in_array), "{\"b\":[%s]}", words[i]);
		refuses_text(json, TEXT_BROKEN, "a");
		refuses_text(in_array, TEXT_BROKEN, "b[0]");
	}
}

static void numbers_follow_the_grammar(void **state)
{
	static const char *const numbers[] = {
		"01", "-01", "00",   "+1",  ".5",     "1.",    "-",
		"1e", "1e+", "1.e3", "--1", "12junk", "1_000", "1 2"
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"a\":%s}", numbers[i]);
		refuses_text(json, TEXT_BROKEN, "a");
	}
}

static void an_integer_beyond_64_bits_is_refused_by_name(void **state)
{
	refuses_text("{\"n\":9223372036854775808}", TEXT_REFUSED, "n");
	refuses_text("{\"n\":-9223372036854775809}", TEXT_REFUSED, "n");
	refuses_text("{\"n\":18446744073709551615}", TEXT_REFUSED, "n");
	refuses_text("{\"n\":99999999999999999999999}", TEXT_REFUSED, "n");
	refuses_text("{\"a\":[0,99999999999999999999999]}", TEXT_REFUSED, "a[1]");
}

static void a_repeated_key_is_refused_at_every_level(void **state)
{
	refuses_text("{\"a\":1,\"a\":1}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":1,\"b\":2,\"a\":1}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":{\"b\":1,\"c\":{},\"b\":2}}", TEXT_REFUSED, "a.b");
	refuses_text("{\"x\":[{\"b\":1},{\"b\":1,\"b\":2}]}", TEXT_REFUSED, "x[1].b");
	refuses_text("{\"\":1,\"\":1}", TEXT_REFUSED, "");
	/* In different objects it is no repetition. */
	accepts_text("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}");
	accepts_text("{\"a\":{\"b\":1},\"b\":1}");
	accepts_text("{\"a\":1,\"A\":1,\"aa\":1}");
}

static void a_key_repeated_in_escapes_is_still_repeated(void **state)
{
	refuses_text("{\"name\":1,\"n\\u0061me\":2}", TEXT_REFUSED, "name");
	refuses_text("{\"é\":1,\"\\u00e9\":2}", TEXT_REFUSED, "é");
	refuses_text("{\"😀\":1,\"\\ud83d\\ude00\":2}", TEXT_REFUSED, "😀");
	refuses_text("{\"/\":1,\"\\/\":2}", TEXT_REFUSED, "/");
}

static void a_nul_in_a_string_is_refused(void **state)
{
	refuses_text("{\"a\":\"x\\u0000y\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\\u0000b\":1}", TEXT_REFUSED,
		     "a\xef\xbf\xbd"
		     "b");
	refuses_text("{\"x\":{\"a\\u0000\":1}}", TEXT_REFUSED, "x.a\xef\xbf\xbd");
	accepts_text("{\"a\":\"\\u0001\\\\u0000\"}");
}

static void a_nul_byte_is_refused(void **state)
{
	struct path where;

	assert_int_equal(text_check(&room, BYTES("{\"a\":\"\0\"}"), &where), TEXT_BROKEN);
	assert_string_equal(where.text, "a");
	assert_int_equal(text_check(&room, BYTES("{}\0"), &where), TEXT_BROKEN);
}

static void control_characters_in_strings_are_refused(void **state)
{
	for (char c = 1; c < 0x20; c++) {
		char json[] = "{\"a\":\"x?y\"}";

		*strchr(json, '?') = c;
		refuses_text(json, TEXT_BROKEN, "a");
	}
	refuses_text("{\"a\nb\":1}", TEXT_BROKEN, "a");
}

static void escapes_follow_the_grammar(void **state)
{
	static const char *const escapes[] = { "\\x2f",	  "\\0",     "\\'", "\\u",     "\\u12",
					       "\\u12g4", "\\U0041", "\\",  "\\u 041", "\\u-001" };

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"a\":\"%s\"}", escapes[i]);
		refuses_text(json, TEXT_BROKEN, "a");
	}
}

static void half_a_surrogate_pair_is_refused(void **state)
{
	refuses_text("{\"a\":\"\\ud83d\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ud83dx\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ud83d\\n\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ud83d\\ud83d\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ude00\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ude00\\ud83d\"}", TEXT_REFUSED, "a");
	refuses_text("{\"a\":\"\\ud83d\\u12\"}", TEXT_BROKEN, "a");
}

static void invalid_utf8_is_refused(void **state)
{
	static const char *const wrong[] = {
		"\x80",
		"\xbf",
		"\xff",
		"\xfe",
		"\xc0\xaf",	    /* overlong '/' in two bytes */
		"\xe0\x80\xaf",	    /* in three */
		"\xf0\x80\x80\xaf", /* in four */
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf", /* the largest overlong ones */
		"\xc0\x80",	    /* NUL the way Java writes it */
		"\xed\xa0\x80",
		"\xed\xbf\xbf",	    /* surrogates */
		"\xf4\x90\x80\x80", /* U+110000 */
		"\xf8\x88\x80\x80\x80",
		"\xfc\x84\x80\x80\x80\x80",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98", /* cut short by the quote */
		"\xc3x",
		"\xe2\x82x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char json[64];

		snprintf(json, sizeof(json), "{\"a\":\"%s\"}", wrong[i]);
		refuses_text(json, TEXT_BROKEN, "a");
		snprintf(json, sizeof(json), "{\"k%s\":1}", wrong[i]);
		refuses_text(json, TEXT_BROKEN, "k");
		/* The text may end in the middle of a character, too. */
		snprintf(json, sizeof(json), "{\"a\":\"%s", wrong[i]);
		refuses_text(json, TEXT_BROKEN, "a");
	}
	refuses_text("\xef\xbb\xbf{}", TEXT_BROKEN, "");
}

static void utf8_is_written_as_it_is_read(void **state)
{
	static const uint32_t characters[] = { 1,      0x7f,   0x80,   0x7ff,	0x800,
					       0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff };
	static const size_t sizes[] = { 1, 1, 2, 2, 3, 3, 3, 3, 4, 4 };

	for (size_t i = 0; i < ARRAY_SIZE(characters); i++) {
		char bytes[UTF8_MAX];
		size_t size = utf8_encode(characters[i], bytes);

		assert_int_equal(size, sizes[i]);
		assert_int_equal(utf8_sequence(bytes, bytes + size), size);
		assert_int_equal(utf8_sequence(bytes, bytes + size - 1), 0);
	}
}

/* `{"a":` depth times, or `[`. */
static char *nested(size_t depth, bool arrays)
{
	const char *open = arrays ? "[" : "{\"a\":", *close = arrays ? "]" : "}";
	size_t step = strlen(open);
	char *json = room_for(depth * (step + 1) + 16), *at = json;

	at = stpcpy(at, "{\"a\":");
	for (size_t i = 1; i < depth; i++, at += step)
		memcpy(at, open, step);
	*at++ = '1';
	for (size_t i = 1; i < depth; i++)
		*at++ = *close;
	memcpy(at, "}", 2);
	return json;
}

static void depth_is_limited(void **state)
{
	for (int arrays = 0; arrays < 2; arrays++) {
		_cleanup_(freep) char *deepest = nested(TEXT_DEPTH_MAX, arrays);
		_cleanup_(freep) char *deeper = nested(TEXT_DEPTH_MAX + 1, arrays);
		_cleanup_(freep) char *absurd = nested(1000000, arrays);
		struct path where;

		accepts_text(deepest);
		assert_int_equal(check(deeper, &where), TEXT_BROKEN);
		assert_int_equal(where.depth, TEXT_DEPTH_MAX);
		assert_int_equal(check(absurd, &where), TEXT_BROKEN);
		assert_int_equal(where.depth, TEXT_DEPTH_MAX);
	}
}

/* {"a":[1,1,1]} with so many values in the array. */
static char *with_values(size_t count)
{
	char *json = room_for(2 * count + 16), *at = json;

	at = stpcpy(at, "{\"a\":[1");
	for (size_t i = 1; i < count; i++)
		at = stpcpy(at, ",1");
	stpcpy(at, "]}");
	return json;
}

static void the_number_of_values_is_limited(void **state)
{
	/* The object and the array are values, too. */
	_cleanup_(freep) char *most = with_values(TEXT_VALUES_MAX - 2);
	_cleanup_(freep) char *more = with_values(TEXT_VALUES_MAX - 1);

	accepts_text(most);
	refuses_text(more, TEXT_BROKEN, "a[1022]");
}

static void the_number_of_keys_is_limited(void **state)
{
	size_t count = TEXT_VALUES_MAX;
	_cleanup_(freep) char *json = room_for(count * 16);
	struct path where;
	char *at = json;

	at = stpcpy(at, "{\"k\":1");
	for (size_t i = 1; i < count; i++)
		at += sprintf(at, ",\"k%zu\":1", i);
	stpcpy(at, "}");
	assert_int_equal(check(json, &where), TEXT_BROKEN);
}

static void a_monstrous_key_is_refused(void **state)
{
	char json[2 * TEXT_KEY_MAX];
	struct path where;

	snprintf(json, sizeof(json), "{\"%0*d\":1}", TEXT_KEY_MAX - 1, 0);
	accepts_text(json);
	snprintf(json, sizeof(json), "{\"%0*d\":1}", TEXT_KEY_MAX, 0);
	assert_int_equal(check(json, &where), TEXT_REFUSED);
	assert_int_equal(where.len, TEXT_KEY_MAX);
}

static void a_place_too_long_to_name_is_cut_between_characters(void **state)
{
	struct path path = {};
	struct path_mark mark;
	char key[TEXT_KEY_MAX];

	for (size_t i = 0; i < sizeof(key); i += 2)
		memcpy(key + i, "é", 2);
	path_add_key(&path, "x", 1);
	mark = path_add_key(&path, key, sizeof(key));
	path_add_key(&path, key, sizeof(key));
	path_add_index(&path, 7);
	assert_int_equal(path.depth, 4);
	assert_in_range(path.len, PARSER_TEXT_SIZE - 4, PARSER_TEXT_SIZE - 1);
	for (size_t i = 0; i < path.len;) {
		size_t size = utf8_sequence(path.text + i, path.text + path.len);

		assert_int_not_equal(size, 0);
		i += size;
	}
	path_back(&path, mark);
	assert_string_equal(path.text, "x");
	assert_int_equal(path.depth, 1);
}

static void a_place_holds_no_control_character(void **state)
{
	struct path path = {};

	path_add_key(&path, "a\n\x1b[2J\x7f\xff", 8);
	assert_string_equal(path.text, "a??[2J??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_is_json),
		cmocka_unit_test(a_broken_text_names_the_place_where_it_breaks),
		cmocka_unit_test(text_after_the_end_is_refused),
		cmocka_unit_test(only_an_object_is_a_message),
		cmocka_unit_test(words_that_are_not_json_are_refused),
		cmocka_unit_test(numbers_follow_the_grammar),
		cmocka_unit_test(an_integer_beyond_64_bits_is_refused_by_name),
		cmocka_unit_test(a_repeated_key_is_refused_at_every_level),
		cmocka_unit_test(a_key_repeated_in_escapes_is_still_repeated),
		cmocka_unit_test(a_nul_in_a_string_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(control_characters_in_strings_are_refused),
		cmocka_unit_test(escapes_follow_the_grammar),
		cmocka_unit_test(half_a_surrogate_pair_is_refused),
		cmocka_unit_test(invalid_utf8_is_refused),
		cmocka_unit_test(utf8_is_written_as_it_is_read),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(the_number_of_values_is_limited),
		cmocka_unit_test(the_number_of_keys_is_limited),
		cmocka_unit_test(a_monstrous_key_is_refused),
		cmocka_unit_test(a_place_too_long_to_name_is_cut_between_characters),
		cmocka_unit_test(a_place_holds_no_control_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
