// SPDX-License-Identifier: Apache-2.0
/* What the hook says of its trouble: whole, or cut where one can see it. */
#include "cmocka-all.h"
#include "ctl/oci-hook/trouble.h"

#include <stdio.h>
#include <string.h>

static void every_step_has_room(void **state)
{
	struct trouble t = {};
	char reason[TROUBLE_REASON_SIZE];

	trouble_step(&t, "v1", "releasing after a failure");
	trouble_set(&t, -1, "it failed");
	trouble_reason(&t, reason);
	assert_string_equal(reason, "volume v1: releasing after a failure: it failed");
}

/* "word word … word…" of that many bytes and more. */
static void fill(char *text, size_t size)
{
	for (size_t used = 0; used + 5 < size; used += 5)
		strcpy(text + used, "word ");
}

static void what_does_not_fit_is_cut_behind_a_word(void **state)
{
	char text[3000], reason[TROUBLE_REASON_SIZE], *end;
	struct trouble t = {};

	fill(text, sizeof(text));
	trouble_step(&t, "v1", "formatting");
	trouble_set(&t, -1, "%s", text);
	trouble_hint(&t, "%s", text);
	trouble_reason(&t, reason);
	for (size_t i = 0; i < 3; i++) {
		end = strstr((char *const[]){ t.message, t.hint, reason }[i], "…");
		assert_non_null(end);
		assert_int_equal(end[strlen("…")], 0);
		assert_memory_equal(end - 5, " word", 5);
	}
	/* What it is about comes first. */
	assert_ptr_equal(strstr(reason, "volume v1: formatting: word"), reason);
}

static void one_long_word_is_cut_between_characters(void **state)
{
	char text[3000] = "";
	struct trouble t = {};
	size_t length;

	for (size_t used = 1; used + 2 < sizeof(text); used += 2)
		strcpy(text + used, "ä");
	text[0] = 'x';
	trouble_set(&t, -1, "%s", text);
	length = strlen(t.message);
	assert_true(length > sizeof(t.message) - 6 && length < sizeof(t.message));
	assert_string_equal(t.message + length - strlen("ä…"), "ä…");
}

static void what_fits_is_whole(void **state)
{
	struct trouble t = {};

	trouble_set_errno(&t, -2, "%s", "a b c");
	assert_string_equal(t.message, "a b c: No such file or directory");
	/* The first is the cause. */
	trouble_set(&t, -1, "another");
	assert_string_equal(t.message, "a b c: No such file or directory");
}

/* "word word … w" of just that many bytes. */
static const char *words_of(size_t length)
{
	static char text[2048];

	assert_true(length < sizeof(text));
	for (size_t i = 0; i < length; i++)
		text[i] = "word "[i % 5];
	text[length - 1] = 'w';
	text[length] = 0;
	return text;
}

static void what_just_fits_is_whole(void **state)
{
	/* "volume v1: formatting: " */
	const size_t head = 23;
	struct trouble t = {};
	char reason[TROUBLE_REASON_SIZE];

	trouble_set(&t, -1, "%s", words_of(sizeof(t.message) - 1));
	assert_string_equal(t.message, words_of(sizeof(t.message) - 1));
	trouble_hint(&t, "%s", words_of(sizeof(t.hint) - 1));
	assert_string_equal(t.hint, words_of(sizeof(t.hint) - 1));

	t = (struct trouble){};
	trouble_step(&t, "v1", "formatting");
	trouble_set(&t, -1, "%s", words_of(sizeof(reason) - 1 - head));
	trouble_reason(&t, reason);
	assert_string_equal(reason + head, words_of(sizeof(reason) - 1 - head));
}

static void one_byte_more_is_cut(void **state)
{
	struct trouble t = {};
	char reason[TROUBLE_REASON_SIZE];

	trouble_set(&t, -1, "%s", words_of(sizeof(t.message)));
	trouble_hint(&t, "%s", words_of(sizeof(t.hint)));
	assert_string_equal(t.message + strlen(t.message) - strlen(" word…"), " word…");
	assert_string_equal(t.hint + strlen(t.hint) - strlen(" word…"), " word…");
	t = (struct trouble){};
	trouble_set(&t, -1, "%s", words_of(sizeof(reason)));
	trouble_reason(&t, reason);
	assert_string_equal(reason + strlen(reason) - strlen(" word…"), " word…");
}

static void what_caused_it_is_never_cut(void **state)
{
	static const char cause[] = ": No such file or directory";
	const size_t room = sizeof(((struct trouble *)NULL)->message) - sizeof(cause);
	struct trouble t = {};
	char *behind;

	trouble_set_errno(&t, -2, "%s", words_of(room));
	assert_int_equal(strlen(t.message), sizeof(t.message) - 1);
	assert_memory_equal(t.message, words_of(room), room);
	assert_string_equal(t.message + room, cause);
	for (size_t more = 1; more < 700; more += 13) {
		t = (struct trouble){};
		trouble_set_errno(&t, -2, "%s", words_of(room + more));
		behind = strstr(t.message, "…");
		assert_non_null(behind);
		assert_memory_equal(behind - strlen(" word"), " word", strlen(" word"));
		assert_string_equal(behind + strlen("…"), cause);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_has_room),
		cmocka_unit_test(what_does_not_fit_is_cut_behind_a_word),
		cmocka_unit_test(one_long_word_is_cut_between_characters),
		cmocka_unit_test(what_fits_is_whole),
		cmocka_unit_test(what_just_fits_is_whole),
		cmocka_unit_test(one_byte_more_is_cut),
		cmocka_unit_test(what_caused_it_is_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
