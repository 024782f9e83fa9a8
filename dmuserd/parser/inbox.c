// SPDX-License-Identifier: Apache-2.0
/* A client's byte stream, cut into messages; see inbox.h. */
#include "dmuserd/parser/inbox.h"

#include <string.h>

char *inbox_space(struct inbox *inbox, size_t *ret_size)
{
	/* Less than a message is left behind the last one: each byte is moved once at most. */
	if (inbox->start > 0) {
		memmove(inbox->bytes, inbox->bytes + inbox->start, inbox->end - inbox->start);
		inbox->scanned -= inbox->start;
		inbox->end -= inbox->start;
		inbox->start = 0;
	}
	*ret_size = sizeof(inbox->bytes) - inbox->end;
	return inbox->bytes + inbox->end;
}

int inbox_received(struct inbox *inbox, size_t size, const int *fds, size_t n_fds)
{
	bool begun = inbox_has_begun(inbox);

	inbox->end += size;
	if (n_fds == 0)
		return 0;
	if (begun || n_fds > PARSER_FDS_MAX)
		return INBOX_NOT_ALONE;
	memcpy(inbox->fds, fds, n_fds * sizeof(fds[0]));
	inbox->n_fds = n_fds;
	return 0;
}

int inbox_look(struct inbox *inbox, const char **ret_message, size_t *ret_size)
{
	const char *message = inbox->bytes + inbox->start;
	const char *nul = memchr(inbox->bytes + inbox->scanned, '\0', inbox->end - inbox->scanned);
	size_t size;

	if (!nul) {
		inbox->scanned = inbox->end;
		return inbox->end - inbox->start > PARSER_MESSAGE_MAX_BYTES ? INBOX_TOO_LARGE : 0;
	}
	size = (size_t)(nul - message);
	inbox->scanned = inbox->start + size;
	if (inbox->n_fds > 0 && inbox->scanned + 1 != inbox->end)
		return INBOX_NOT_ALONE;
	*ret_message = message;
	*ret_size = size;
	return INBOX_WHOLE;
}

void inbox_drop(struct inbox *inbox)
{
	inbox->start = inbox->scanned + 1;
	inbox->scanned = inbox->start;
	inbox->n_fds = 0;
}
