// SPDX-License-Identifier: Apache-2.0
/* Quantities, escaping and tables: what people type, and what they are shown. */
#include "cmocka-all.h"
#include "ctl/escape.h"
#include "ctl/nearest.h"
#include "ctl/object.h"
#include "ctl/quantity.h"
#include "ctl/shell-word.h"
#include "ctl/table.h"
#include "util/cleanup.h"

#include <string.h>

static void sizes_are_taken_strictly(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "1K", 0, 1024 },
		{ "64M", 0, 64ull << 20 },
		{ "3G", 0, 3ull << 30 },
		{ "2T", 0, 2ull << 40 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "8388607T", 0, 8388607ull << 40 },
		{ "8388608T", -ERANGE, 0 },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "1MiB", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "12junk", -EINVAL, 0 },
		{ "1E", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t bytes = 0;
		int r = quantity_parse_size(cases[i].text, &bytes);

		if (r != cases[i].result || bytes != cases[i].bytes)
			fail_msg("'%s' gave %d, %ju", cases[i].text, r, (uintmax_t)bytes);
	}
}

static void times_are_taken_strictly(void **state)
{
	static const struct {
		const char *text;
		int result, ms;
	} cases[] = {
		{ "0", 0, 0 },       { "5", 0, 5000 },       { "5s", 0, 5000 },
		{ "200ms", 0, 200 }, { "infinity", 0, -1 },  { "86400", 0, 86400000 },
		{ "86401", -ERANGE, 7 }, { "5m", -EINVAL, 7 }, { "-1", -EINVAL, 7 },
		{ "", -EINVAL, 7 },  { "ms", -EINVAL, 7 },   { "5 s", -EINVAL, 7 },
		{ "99999999999999999999", -ERANGE, 7 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int ms = 7;
		int r = quantity_parse_time(cases[i].text, &ms);

		if (r != cases[i].result || ms != cases[i].ms)
			fail_msg("'%s' gave %d, %d", cases[i].text, r, ms);
	}
}

static void sizes_are_shown_exactly(void **state)
{
	char text[24];

	assert_string_equal(quantity_format_size(0, text), "0");
	assert_string_equal(quantity_format_size(1000, text), "1000");
	assert_string_equal(quantity_format_size(1536, text), "1536");
	assert_string_equal(quantity_format_size(64 << 20, text), "64M");
	assert_string_equal(quantity_format_size(1ull << 50, text), "1024T");
	assert_string_equal(quantity_format_size(UINT64_MAX, text), "18446744073709551615");
}

static void nothing_in_a_text_acts_on_the_terminal(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "plain-1.2_x", "plain-1.2_x" },
		{ "gr\u00fc\u00dfe \u6f22", "gr\u00fc\u00dfe \u6f22" },
		{ "\x1b[2J", "\\x1b[2J" },
		{ "a\nb\r\t", "a\\x0ab\\x0d\\x09" },
		{ "\x7f", "\\x7f" },
		{ "\xc2\x9b[m", "\\u009b[m" },
		{ "a\u202egpj", "a\\u202egpj" },
		{ "\u200b", "\\u200b" },
		{ "back\\slash", "back\\\\slash" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" },         /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "cut\xe2\x82", "cut\\xe2\\x82" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char shown[128];

		assert_string_equal(escape_text(cases[i].text, shown, sizeof(shown)),
				    cases[i].shown);
	}
}

static void a_text_too_long_is_cut_at_a_whole_character(void **state)
{
	char shown[6];

	assert_string_equal(escape_text("abcd\x1b", shown, sizeof(shown)), "abcd");
	assert_string_equal(escape_text("abcd\u00fc", shown, sizeof(shown)), "abcd");
	assert_string_equal(escape_text("abcde", shown, sizeof(shown)), "abcde");
}

static void json_keeps_its_meaning_without_acting_on_the_terminal(void **state)
{
	static const char text[] = "\x1b[2J \x7f \xc2\x9b \u202e \U000e0041 \u00fc \"\\";
	struct json_object *object = object_new(), *back;
	char *written;
	size_t size;
	FILE *file = open_memstream(&written, &size);

	object_set_string(object, "x", text);
	escape_json(file, object, 0);
	fclose(file);
	for (size_t i = 0; i + 1 < size; i++)
		assert_true((unsigned char)written[i] >= 0x20 && written[i] != 0x7f);
	assert_null(strstr(written, "\xc2\x9b"));
	assert_null(strstr(written, "\u202e"));
	assert_int_equal(object_parse(written, size, &back), 0);
	assert_string_equal(object_string(back, "x", ""), text);
	json_object_put(back);
	json_object_put(object);
	free(written);
}

static void a_table_aligns_characters_and_escapes_cells(void **state)
{
	static const char *const headings[] = { "A", "B" };
	struct table *table = table_new(headings, 2);
	char *written;
	size_t size;
	FILE *file = open_memstream(&written, &size);

	table_add(table, "\u00fc\u00fc\u00fc");
	table_add(table, "\x1b");
	table_add(table, "");
	table_add(table, "y");
	table_print(table, file);
	fclose(file);
	assert_string_equal(written, "A    B\n\u00fc\u00fc\u00fc  \\x1b\n-    y\n");
	table_free(table);
	free(written);
}

static void a_word_that_was_meant_is_found(void **state)
{
	static const char *const words[] = { "create",	   "list", "release",
					     "block-size", "size", "read-only" };
	static const struct {
		const char *word, *meant; /* NULL: nothing is near */
	} cases[] = {
		{ "relase", "release" }, { "crate", "create" },   { "lsit", "list" },
		{ "sise", "size" },      { "rel", "release" },    { "blocksize", "block-size" },
		{ "siz", "size" },       { "readonly", "read-only" }, { "frobnicate", NULL },
		{ "x", NULL },           { "", NULL },            { "mount", NULL },
		{ "releaserelease", NULL }, { "LIST", "list" },   { "CRATE", "create" },
		{ "a-word-that-is-longer-than-any-command-or-option-is", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nearest n = { .word = cases[i].word };

		for (size_t j = 0; j < ARRAY_SIZE(words); j++)
			nearest_offer(&n, words[j]);
		if (cases[i].meant ? !n.best || strcmp(n.best, cases[i].meant) != 0 :
				     n.best != NULL)
			fail_msg("'%s' gave '%s'", cases[i].word, n.best ? n.best : "nothing");
	}
}

static void a_shell_takes_any_text_for_one_word(void **state)
{
	char word[64];

	assert_string_equal(shell_word("/srv/a-b_c.img", word, sizeof(word)), "/srv/a-b_c.img");
	assert_string_equal(shell_word("a b", word, sizeof(word)), "'a b'");
	assert_string_equal(shell_word("it's; $x", word, sizeof(word)), "'it'\\''s; $x'");
	assert_string_equal(shell_word("", word, sizeof(word)), "''");
}

static void json_is_one_value_and_nothing_else(void **state)
{
	static const char *const bad[] = {
		"", "{", "{} {}", "{}x", "{\"a\":1,}", "{\"a\":\"\xff\"}"
	};
	struct json_object *object;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (object_parse(bad[i], strlen(bad[i]), &object) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(object_parse("{}\0", 3, &object), -EINVAL);
	assert_int_equal(object_parse(" {} \n", 5, &object), 0);
	json_object_put(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_taken_strictly),
		cmocka_unit_test(times_are_taken_strictly),
		cmocka_unit_test(sizes_are_shown_exactly),
		cmocka_unit_test(nothing_in_a_text_acts_on_the_terminal),
		cmocka_unit_test(a_text_too_long_is_cut_at_a_whole_character),
		cmocka_unit_test(json_keeps_its_meaning_without_acting_on_the_terminal),
		cmocka_unit_test(a_table_aligns_characters_and_escapes_cells),
		cmocka_unit_test(a_word_that_was_meant_is_found),
		cmocka_unit_test(a_shell_takes_any_text_for_one_word),
		cmocka_unit_test(json_is_one_value_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
