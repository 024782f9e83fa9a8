// SPDX-License-Identifier: Apache-2.0
/* Where dmuserd has its things; see installation.h. */
#include "ctl/doctor/installation.h"
#include "ctl/quantity.h"
#include "util/cleanup.h"

#include "config.h"

#include <limits.h>
#include <string.h>

/* The defaults are those of dmuserd's settings; a test compares them with packaging/dmuserd.conf.
 */
static const struct installation_facts defaults = {
	.run_dir = DMUSER_RUNDIR,
	.libexec_dir = DMUSER_LIBEXECDIR,
	.socket_group = "dmuser",
	.worker_uid_base = 1900000000,
	.worker_uid_count = 65536,
	.parser_uid_base = 1900065536,
	.parser_uid_count = 4096,
	.connections_max = 1024,
	.volumes_max = 1024,
};

#define NUMBER(name)                                                \
	{                                                           \
#name, offsetof(struct installation_facts, name), 0 \
	}
#define TEXT(name)                                                        \
	{                                                                 \
#name, offsetof(struct installation_facts, name),         \
			sizeof(((struct installation_facts *)NULL)->name) \
	}

static const struct key {
	const char *name;
	size_t offset, size; /* size 0: a number */
} keys[] = {
	TEXT(run_dir),
	TEXT(libexec_dir),
	TEXT(socket_group),
	NUMBER(worker_uid_base),
	NUMBER(worker_uid_count),
	NUMBER(parser_uid_base),
	NUMBER(parser_uid_count),
	NUMBER(connections_max),
	NUMBER(volumes_max),
};

static void set(struct installation_facts *installation, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char *at = (char *)installation + keys[i].offset;
		uint64_t number;

		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (keys[i].size)
			snprintf(at, keys[i].size, "%s", value);
		else if (quantity_parse_number(value, UINT32_MAX, &number) == 0)
			memcpy(at, &number, sizeof(number));
	}
}

static char *strip(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && strchr(" \t", text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* Takes the pair apart. */
static void set_pair(struct installation_facts *installation, char *pair)
{
	char *equals = strchr(pair, '=');

	if (!equals)
		return;
	*equals = '\0';
	set(installation, strip(pair), strip(equals + 1));
}

void installation_parse(struct installation_facts *installation, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strip(line)[0] != '#')
			set_pair(installation, line);
}

/* The value of an option at *at, as "--option VALUE" or "--option=VALUE"; NULL if it is another. */
static char *option_value(char **at, const char *end, const char *option)
{
	size_t length = strlen(option);
	char *word = *at;

	if (strncmp(word, option, length) != 0)
		return NULL;
	if (word[length] == '=')
		return word + length + 1;
	if (word[length] != '\0' || word + length + 1 >= end)
		return NULL;
	*at = word + length + 1;
	return *at;
}

/* What the running one was started with: its file, and its pairs, which weigh more than the file.
 */
static void read_command_line(struct probe *probe, char *ret_file, size_t file_size, bool pairs)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;

	if (probe->daemon.pid <= 0 ||
	    probe_read_all(probe, &text, &size, "/proc/%d/cmdline", probe->daemon.pid) < 0)
		return;
	for (char *at = text; at < text + size; at += strlen(at) + 1) {
		char *value = option_value(&at, text + size, "--config");

		if (value && !pairs)
			snprintf(ret_file, file_size, "%s", value);
		value = option_value(&at, text + size, "--set");
		if (value && pairs) {
			/* It is taken apart, and the words after it are still to be found. */
			char pair[512];

			snprintf(pair, sizeof(pair), "%s", value);
			set_pair(&probe->installation, pair);
		}
	}
}

void installation_read(struct probe *probe)
{
	_cleanup_(freep) char *text = NULL;
	char file[PATH_MAX] = DMUSER_SYSCONFDIR "/dmuserd.conf";
	size_t size;

	probe->installation = defaults;
	read_command_line(probe, file, sizeof(file), false);
	if (probe_read_all(probe, &text, &size, "%s", file) == 0)
		installation_parse(&probe->installation, text);
	read_command_line(probe, file, sizeof(file), true);
}
