// SPDX-License-Identifier: Apache-2.0
/* What went wrong, and telling it; see trouble.h. */
/* The place in this file would be the same for every message. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "ctl/oci-hook/trouble.h"
#include "ctl/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#define CUT "…"

/* Of what has filled its array and lost its end: the word that lost some goes as a whole. */
static void mark_cut(char *text, size_t size)
{
	size_t last = size - sizeof(CUT), end = last;

	while (end > 0 && text[end] != ' ')
		end--;
	/* One long word is cut between characters. */
	if (end < size / 2)
		for (end = last; end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80; end--)
			;
	strcpy(text + end, CUT);
}

__attribute__((format(printf, 3, 0))) static void
write_text(char *text, size_t size, const char *format, va_list arguments)
{
	int length = vsnprintf(text, size, format, arguments);

	if (length >= 0 && (size_t)length >= size)
		mark_cut(text, size);
}

void trouble_step(struct trouble *t, const char *volume, const char *step)
{
	if (volume)
		snprintf(t->volume, sizeof(t->volume), "%s", volume);
	snprintf(t->step, sizeof(t->step), "%s", step);
}

int trouble_set(struct trouble *t, int error, const char *format, ...)
{
	va_list arguments;

	if (t->message[0])
		return error;
	va_start(arguments, format);
	write_text(t->message, sizeof(t->message), format, arguments);
	va_end(arguments);
	return error;
}

int trouble_set_errno(struct trouble *t, int error, const char *format, ...)
{
	va_list arguments;
	char cause[128];

	if (t->message[0])
		return error;
	/* What caused it is there whatever else has to go. */
	snprintf(cause, sizeof(cause), ": %s", strerror(-error));
	va_start(arguments, format);
	write_text(t->message, sizeof(t->message) - strlen(cause), format, arguments);
	va_end(arguments);
	strcat(t->message, cause);
	return error;
}

void trouble_hint(struct trouble *t, const char *format, ...)
{
	va_list arguments;

	if (t->hint[0])
		return;
	va_start(arguments, format);
	write_text(t->hint, sizeof(t->hint), format, arguments);
	va_end(arguments);
}

/* "container C: volume V: formatting: it failed" */
static void format_line(const struct trouble *t, const char *container, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s%s%s%s%s%s%s", container[0] ? "container " : "", container,
		 container[0] ? ": " : "", t->volume[0] ? "volume " : "", t->volume,
		 t->volume[0] ? ": " : "", t->step, t->step[0] ? ": " : "", t->message);
}

void trouble_reason(const struct trouble *t, char ret_reason[static TROUBLE_REASON_SIZE])
{
	char line[2048], escaped[4096];

	format_line(t, "", line, sizeof(line));
	escape_text(line, escaped, sizeof(escaped));
	snprintf(ret_reason, TROUBLE_REASON_SIZE, "%.*s", TROUBLE_REASON_SIZE - 1, escaped);
	if (strlen(escaped) >= TROUBLE_REASON_SIZE)
		mark_cut(ret_reason, TROUBLE_REASON_SIZE);
}

void trouble_tell(const struct trouble *t, const char *container)
{
	char line[2048], escaped[4096];

	format_line(t, container, line, sizeof(line));
	fprintf(stderr, "dmuser-oci-hook: %s\n", escape_text(line, escaped, sizeof(escaped)));
	if (t->hint[0])
		fprintf(stderr, "  hint: %s\n", escape_text(t->hint, escaped, sizeof(escaped)));
	/* Without a journal there is nobody to tell; it returns at once then. */
	sd_journal_send("MESSAGE=%s%s%s", line, t->hint[0] ? "; hint: " : "", t->hint,
			"PRIORITY=%i", LOG_ERR, "SYSLOG_IDENTIFIER=dmuser-oci-hook",
			"DMUSER_CONTAINER=%s", container, "DMUSER_VOLUME=%s", t->volume,
			"DMUSER_STEP=%s", t->step, NULL);
}
