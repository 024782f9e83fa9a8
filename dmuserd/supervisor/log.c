// SPDX-License-Identifier: Apache-2.0
/* Words to an administrator; see log.h. */
#include "dmuserd/supervisor/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

/* A client that fails again and again is told of at this rate, whatever it does. */
#define LIMITED_MESSAGES 20
#define LIMITED_SECONDS 10

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct {
	bool journal;
	bool prefixed; /* stderr leads to the journal, which reads priorities */
	time_t window; /* start of the current one */
	unsigned int printed, left_out;
} state;

/* systemd says of which file that is true, since stderr may have been redirected since. */
static bool is_journal_stream(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void log_open(void)
{
	state.prefixed = is_journal_stream(STDERR_FILENO);
	/* Someone who runs the program by hand wants to read along. */
	state.journal = !isatty(STDERR_FILENO) && access(JOURNAL_SOCKET, W_OK) == 0;
}

static void print(int priority, const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	if (state.journal && sd_journal_print(priority, "%s", text) >= 0)
		return;
	if (state.prefixed)
		fprintf(stderr, "<%d>dmuserd: %s\n", priority, text);
	else
		fprintf(stderr, "dmuserd: %s\n", text);
}

void log_print(int priority, const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	print(priority, format, args);
	va_end(args);
	errno = saved;
}

static bool within_budget(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - state.window >= LIMITED_SECONDS) {
		if (state.left_out > 0)
			log_print(LOG_NOTICE, "%u messages about clients left out", state.left_out);
		state.window = now.tv_sec;
		state.printed = 0;
		state.left_out = 0;
	}
	if (state.printed < LIMITED_MESSAGES) {
		state.printed++;
		return true;
	}
	state.left_out++;
	return false;
}

void log_limited(int priority, const char *format, ...)
{
	int saved = errno;

	if (within_budget()) {
		va_list args;

		va_start(args, format);
		print(priority, format, args);
		va_end(args);
	}
	errno = saved;
}
