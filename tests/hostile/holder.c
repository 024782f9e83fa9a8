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
	/* else who finds nothing waits, until it is nudged */
	if (!prng_one_in(&h->prng, 6))
		flags |= O_NONBLOCK;
	arena_node(path, sizeof(path), h->target, node);
	fd = tally_count(TALLY_OPEN, open(path, flags | O_CLOEXEC));
	keep(h, fd);
	if (fd < 0 && node == h->place->node_live)
		arena_rest_without_node(h->place);
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

/* What a channel says right now. */
static short look(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return tally_count(TALLY_POLL, poll(&p, 1, 0)) > 0 ? p.revents : 0;
}

/*
 * A channel that carries nothing any more is worth few operations, and keeps newer ones from
 * requests: it mostly goes, and this returns another, or -1. Tells whether there is something to be
 * read, as far as it looked.
 */
static int choose_channel(struct holder *h, bool *ret_readable)
{
	int fd = slots_look(&h->prng, h->target);
	short events = POLLIN;

	if (fd >= 0 && !prng_one_in(&h->prng, 4))
		events = look(fd);
	if (events & (POLLERR | POLLHUP | POLLNVAL) && !prng_one_in(&h->prng, 4)) {
		if (slots_take_this(h->target, fd))
			tally_count(TALLY_CLOSE, close(fd));
		fd = slots_look(&h->prng, h->target);
	}
	*ret_readable = events;
	return fd;
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

/* Where there is nothing to be read, a read is one time in many, as it may have to wait. */
static void read_or_write(struct holder *h, int fd, bool readable)
{
	if (readable ? prng_below(&h->prng, 100) < 50 : prng_one_in(&h->prng, 8))
		misread(h, fd);
	else if (is_worth_writing(h, fd))
		miswrite(h, fd);
	else if (readable)
		misread(h, fd);
	else
		misuse(h, fd);
}

static void step(struct holder *h)
{
	unsigned choice = prng_below(&h->prng, 1000);
	bool readable;
	int fd = choose_channel(h, &readable);

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
	else
		read_or_write(h, fd, readable);
}

static void *holder_run(void *userdata)
{
	struct holder *h = userdata;

	arena_name_thread("hostile", h->target, h->index);
	while (!arena->stop && !arena->quit) {
		unsigned mood = h->place->mood;

		if (mood & MOOD_HOSTILE) {
			h->beats++;
			step(h);
			continue;
		}
		slots_close_all(h->target);
		child_end_all(h);
		h->beats = 0;
		arena_rest_while(&h->place->mood, mood);
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
