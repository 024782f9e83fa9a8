// SPDX-License-Identifier: Apache-2.0
/* What /proc says about another process's threads; see proc-status.h. */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/proc-status.h"

#include "util/cleanup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Capability sets are in hexadecimal without a prefix, all else in decimal. */
static unsigned long long read_field(const char *path, const char *field)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	size_t length = strlen(field);
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, length) == 0 && line[length] == ':')
			return strtoull(line + length + 1, NULL,
					strncmp(field, "Cap", 3) == 0 ? 16 : 10);
	fail_msg("%s has no %s", path, field);
	return 0;
}

static unsigned int for_every_thread(pid_t pid, const char *field, unsigned long long value)
{
	char path[64];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.') {
			char status[300];

			count++;
			snprintf(status, sizeof(status), "%s/%.20s/status", path, entry->d_name);
			if (field && read_field(status, field) != value)
				fail_msg("%s of thread %s", field, entry->d_name);
		}
	closedir(directory);
	return count;
}

unsigned int proc_count_threads(pid_t pid)
{
	return for_every_thread(pid, NULL, 0);
}

void proc_expect_every_thread(pid_t pid, const char *field, unsigned long long value)
{
	assert_true(for_every_thread(pid, field, value) > 0);
}

unsigned long long proc_value(pid_t pid, const char *field)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return read_field(path, field);
}

unsigned long long proc_count_faults(pid_t pid)
{
	_cleanup_(fclosep) FILE *file = NULL;
	unsigned long long minor, major;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	/* PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS MINFLT CMINFLT MAJFLT; no backend's name has a ')'. */
	assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu",
				&minor, &major), 2);
	return minor + major;
}

void proc_count_mapped(pid_t pid, unsigned long long *ret_size, unsigned long long *ret_resident)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], line[512];
	bool of_file = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	*ret_size = *ret_resident = 0;
	while (fgets(line, sizeof(line), file)) {
		unsigned long long value, end;

		/* START-END …PATH, and what there is to say about it. */
		if (sscanf(line, "%llx-%llx ", &value, &end) == 2)
			of_file = strchr(line, '/') != NULL;
		else if (of_file && sscanf(line, "Size: %llu", &value) == 1)
			*ret_size += value;
		else if (of_file && sscanf(line, "Rss: %llu", &value) == 1)
			*ret_resident += value;
	}
}

unsigned long long proc_count_flagged(pid_t pid, const char *flag)
{
	_cleanup_(fclosep) FILE *file = NULL;
	unsigned long long size = 0, flagged = 0;
	char path[64], line[512], word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		/* Of each mapping, the flags are said last. */
		if (sscanf(line, "Size: %llu", &size) == 0 && strncmp(line, "VmFlags:", 8) == 0 &&
		    strstr(line, word))
			flagged += size;
	}
	return flagged;
}

void proc_expect_limit(pid_t pid, const char *name, const char *value)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], line[256], soft[32], hard[32];

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		assert_int_equal(sscanf(line + strlen(name), " %31s %31s", soft, hard), 2);
		assert_string_equal(soft, value);
		assert_string_equal(hard, value);
		return;
	}
	fail_msg("no limit '%s'", name);
}
