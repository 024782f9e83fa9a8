// SPDX-License-Identifier: Apache-2.0
/*
 * null-worker: the cheapest worker that ABI version 1 allows, to measure what the kernel module costs.
 *
 *   null-worker NAME [CHANNELS]	one thread a channel; ends when the target is removed
 *
 * A request is one read() of its header, and one of its payload if it is a WRITE; an answer is one
 * write(). Data is never looked at: what is written goes nowhere, and what is read is always the same
 * zeroes. It prints "ready" once every channel is open.
 *
 * Owns its channels and a buffer for each. Trusts the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dm-user.h>

#define CHANNELS_MAX 64

/* A message as it goes through read() and write(): an answer is the request's header, in place. */
struct slot {
	struct dm_user_message header;
	unsigned char payload[DM_USER_MAX_IO_BYTES];
};

struct channel {
	int fd;
	struct slot *slot;
	pthread_t thread;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "null-worker: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Returns false at the target's end. */
static bool get(int fd, void *to, size_t size)
{
	ssize_t n = read(fd, to, size);

	if (n < 0 && errno == ENOTBLK)
		return false;
	if (n < 0)
		die("read");
	if ((size_t)n != size) {
		errno = EMSGSIZE;
		die("a part of a message came in pieces");
	}
	return true;
}

/* A removed target's request has been failed, so that nobody waits for its answer. */
static bool put(int fd, const void *from, size_t size)
{
	ssize_t n = write(fd, from, size);

	if (n < 0 && errno == ENOTBLK)
		return false;
	if (n < 0)
		die("write");
	if ((size_t)n != size) {
		errno = EMSGSIZE;
		die("an answer was taken in part");
	}
	return true;
}

static bool serve_one(const struct channel *c)
{
	struct slot *slot = c->slot;
	size_t answer = sizeof(slot->header);
	unsigned long long type;

	if (!get(c->fd, &slot->header, sizeof(slot->header)))
		return false;

	type = slot->header.type;
	if (type == DM_USER_REQ_MAP_WRITE && !get(c->fd, slot->payload, slot->header.len))
		return false;
	if (type == DM_USER_REQ_MAP_READ)
		answer += slot->header.len;
	slot->header.type = DM_USER_RESP_SUCCESS;
	return put(c->fd, slot, answer);
}

static void *serve(void *arg)
{
	while (serve_one(arg))
		;
	return NULL;
}

static void channel_open(struct channel *c, const char *name)
{
	char path[sizeof(DM_USER_DIRECTORY) + 1 + DM_USER_NAME_MAX];

	if (snprintf(path, sizeof(path), DM_USER_DIRECTORY "/%s", name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		die(name);
	}
	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		die(path);
	/* populated, so that no page fault falls into a measurement */
	c->slot = mmap(NULL, sizeof(*c->slot), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c->slot == MAP_FAILED)
		die("mmap");
}

int main(int argc, char **argv)
{
	static struct channel channels[CHANNELS_MAX];
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1;

	if (argc < 2 || argc > 3 || n < 1 || n > CHANNELS_MAX) {
		fprintf(stderr, "usage: null-worker NAME [CHANNELS], 1 to %d\n", CHANNELS_MAX);
		return 2;
	}
	for (long i = 0; i < n; i++)
		channel_open(&channels[i], argv[1]);
	puts("ready");
	fflush(stdout);

	/* the first by this thread: a process of one thread pays less for each descriptor it uses */
	for (long i = 1; i < n; i++) {
		errno = pthread_create(&channels[i].thread, NULL, serve, &channels[i]);
		if (errno)
			die("pthread_create");
	}
	serve(&channels[0]);
	for (long i = 1; i < n; i++)
		pthread_join(channels[i].thread, NULL);
	return 0;
}
