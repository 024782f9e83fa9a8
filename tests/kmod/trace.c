// SPDX-License-Identifier: Apache-2.0
/*
 * The module's tracepoints, from their start to a text that is searched. There is one buffer for
 * all that runs, so only one case at a time may trace.
 */
#include "trace.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "case.h"

#define TRACING "/sys/kernel/tracing"

static void trace_set(const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "/%s", file);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

void trace_start(void)
{
	if (access(TRACING "/events", F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/events", F_OK)) {
		fprintf(stderr, "this kernel has no tracefs\n");
		exit(SKIPPED);
	}
	trace_set("trace", "");
	trace_set("events/dm_user/enable", "1");
}

char *trace_stop(void)
{
	static char text[1 << 20];
	size_t n = 0;
	ssize_t got;

	trace_set("events/dm_user/enable", "0");
	int fd = open(TRACING "/trace", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	while (n < sizeof(text) - 1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(fd);
	text[n] = 0;
	trace_set("trace", "");
	return text;
}

const char *trace_next(char **where, const char *event, const char *key)
{
	char *line, *found;

	while ((line = strsep(where, "\n"))) {
		if (strstr(line, event) && (found = strstr(line, key)))
			return found + strlen(key);
	}
	return NULL;
}

void trace_expect(char **where, const char *event, const char *what)
{
	if (trace_next(where, event, what))
		return;
	fprintf(stderr, "no %s with '%s'\n", event, what);
	exit(1);
}
