/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's byte stream, cut into messages at its NULs, and whose descriptors are whose.
 *
 * On a stream the kernel delivers bytes that came without descriptors together with following ones
 * that came with some, so where a message begins and whose descriptors these are cannot be told.
 * Therefore a call that carries descriptors has to be alone: its first byte begins what was
 * received with them, and nothing follows its NUL. Anything else is refused.
 *
 * Holds the descriptors of the present message, which stay the caller's to send on and to close.
 * Makes no system call.
 */
#pragma once

#include "dmuserd/messages/parser.h"

#include <stdbool.h>
#include <stddef.h>

enum inbox_verdict {
	INBOX_WHOLE = 1, /* a message is there */
	INBOX_TOO_LARGE,
	INBOX_NOT_ALONE, /* descriptors, and bytes of another message with them */
};

struct inbox {
	size_t start;   /* of the present message */
	size_t scanned; /* no NUL before this */
	size_t end;     /* of what was received */
	int fds[PARSER_FDS_MAX];
	size_t n_fds;
	char bytes[PARSER_MESSAGE_MAX_BYTES + 1];
};

/* Where to receive to, and how much; never nothing unless inbox_look() has said INBOX_TOO_LARGE. */
char *inbox_space(struct inbox *inbox, size_t *ret_size);

/*
 * What was received there, and the descriptors that came with it: at most PARSER_FDS_MAX.
 * 0; or INBOX_NOT_ALONE, and none of these descriptors is held.
 */
int inbox_received(struct inbox *inbox, size_t size, const int *fds, size_t n_fds);

/* 0: not yet whole. Or an enum inbox_verdict; with INBOX_WHOLE the message, without its NUL. */
int inbox_look(struct inbox *inbox, const char **ret_message, size_t *ret_size);

/* The message that inbox_look() showed is done with; its descriptors are forgotten. */
void inbox_drop(struct inbox *inbox);

/* Has the present message begun? */
static inline bool inbox_has_begun(const struct inbox *inbox)
{
	return inbox->end > inbox->start;
}
