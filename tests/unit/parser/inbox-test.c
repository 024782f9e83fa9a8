// SPDX-License-Identifier: Apache-2.0
/* Cutting a byte stream into messages, and whose descriptors are whose. */
#include "expect.h"
#include "dmuserd/parser/inbox.h"
#include "util/cleanup.h"

static struct inbox inbox;

static int start_empty(void **state)
{
	memset(&inbox, 0, sizeof(inbox));
	return 0;
}

/* Receives these bytes with n_fds descriptors, numbered from 100. */
static int receive(const char *bytes, size_t size, size_t n_fds)
{
	static const int fds[PARSER_FDS_MAX + 1] = { 100, 101, 102, 103, 104 };
	size_t space;
	char *to = inbox_space(&inbox, &space);

	assert_in_range(size, 0, space);
	memcpy(to, bytes, size);
	return inbox_received(&inbox, size, fds, n_fds);
}

static void expect_message(const char *expected)
{
	const char *message;
	size_t size;

	assert_int_equal(inbox_look(&inbox, &message, &size), INBOX_WHOLE);
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(message, expected, size);
}

static void expect_verdict(int verdict)
{
	const char *message;
	size_t size;

	assert_int_equal(inbox_look(&inbox, &message, &size), verdict);
}

static void a_nul_ends_a_message(void **state)
{
	expect_verdict(0);
	assert_false(inbox_has_begun(&inbox));
	assert_int_equal(receive(BYTES("ab"), 0), 0);
	assert_true(inbox_has_begun(&inbox));
	expect_verdict(0);
	assert_int_equal(receive(BYTES("c\0"), 0), 0);
	expect_message("abc");
	/* Looking changes nothing. */
	expect_message("abc");
	inbox_drop(&inbox);
	assert_false(inbox_has_begun(&inbox));
	expect_verdict(0);
}

static void bytes_behind_a_nul_belong_to_the_next_message(void **state)
{
	assert_int_equal(receive(BYTES("a\0\0bc\0d"), 0), 0);
	expect_message("a");
	inbox_drop(&inbox);
	expect_message("");
	inbox_drop(&inbox);
	expect_message("bc");
	inbox_drop(&inbox);
	expect_verdict(0);
	assert_int_equal(receive(BYTES("e\0"), 0), 0);
	expect_message("de");
}

static void every_way_to_cut_a_stream_gives_the_same_messages(void **state)
{
	static const char stream[] = "one\0two\0\0three";

	for (size_t cut = 1; cut < sizeof(stream); cut++) {
		static const char *const messages[] = { "one", "two", "", "three" };
		size_t next = 0, sent = 0;

		start_empty(NULL);
		while (next < ARRAY_SIZE(messages)) {
			const char *message;
			size_t size;

			if (inbox_look(&inbox, &message, &size)) {
				expect_message(messages[next++]);
				inbox_drop(&inbox);
				continue;
			}
			size = cut < sizeof(stream) - sent ? cut : sizeof(stream) - sent;
			assert_int_not_equal(size, 0);
			assert_int_equal(receive(stream + sent, size, 0), 0);
			sent += size;
		}
	}
}

static void a_message_may_fill_the_room_and_no_more(void **state)
{
	static const char byte = 'x', nul = '\0';

	for (size_t i = 0; i < PARSER_MESSAGE_MAX_BYTES; i++)
		assert_int_equal(receive(&byte, 1, 0), 0);
	expect_verdict(0);
	assert_int_equal(receive(&nul, 1, 0), 0);
	assert_true(inbox_has_begun(&inbox));
	{
		const char *message;
		size_t size;

		assert_int_equal(inbox_look(&inbox, &message, &size), INBOX_WHOLE);
		assert_int_equal(size, PARSER_MESSAGE_MAX_BYTES);
	}

	start_empty(NULL);
	for (size_t i = 0; i < PARSER_MESSAGE_MAX_BYTES + 1; i++)
		assert_int_equal(receive(&byte, 1, 0), 0);
	expect_verdict(INBOX_TOO_LARGE);
}

static void the_room_is_full_again_behind_a_message(void **state)
{
	size_t space;

	assert_int_equal(receive(BYTES("first\0sec"), 0), 0);
	expect_message("first");
	inbox_drop(&inbox);
	inbox_space(&inbox, &space);
	assert_int_equal(space, PARSER_MESSAGE_MAX_BYTES + 1 - 3);
	assert_int_equal(receive(BYTES("ond\0"), 0), 0);
	expect_message("second");
}

static void descriptors_come_with_the_first_byte(void **state)
{
	assert_int_equal(receive(BYTES("ab"), 2), 0);
	assert_int_equal(receive(BYTES("c\0"), 0), 0);
	expect_message("abc");
	assert_int_equal(inbox.n_fds, 2);
	assert_int_equal(inbox.fds[0], 100);
	assert_int_equal(inbox.fds[1], 101);
	inbox_drop(&inbox);
	assert_int_equal(inbox.n_fds, 0);
}

static void descriptors_behind_another_message_are_refused(void **state)
{
	/* As the kernel glues them: the first message came without, the second with. */
	assert_int_equal(receive(BYTES("a\0b\0"), 1), 0);
	expect_verdict(INBOX_NOT_ALONE);
}

static void descriptors_in_the_middle_of_a_message_are_refused(void **state)
{
	assert_int_equal(receive(BYTES("a"), 0), 0);
	assert_int_equal(receive(BYTES("b\0"), 1), INBOX_NOT_ALONE);
	assert_int_equal(inbox.n_fds, 0);
}

static void more_descriptors_in_the_middle_of_a_message_are_refused(void **state)
{
	assert_int_equal(receive(BYTES("a"), 1), 0);
	assert_int_equal(receive(BYTES("b\0"), 1), INBOX_NOT_ALONE);
	/* The first ones are still held, for the caller to close. */
	assert_int_equal(inbox.n_fds, 1);
}

static void bytes_behind_a_call_with_descriptors_are_refused(void **state)
{
	assert_int_equal(receive(BYTES("a"), 1), 0);
	assert_int_equal(receive(BYTES("b\0c"), 0), 0);
	expect_verdict(INBOX_NOT_ALONE);
}

static void a_call_with_descriptors_may_follow_others(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_int_equal(receive(BYTES("a\0"), 0), 0);
		expect_message("a");
		inbox_drop(&inbox);
		assert_int_equal(receive(BYTES("b\0"), PARSER_FDS_MAX), 0);
		expect_message("b");
		assert_int_equal(inbox.n_fds, PARSER_FDS_MAX);
		inbox_drop(&inbox);
	}
}

static void more_descriptors_than_there_is_room_for_are_refused(void **state)
{
	assert_int_equal(receive(BYTES("a\0"), PARSER_FDS_MAX + 1), INBOX_NOT_ALONE);
	assert_int_equal(inbox.n_fds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_nul_ends_a_message, start_empty),
		cmocka_unit_test_setup(bytes_behind_a_nul_belong_to_the_next_message, start_empty),
		cmocka_unit_test_setup(every_way_to_cut_a_stream_gives_the_same_messages,
				       start_empty),
		cmocka_unit_test_setup(a_message_may_fill_the_room_and_no_more, start_empty),
		cmocka_unit_test_setup(the_room_is_full_again_behind_a_message, start_empty),
		cmocka_unit_test_setup(descriptors_come_with_the_first_byte, start_empty),
		cmocka_unit_test_setup(descriptors_behind_another_message_are_refused, start_empty),
		cmocka_unit_test_setup(descriptors_in_the_middle_of_a_message_are_refused,
				       start_empty),
		cmocka_unit_test_setup(more_descriptors_in_the_middle_of_a_message_are_refused,
				       start_empty),
		cmocka_unit_test_setup(bytes_behind_a_call_with_descriptors_are_refused,
				       start_empty),
		cmocka_unit_test_setup(a_call_with_descriptors_may_follow_others, start_empty),
		cmocka_unit_test_setup(more_descriptors_than_there_is_room_for_are_refused,
				       start_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
