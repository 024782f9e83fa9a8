// SPDX-License-Identifier: Apache-2.0
/*
 * null-worker: the cheapest worker that the ABI allows, to measure what the kernel module costs.
 *
 *   null-worker NAME [CHANNELS] [batch]	one thread a channel; ends when the target is removed
 *
 * In version 1 a request is one read() of its header, and one of its payload if it is a WRITE; an
 * answer is one write(). With `batch` a read() brings as many requests as there are, and one write()
 * answers them all. Data is never looked at: what is written goes nowhere, and what is read is always
 * the same bytes. It prints "ready" once every channel is open.
 *
 * Owns its channels and the buffers for each. Trusts the module.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dm-user.h>

#define CHANNELS_MAX 64

/* A message as it goes through read() and write(): an answer is the request's header, in place. */
struct slot {
	struct dm_user_message header;
	unsigned char payload[DM_USER_MAX_IO_BYTES];
};

/*
 * The answers to what a read() brought. They go out earlier when the largest might not fit any more,
 * which seven hundred of 4 KiB do.
 */
#define ANSWERS_BYTES ((size_t)4 << 20)

struct channel {
	int fd;
	bool batch;
	struct slot *slot;
	unsigned char *answers; /* ANSWERS_BYTES; with batch */
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

/* Puts an answer behind those that there are, and says how many bytes there are now. */
static size_t answer(unsigned char *to, const struct dm_user_message *request)
{
	struct dm_user_message *header = (void *)to;

	header->seq = request->seq;
	header->type = DM_USER_RESP_SUCCESS;
	header->len = request->type == DM_USER_REQ_MAP_READ ? request->len : 0;
	return sizeof(*header) + header->len;
}

static bool serve_many(const struct channel *c)
{
	const unsigned char *next = (const void *)c->slot, *end;
	size_t filled = 0;
	ssize_t n = read(c->fd, c->slot, sizeof(*c->slot));

	if (n < 0 && errno == ENOTBLK)
		return false;
	if (n < 0)
		die("read");
	for (end = next + n; next < end;) {
		const struct dm_user_message *request = (const void *)next;

		if (filled + sizeof(*c->slot) > ANSWERS_BYTES) {
			if (!put(c->fd, c->answers, filled))
				return false;
			filled = 0;
		}
		filled += answer(c->answers + filled, request);
		next += sizeof(*request);
		if (request->type == DM_USER_REQ_MAP_WRITE)
			next += request->len;
	}
	return put(c->fd, c->answers, filled);
}

static void *serve(void *arg)
{
	const struct channel *c = arg;

	while (c->batch ? serve_many(c) : serve_one(c))
		;
	return NULL;
}

/* Populated, so that no page fault falls into a measurement. */
static void *allocate(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		       -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
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
	c->slot = allocate(sizeof(*c->slot));
	if (!c->batch)
		return;
	c->answers = allocate(ANSWERS_BYTES);
	if (ioctl(c->fd, DM_USER_IOC_BATCH, &(struct dm_user_batch){ 0 }) < 0)
		die("DM_USER_IOC_BATCH");
}

int main(int argc, char **argv)
{
	static struct channel channels[CHANNELS_MAX];
	bool batch = argc > 2 && strcmp(argv[argc - 1], "batch") == 0;
	long n = argc - batch > 2 ? strtol(argv[2], NULL, 10) : 1;

	if (argc < 2 || argc - batch > 3 || n < 1 || n > CHANNELS_MAX) {
		fprintf(stderr, "usage: null-worker NAME [CHANNELS] [batch], 1 to %d\n", CHANNELS_MAX);
		return 2;
	}
	for (long i = 0; i < n; i++) {
		channels[i].batch = batch;
		channel_open(&channels[i], argv[1]);
	}
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
