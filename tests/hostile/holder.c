// SPDX-License-Identifier: Apache-2.0
/*
 * A holder that keeps to no rule. Opens, closes, and picks what is done to a channel.
 */
#include "holder.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "arena.h"
#include "pattern.h"
#include "slots.h"

static void keep(struct holder *h, int fd)
{
	if (fd < 0)
		return;
	fd = slots_put(&h->prng, h->target, fd);
	if (fd >= 0)
		tally_count(TALLY_CLOSE, close(fd));
}

static void do_open(struct holder *h)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, 3, O_RDWR | O_APPEND | O_SYNC | O_TRUNC,
				     O_RDWR | O_DIRECT, O_PATH };
	unsigned node = h->place->node_live;
	int flags = O_RDWR, fd;
	char path[64];

	if (prng_one_in(&h->prng, 8))
		flags = modes[prng_below(&h->prng, sizeof(modes) / sizeof(*modes))];
	if (prng_one_in(&h->prng, 20))
		node += prng_below(&h->prng, 5) - 2;
	else if (prng_one_in(&h->prng, 8))
		node = h->place->node_loaded;
	if (prng_one_in(&h->prng, 2))
		flags |= O_NONBLOCK;
	arena_node(path, sizeof(path), h->target, node);
	fd = tally_count(TALLY_OPEN, open(path, flags | O_CLOEXEC));
	keep(h, fd);
	/* between two lives there is nothing to do */
	if (fd < 0)
		arena_rest(1 + prng_below(&h->prng, 4));
}

/* The node may have gone, or be another target's. */
static void do_reopen(struct holder *h, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	keep(h, tally_count(TALLY_REOPEN, open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)));
}

static void do_dup(struct holder *h, int fd)
{
	keep(h, tally_count(TALLY_DUP, prng_one_in(&h->prng, 2) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) :
								dup3(fd, fd, O_CLOEXEC)));
}

static void do_close(struct holder *h)
{
	int fd = slots_take(&h->prng, h->target);

	if (fd >= 0)
		tally_count(TALLY_CLOSE, close(fd));
}

/* A channel that carries nothing any more is worth few operations. */
static bool is_over(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP | POLLNVAL);
}

bool holder_knows(const struct holder *h, int fd)
{
	for (unsigned i = 0; i < HOLDER_KNOWN; i++) {
		if (h->known[i].fd == fd && !h->known[i].answered)
			return true;
	}
	return false;
}

/* Answers to nothing end a channel: they are kept for one time in many. */
static bool is_worth_writing(struct holder *h, int fd)
{
	return holder_knows(h, fd) || prng_one_in(&h->prng, 16);
}

static void step(struct holder *h)
{
	unsigned choice = prng_below(&h->prng, 1000);
	int fd = slots_look(&h->prng, h->target);

	if (fd >= 0 && prng_one_in(&h->prng, 2) && is_over(fd)) {
		do_close(h);
		fd = slots_look(&h->prng, h->target);
	}

	if (fd < 0 || choice < 40)
		do_open(h);
	else if (choice < 100)
		do_close(h);
	else if (choice < 110)
		do_reopen(h, fd);
	else if (choice < 125)
		do_dup(h, fd);
	else if (choice < 135)
		pass_on(h, fd);
	else if (choice < 137)
		child_fork(h, fd);
	else if (choice < 145)
		child_disturb(h);
	else if (choice < 220)
		misuse(h, fd);
	else if (choice < 600 || !is_worth_writing(h, fd))
		misread(h, fd);
	else
		miswrite(h, fd);
}

static void *holder_run(void *userdata)
{
	struct holder *h = userdata;

	arena_name_thread("hostile", h->target, h->index);
	while (!arena->stop && !arena->quit) {
		h->beats++;
		if (h->place->mood & MOOD_HOSTILE) {
			step(h);
			continue;
		}
		slots_close_all(h->target);
		child_end_all(h);
		arena_rest(5);
	}
	slots_close_all(h->target);
	child_end_all(h);
	return NULL;
}

void holder_start(struct holder *h, unsigned target, unsigned index)
{
	*h = (struct holder){ .target = target, .index = index, .place = &arena->places[target] };
	h->prng = prng_new(arena->seed, PRNG_HOSTILE, target, index);
	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	int r = memory_init(&h->memory);
	if (r < 0 || h->epoll < 0) {
		arena_wrong("a hostile thread cannot start: %s", strerrorname_np(-r));
		return;
	}
	pthread_create(&h->thread, NULL, holder_run, h);
}

void holder_join(struct holder *h)
{
	pthread_join(h->thread, NULL);
	close(h->epoll);
	close(h->memory.memfd);
}
