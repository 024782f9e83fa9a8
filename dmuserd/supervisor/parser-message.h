/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes between the supervisor and a parser, with the look at every byte that comes back.
 *
 * A parser has read a stranger's bytes and may have been taken over by them. So a message is taken only if
 * each of its fields could come from a sound parser; nothing is repaired.
 */
#pragma once

#include "dmuserd/messages/parser.h"

#include <stdbool.h>
#include <stddef.h>

/* 0, or -EPROTO with *ret_field naming the field that no sound parser sends. No system call. */
int parser_message_check(const struct parser_message *message, size_t n_fds, const char **ret_field);

/*
 * Takes one message without blocking. fds (room for PARSER_FDS_MAX) become the caller's.
 * 0; -EAGAIN; -ECONNRESET: the parser has ended; -EPROTO with *ret_field set; or another errno.
 */
int parser_message_receive(int socket, struct parser_message *ret_message, int *fds, size_t *ret_n_fds,
			   const char **ret_field);

/* Whether a parser of another version would be refused by that field. */
bool parser_message_is_foreign(const char *field);
#define PARSER_MESSAGE_FOREIGN "dmuserd and the dmuser-parser that is installed differ in version: if dmuserd " \
			       "was upgraded, restart it"

/* fd: the client's socket or the manifest, which stays the caller's; negative: none. */
int parser_message_order(int socket, enum parser_command command, int fd);

/* Valid UTF-8 that is terminated within size bytes. With `plain`: no control characters either. */
bool parser_text_is_sound(const char *text, size_t size, bool plain);
