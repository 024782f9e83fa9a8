// SPDX-License-Identifier: Apache-2.0
/* The message that says no to a client; see refusal.h. */
#include "dmuserd/parser/refusal.h"

#include <string.h>

void refusal_write(struct parser_message *message, enum parser_refusal refusal, bool fatal,
		   const char *text)
{
	uint32_t flags = message->flags;
	char safe[PARSER_TEXT_SIZE] = "";

	/* The text may be in the message itself. */
	if (text)
		path_copy_text(safe, text);
	memset(message, 0, sizeof(*message));
	message->version = PARSER_MESSAGE_VERSION;
	message->event = PARSER_REFUSAL;
	message->flags = flags;
	message->refusal = refusal;
	message->fatal = fatal;
	memcpy(message->text, safe, sizeof(safe));
}

void refusal_write_place(struct parser_message *message, bool fatal, const struct path *place)
{
	if (place->depth == 0)
		refusal_write(message, PARSER_REFUSED_SYNTAX, true, NULL);
	else
		refusal_write(message, PARSER_REFUSED_INVALID_PARAMETER, fatal, place->text);
}
