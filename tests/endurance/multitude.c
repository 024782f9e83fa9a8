// SPDX-License-Identifier: Apache-2.0
/*
 * multitude at-once N: N targets live at the same time; each is read from or written to.
 * multitude in-turn N: N targets come, serve a read and go, a few at a time, and leave no memory.
 *
 * Exits with 1 and names what does not hold. In a VM, as root. Owns the targets that it makes.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kmod/case.h"
#include "tests/kmod/channel.h"
#include "tests/kmod/submit.h"

#define SECTORS	 8
#define IO_BYTES (SECTORS * 512)
/*
 * Processes in which targets come and go, each in turn. To remove one is most of the time that it
 * takes, and is device-mapper's waiting for grace periods, which several wait for together.
 */
#define LANES	 4

static char payload[PAYLOAD_MAX];

/* One I/O of all of the target, which this process answers itself. */
static void exchange(const struct target *t, int fd, enum submit_operation operation)
{
	struct dm_user_message message;
	struct submit s;

	submit_start(&s, t, operation, 0, IO_BYTES);
	CHECK_EQ(channel_next(fd, &message, payload), 0);
	CHECK_EQ(message.len, IO_BYTES);
	for (uint64_t i = 0; i < IO_BYTES; i++) {
		if (operation == SUBMIT_WRITE)
			CHECK_EQ(payload[i], submit_pattern(i));
		payload[i] = (char)(i * 7 + message.seq);
	}
	CHECK_EQ(channel_answer(fd, message.seq, DM_USER_RESP_SUCCESS, payload,
				operation == SUBMIT_READ ? IO_BYTES : 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	for (uint64_t i = 0; operation == SUBMIT_READ && i < IO_BYTES; i++)
		CHECK_EQ(s.buf[i], (char)(i * 7 + message.seq));
	free(s.buf);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void at_once(unsigned n)
{
	struct target *targets = calloc(n, sizeof(*targets));
	int *fds = calloc(n, sizeof(*fds));
	double began = seconds();

	CHECK(targets && fds);
	for (unsigned i = 0; i < n; i++) {
		target_create(&targets[i], SECTORS);
		fds[i] = channel_open(&targets[i], 0);
	}
	printf("%u targets made in %.1f s\n", n, seconds() - began);
	/* Each while all the others are there; the first and the last are no special ones. */
	for (unsigned i = 0; i < n; i++) {
		unsigned any = (unsigned)(i * 7919UL % n);

		exchange(&targets[any], fds[any], i % 2 ? SUBMIT_READ : SUBMIT_WRITE);
	}
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(target_remove(&targets[i]), 0);
		CHECK_EQ(channel_events(fds[i]), POLLHUP);
		close(fds[i]);
	}
	free(targets);
	free(fds);
}

/* KiB that the kernel's slabs hold and cannot give back by itself. */
static long unreclaimable(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	long kib = -1;

	CHECK(f);
	while (kib < 0 && fgets(line, sizeof(line), f))
		(void)!sscanf(line, "SUnreclaim: %ld kB", &kib);
	fclose(f);
	CHECK(kib >= 0);
	return kib;
}

static void come_and_go(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct target t;
		int fd;

		target_create(&t, SECTORS);
		fd = channel_open(&t, 0);
		exchange(&t, fd, SUBMIT_READ);
		CHECK_EQ(target_remove(&t), 0);
		close(fd);
	}
}

static void come_and_go_in_lanes(unsigned n)
{
	pid_t lanes[LANES];

	for (unsigned i = 0; i < LANES; i++) {
		lanes[i] = fork();
		CHECK(lanes[i] >= 0);
		if (lanes[i] == 0) {
			come_and_go((n + i) / LANES);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < LANES; i++) {
		int status;

		CHECK_EQ(waitpid(lanes[i], &status, 0), lanes[i]);
		CHECK_EQ(status, 0);
	}
}

/*
 * What one target and its device take is tens of KiB. Of each of a thousand 1,200 bytes that stay
 * are seen, and of ten thousand 210.
 */
static void in_turn(unsigned n)
{
	const long bound_kib = n / 10 + 1024;
	double began;
	long before, after;

	/* Caches and pools fill up first. */
	come_and_go_in_lanes(n / 10 + LANES);
	before = unreclaimable();
	began = seconds();
	come_and_go_in_lanes(n);
	printf("%u targets came and went in %.1f s\n", n, seconds() - began);
	after = unreclaimable();
	/* What waits for a grace period is on its way. */
	for (int i = 0; i < 100 && after > before + bound_kib; i++) {
		usleep(100 * 1000);
		after = unreclaimable();
	}
	printf("unreclaimable memory: %ld KiB before, %ld KiB after\n", before, after);
	CHECK(after <= before + bound_kib);
}

int main(int argc, char **argv)
{
	unsigned n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	/* A descriptor for each channel. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ n + 64, n + 64 });
	if (n > 0 && strcmp(argv[1], "at-once") == 0)
		at_once(n);
	else if (n > 0 && strcmp(argv[1], "in-turn") == 0)
		in_turn(n);
	else {
		fprintf(stderr, "usage: multitude at-once|in-turn N\n");
		return 2;
	}
	return 0;
}
