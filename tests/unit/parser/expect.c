// SPDX-License-Identifier: Apache-2.0
/* What a text comes to in the parser; see expect.h. */
#include "expect.h"
#include "dmuserd/parser/call.h"
#include "util/cleanup.h"

const char *with(const char *call, const char *member)
{
	static char json[1024];
	const char *place = strstr(call, "%s");

	assert_non_null(place);
	assert_in_range(strlen(call) + strlen(member), 0, sizeof(json) - 1);
	memcpy(json, call, (size_t)(place - call));
	strcpy(stpcpy(json + (place - call), member), place + 2);
	return json;
}

char *room_for(size_t size)
{
	char *room = malloc(size);

	if (!room)
		abort();
	return room;
}

const struct parser_message *parse_bytes(const char *bytes, size_t size, size_t n_fds)
{
	static struct text text;
	static struct parser_message message;
	/* Without a byte to spare, so that a sanitizer sees one that is read beyond the end. */
	_cleanup_(freep) char *copy = room_for(size ? size : 1);

	memcpy(copy, bytes, size);
	memset(&message, 0xa5, sizeof(message));
	assert_int_equal(call_parse(&text, copy, size, n_fds, &message), 0);
	assert_int_equal(message.version, PARSER_MESSAGE_VERSION);
	return &message;
}

const struct parser_message *parse(const char *json, size_t n_fds)
{
	return parse_bytes(json, strlen(json), n_fds);
}

const struct parser_message *requested(const char *json, size_t n_fds, enum parser_method method)
{
	const struct parser_message *message = parse(json, n_fds);

	if (message->event != PARSER_REQUEST)
		fail_msg("refused (%u, \"%s\"): %s", message->refusal, message->text, json);
	assert_int_equal(message->method, method);
	assert_int_equal(message->n_fds, n_fds);
	assert_int_equal(message->refusal, 0);
	assert_int_equal(message->fatal, 0);
	return message;
}

void expect_refusal(const struct parser_message *message, enum parser_refusal refusal, bool fatal,
		    const char *text)
{
	assert_int_equal(message->event, PARSER_REFUSAL);
	assert_string_equal(message->text, text);
	assert_int_equal(message->refusal, refusal);
	assert_int_equal(message->fatal, fatal);
	/* Descriptors never go with a refusal. */
	assert_int_equal(message->n_fds, 0);
}

void refuses(const char *json, const char *parameter)
{
	expect_refusal(parse(json, 0), PARSER_REFUSED_INVALID_PARAMETER, false, parameter);
}

void ends(const char *json, const char *parameter)
{
	expect_refusal(parse(json, 0), PARSER_REFUSED_INVALID_PARAMETER, true, parameter);
}

void is_no_call(const char *bytes, size_t size)
{
	expect_refusal(parse_bytes(bytes, size, 0), PARSER_REFUSED_SYNTAX, true, "");
}
