// SPDX-License-Identifier: Apache-2.0
/* See test.h. */
#include "tests/unit/volume/test.h"
#include "util/cleanup.h"

#include <ftw.h>
#include <string.h>
#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int on_first_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	*(bool *)userdata = true;
	return 0;
}

sd_event *new_loop(void)
{
	sd_event_source *source = NULL;
	sd_event *event = NULL;
	bool fired = false;

	assert_return_code(sd_event_new(&event), 0);
	assert_return_code(sd_event_add_time_relative(event, &source, CLOCK_MONOTONIC, 0, 1,
						      on_first_timer, &fired),
			   0);
	run_until_flag(event, &fired);
	sd_event_source_unref(source);
	return event;
}

void run_until(sd_event *event, bool (*condition)(void *userdata), void *userdata)
{
	uint64_t deadline = now_ms() + TEST_DEADLINE_MS;

	while (!condition(userdata)) {
		if (now_ms() > deadline)
			fail_msg("waited in vain");
		assert_return_code(sd_event_run(event, 100000), 0);
	}
}

static bool is_set(void *userdata)
{
	return *(const bool *)userdata;
}

void run_until_flag(sd_event *event, const bool *flag)
{
	run_until(event, is_set, (void *)flag);
}

void run_pending(sd_event *event)
{
	while (sd_event_run(event, 0) > 0)
		;
}

size_t count_fds(void)
{
	_cleanup_(closedirp) DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n;
}

struct fd_goal {
	size_t expected;
};

static bool fds_are_closed(void *userdata)
{
	return count_fds() <= ((struct fd_goal *)userdata)->expected;
}

void run_until_fds(sd_event *event, size_t expected)
{
	struct fd_goal goal = { expected };

	run_until(event, fds_are_closed, &goal);
	assert_int_equal(count_fds(), expected);
}

char *make_directory(void)
{
	char *path = strdup("/tmp/dmuser-test-XXXXXX");

	assert_non_null(path);
	assert_non_null(mkdtemp(path));
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	return remove(path);
}

void remove_directory(char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

bool directory_is_empty(const char *parent, const char *name)
{
	char path[256];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}
