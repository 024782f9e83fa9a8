// SPDX-License-Identifier: Apache-2.0
/*
 * Watches over the processes. What hangs in the kernel cannot be killed: so once something is
 * wrong, this says where each thread is, and leaves it there.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "expect.h"
#include "mapper.h"

/* Longer than anything may take that the program itself has a deadline for. */
#define STILL_MS 180000
#define SAY_EVERY_MS 60000
#define LOOK_EVERY_MS 100

static void print_file(const char *directory, const char *name)
{
	char path[300], text[4096];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n > 0)
		printf("%.*s", (int)n, text);
	if (fd >= 0)
		close(fd);
}

static void print_threads(pid_t pid)
{
	char pattern[64];
	glob_t tasks;

	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*", pid);
	if (glob(pattern, 0, NULL, &tasks) != 0)
		return;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		printf("--- %s ", tasks.gl_pathv[i]);
		print_file(tasks.gl_pathv[i], "comm");
		print_file(tasks.gl_pathv[i], "syscall");
		print_file(tasks.gl_pathv[i], "stack");
	}
	globfree(&tasks);
}

static void print_targets(void)
{
	for (unsigned i = 0; i < arena->targets; i++) {
		struct place *p = &arena->places[i];

		printf("target %u: live node %u, loaded %u, mood %u, %s, %u inside\n", i,
		       p->node_live, p->node_loaded, p->mood, p->open ? "open" : "closed",
		       p->inside);
		mapper_print(i);
	}
}

static void report(const pid_t pids[WATCH_PROCESSES])
{
	printf("WRONG (seed %llu): %s\n", (unsigned long long)arena->seed, arena->what);
	print_targets();
	for (unsigned i = 0; i < WATCH_PROCESSES; i++) {
		if (pids[i])
			print_threads(pids[i]);
	}
	fflush(stdout);
}

/* So that what waits for a target can end, and the machine be used. */
static void let_go(void)
{
	arena->quit = true;
	for (unsigned i = 0; i < arena->targets; i++) {
		arena->places[i].open = false;
		mapper_clear(i);
		mapper_message(i, TALLY_FAIL, 0, "fail");
		mapper_resume(i, 0);
	}
}

/* Takes note of those that have ended. Returns how many have not. */
static unsigned reap(pid_t pids[WATCH_PROCESSES])
{
	unsigned left = 0;
	int status;

	for (unsigned i = 0; i < WATCH_PROCESSES; i++) {
		if (!pids[i])
			continue;
		if (waitpid(pids[i], &status, WNOHANG) == 0) {
			left++;
			continue;
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			arena_wrong("process %u of the program ended with %#x", i, status);
		pids[i] = 0;
	}
	return left;
}

/**
 * struct progress - how the program comes on; times in ms
 * @begin:	of the program
 * @looked:	last
 * @moved:	when operations were last seen to become more
 * @said:	when their number was last printed
 * @operations:	when last looked at
 */
struct progress {
	uint64_t begin, looked, moved, said;
	unsigned long long operations;
};

static void look(struct progress *p)
{
	unsigned long long operations = arena->operations;
	uint64_t now = arena_now_ms(), ms = now - p->looked + 1;

	/* mostly what it was, because a moment's rate is as often far off */
	arena->rate = (arena->rate * 3 + (operations - p->operations) * 1000 / ms) / 4;
	if (operations != p->operations)
		p->moved = now;
	p->operations = operations;
	p->looked = now;
	if (arena->seconds && now - p->begin >= arena->seconds * 1000ULL)
		arena->stop = true;
	if (now - p->moved >= STILL_MS)
		arena_wrong("nothing moves");
	if (now - p->said >= SAY_EVERY_MS) {
		p->said = now;
		printf("# %llu operations in %llu s\n", operations,
		       (unsigned long long)(now - p->begin) / 1000);
		fflush(stdout);
	}
}

static void sum_up(const struct progress *p)
{
	unsigned long long operations = arena->operations, ms = arena_now_ms() - p->begin;

	tally_print(stdout, &arena->tally);
	if (operations >= EXPECT_OPERATIONS && !expect_all(stdout, &arena->tally))
		arena->wrong = true;
	printf("%llu operations in %llu s (%llu a second), seed %llu: %s\n", operations, ms / 1000,
	       operations * 1000 / (ms + 1), (unsigned long long)arena->seed,
	       arena->wrong ? "WRONG" : "nothing went wrong");
}

int watch_until_end(const pid_t started[WATCH_PROCESSES])
{
	uint64_t now = arena_now_ms();
	struct progress progress = { .begin = now, .looked = now, .moved = now, .said = now };
	pid_t pids[WATCH_PROCESSES];

	memcpy(pids, started, sizeof(pids));
	while (reap(pids) && !arena->wrong) {
		arena_rest(LOOK_EVERY_MS);
		look(&progress);
	}
	if (arena->wrong) {
		report(pids);
		let_go();
		for (unsigned i = 0; i < WATCH_PROCESSES; i++) {
			if (pids[i])
				kill(pids[i], SIGKILL);
		}
	}
	sum_up(&progress);
	return arena->wrong;
}
