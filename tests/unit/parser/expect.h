/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a text comes to in the parser, for tests to say in one line.
 */
#pragma once

#include "dmuserd/messages/parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* A string literal with its length: NULs may be in it. */
#define BYTES(literal) literal, sizeof(literal) - 1

/* A call of io.dmuser with parameters, both as literals. */
#define CALL(method, parameters) \
	"{\"method\":\"io.dmuser." method "\",\"parameters\":{" parameters "}}"

/* The call with the member in place of its %s; lives until the next one. */
const char *with(const char *call, const char *member);

/* Heap, or the end of the test. Free it. */
char *room_for(size_t size);

/* A client's message with n_fds descriptors; the result lives until the next one. */
const struct parser_message *parse_bytes(const char *bytes, size_t size, size_t n_fds);
const struct parser_message *parse(const char *json, size_t n_fds);

/* It comes to a request of this method. */
const struct parser_message *requested(const char *json, size_t n_fds, enum parser_method method);

void expect_refusal(const struct parser_message *message, enum parser_refusal refusal, bool fatal,
		    const char *text);

/* The call is refused for this parameter, and the connection goes on. */
void refuses(const char *json, const char *parameter);
/* The message is refused for this parameter, and the connection ends. */
void ends(const char *json, const char *parameter);
/* It is no call at all: there is nothing to name, and the connection ends. */
void is_no_call(const char *bytes, size_t size);
