// SPDX-License-Identifier: Apache-2.0
/*
 * A holder that keeps to the rules: reads requests, judges them, answers them in any order, at any
 * piece size. Leaves at any time, with or without having answered.
 */
#include "honest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "pattern.h"

#define BUF_BYTES (sizeof(struct dm_user_message) + DM_USER_MAX_IO_BYTES)
/* More pieces than that are no other case. */
#define PIECES_MAX 100
/* So long one waits for a request before it looks whether it is to go on. */
#define IDLE_MS 50

#define KNOWN_FLAGS (0x7ffffULL | DM_USER_REQ_MAP_FLAG_REPEAT)

/* What READs are answered with. */
static char held[DM_USER_MAX_IO_BYTES];

/* --- Judging */

static bool has_a_good_range(const struct dm_user_message *m)
{
	if (m->type == DM_USER_REQ_MAP_FLUSH)
		return m->len == 0 && m->sector == 0;
	return m->len > 0 && m->len % 512 == 0 && m->sector < TARGET_SECTORS &&
	       m->len <= (TARGET_SECTORS - m->sector) * 512;
}

static void judge_header(struct honest *h, const struct dm_user_message *m)
{
	bool ok = has_a_good_range(m) && !(m->flags & ~KNOWN_FLAGS);

	switch (m->type) {
	case DM_USER_REQ_MAP_READ:
	case DM_USER_REQ_MAP_WRITE:
		ok &= m->len <= DM_USER_MAX_IO_BYTES;
		break;
	case DM_USER_REQ_MAP_FLUSH:
	case DM_USER_REQ_MAP_DISCARD:
	case DM_USER_REQ_MAP_SECURE_ERASE:
	case DM_USER_REQ_MAP_WRITE_ZEROES:
		break;
	default:
		ok = false;
	}
	if (!ok)
		arena_wrong(
			"target %u sent a request that cannot be: seq %llu type %llu flags %llx "
			"sector %llu len %llu",
			h->target, m->seq, m->type, m->flags, m->sector, m->len);
}

static void judge_payload(struct honest *h, const struct dm_user_message *m)
{
	long at = pattern_find_foreign(m->buf, m->len, true);

	if (at >= 0)
		arena_wrong(
			"a write of %llu bytes to target %u has what nobody wrote, from byte %ld: "
			"%02x %02x %02x %02x",
			m->len, h->target, at, m->buf[at], m->buf[at + 1], m->buf[at + 2],
			m->buf[at + 3]);
}

/* --- Reading */

static size_t message_bytes(const struct dm_user_message *m)
{
	return sizeof(*m) + (m->type == DM_USER_REQ_MAP_WRITE ? m->len : 0);
}

static size_t piece(struct honest *h, size_t len)
{
	size_t n = h->chunk ? h->chunk : len;

	if (n * PIECES_MAX < len)
		n = len / PIECES_MAX + 1;
	return n < len ? n : len;
}

/* What the next read() should ask for: v1 never gets more than the rest of a header or payload. */
static size_t wanted(struct honest *h)
{
	const struct dm_user_message *m = (void *)h->buf;

	if (h->batch)
		return BUF_BYTES - h->have;
	if (h->have < sizeof(*m))
		return sizeof(*m) - h->have;
	return message_bytes(m) - h->have;
}

/* Takes the complete messages out of the buffer, as far as there is place for them. */
static void take_messages(struct honest *h)
{
	size_t at = 0;
	bool room;

	while (h->nr_pending < HONEST_PENDING_MAX) {
		const struct dm_user_message *m = (void *)(h->buf + at);

		if (h->have - at < sizeof(*m))
			break;
		judge_header(h, m);
		if (arena->quit || h->have - at < message_bytes(m))
			break;
		if (m->type == DM_USER_REQ_MAP_WRITE)
			judge_payload(h, m);
		memcpy(&h->pending[h->nr_pending++], m, sizeof(*m));
		at += message_bytes(m);
	}
	room = h->nr_pending < HONEST_PENDING_MAX;
	h->have -= at;
	if (h->batch && room && h->have)
		arena_wrong("target %u sent a part of a message", h->target);
	memmove(h->buf, h->buf + at, h->have);
}

/* 0, -EAGAIN: nothing to read now, or why the channel is over. */
static int read_some(struct honest *h)
{
	size_t len = wanted(h);
	long n;

	/* there was no place for all that the last read() brought */
	if (h->batch && h->have) {
		take_messages(h);
		return 0;
	}
	if (!h->batch && h->have >= sizeof(struct dm_user_message))
		len = piece(h, len);
	else if (h->chunk && !h->batch)
		len = h->chunk < len ? h->chunk : len;
	n = tally_count(TALLY_HONEST_READ, read(h->fd, h->buf + h->have, len));
	if (n < 0)
		return n == -EINTR ? -EAGAIN : n;
	if (n == 0) {
		arena_wrong("a read of %zu bytes from target %u yields none", len, h->target);
		return -EIO;
	}
	h->have += n;
	take_messages(h);
	return 0;
}

/* --- Answering */

static int write_all(struct honest *h, const char *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		long n = tally_count(TALLY_HONEST_WRITE,
				     write(h->fd, buf + done, piece(h, len - done)));

		if (n == 0)
			arena_wrong("a write to target %u takes nothing", h->target);
		if (n == 0 || (n < 0 && n != -EINTR && n != -EAGAIN))
			return n < 0 ? n : -EIO;
		done += n > 0 ? n : 0;
	}
	return 0;
}

/* Picks a request, and writes its answer's header. Returns the bytes that must follow. */
static size_t prepare_answer(struct honest *h, struct dm_user_message *ret_answer)
{
	struct dm_user_message *request = &h->pending[prng_below(&h->prng, h->nr_pending)];
	size_t len = 0;

	memset(ret_answer, PATTERN_HELD, sizeof(*ret_answer));
	ret_answer->seq = request->seq;
	ret_answer->type = prng_one_in(&h->prng, 30) ? 1 + prng_below(&h->prng, 2) : 0;
	if (request->type == DM_USER_REQ_MAP_READ && ret_answer->type == DM_USER_RESP_SUCCESS)
		len = request->len;
	ret_answer->len = len;
	*request = h->pending[--h->nr_pending];
	return len;
}

static int answer_in_pieces(struct honest *h)
{
	struct dm_user_message answer;
	size_t len = prepare_answer(h, &answer);
	int r = write_all(h, (char *)&answer, sizeof(answer));

	return r < 0 ? r : write_all(h, held, len);
}

/* Skips what has been written. */
static unsigned advance(struct iovec *iov, unsigned n, size_t done)
{
	unsigned i = 0;

	while (i < n && done >= iov[i].iov_len)
		done -= iov[i++].iov_len;
	memmove(iov, iov + i, (n - i) * sizeof(*iov));
	if (n > i) {
		iov->iov_base = (char *)iov->iov_base + done;
		iov->iov_len -= done;
	}
	return n - i;
}

/* In one write(), one answer; or several, on a channel that takes batches. */
static int answer_whole(struct honest *h)
{
	unsigned several = h->batch ? 1 + prng_below(&h->prng, h->nr_pending) : 1, n = 0;
	struct dm_user_message answers[HONEST_PENDING_MAX];
	struct iovec iov[2 * HONEST_PENDING_MAX];

	for (unsigned i = 0; i < several; i++) {
		size_t len = prepare_answer(h, &answers[i]);

		iov[n++] = (struct iovec){ &answers[i], sizeof(answers[i]) };
		if (len)
			iov[n++] = (struct iovec){ held, len };
	}
	while (n) {
		long done = tally_count(TALLY_HONEST_WRITE, writev(h->fd, iov, n));

		if (done < 0 && done != -EINTR)
			return done;
		if (done == 0) {
			arena_wrong("a writev to target %u takes nothing", h->target);
			return -EIO;
		}
		n = advance(iov, n, done > 0 ? done : 0);
	}
	return 0;
}

static int answer_some(struct honest *h)
{
	return h->chunk && !h->batch ? answer_in_pieces(h) : answer_whole(h);
}

/* --- One channel's life */

/* Asks for what is new since version 1; half of the channels go on as in version 1. */
static void channel_opt_in(struct honest *h)
{
	struct dm_user_info info;
	struct dm_user_batch batch = { 0 };

	memset(&info, 0xff, sizeof(info));
	if (tally_count(TALLY_HONEST_IOCTL, ioctl(h->fd, DM_USER_IOC_INFO, &info)) < 0 ||
	    info.sectors != TARGET_SECTORS || info.padding || info.flags & ~0xfU)
		arena_wrong("target %u says of itself what is not true", h->target);
	if (prng_one_in(&h->prng, 2))
		h->batch = tally_count(TALLY_HONEST_IOCTL,
				       ioctl(h->fd, DM_USER_IOC_BATCH, &batch)) == 0;
}

static bool channel_open(struct honest *h)
{
	char path[64];

	arena_node(path, sizeof(path), h->target, h->place->node_live);
	h->nonblock = prng_one_in(&h->prng, 2);
	h->fd = tally_count(TALLY_HONEST_OPEN, open(path, O_RDWR | O_CLOEXEC |
							  (h->nonblock ? O_NONBLOCK : 0)));
	if (h->fd < 0)
		return false;
	h->chunk = prng_one_in(&h->prng, 3) ? 1 + prng_small(&h->prng, 8192) : 0;
	h->batch = false;
	h->have = 0;
	h->nr_pending = 0;
	h->patience = 1 + prng_small(&h->prng, HONEST_PENDING_MAX);
	channel_opt_in(h);
	return true;
}

/* Whether a read() would find something, or say soon that there is nothing. */
static bool has_to_read(struct honest *h)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };

	if ((h->batch && h->have) || (h->nonblock && h->nr_pending))
		return true;
	/* it would wait for more, but those who were read wait for their answer */
	return tally_count(TALLY_HONEST_POLL, poll(&p, 1, h->nr_pending ? 0 : IDLE_MS)) > 0;
}

/* Whether the channel can go on. */
static bool serve_once(struct honest *h)
{
	bool idle = false;
	int r = 0;

	if (h->nr_pending < h->patience) {
		idle = !has_to_read(h);
		if (!idle)
			r = read_some(h);
		if (r == -EAGAIN) {
			idle = true;
			r = 0;
		}
	}
	if (r == 0 && h->nr_pending && (idle || h->nr_pending >= h->patience))
		r = answer_some(h);
	return r == 0;
}

static void serve(struct honest *h)
{
	unsigned rounds = prng_small(&h->prng, 2000);

	if (!channel_open(h)) {
		arena_rest_without_node(h->place);
		return;
	}
	while (rounds-- && (h->place->mood & MOOD_HONEST) && !arena->stop && !arena->quit) {
		h->beats++;
		if (!serve_once(h))
			break;
	}
	/* half of those who go have answered all that they can */
	if (prng_one_in(&h->prng, 2)) {
		while (h->nr_pending && answer_some(h) == 0)
			;
	}
	tally_count(TALLY_HONEST_CLOSE, close(h->fd));
}

static void *honest_run(void *userdata)
{
	struct honest *h = userdata;

	arena_name_thread("honest", h->target, h->index);
	while (!arena->stop && !arena->quit) {
		unsigned mood = h->place->mood;

		if (mood & MOOD_HONEST) {
			h->beats++;
			serve(h);
			continue;
		}
		h->beats = 0;
		arena_rest_while(&h->place->mood, mood);
	}
	return NULL;
}

void honest_start(struct honest *h, unsigned target, unsigned index)
{
	*h = (struct honest){ .target = target, .index = index, .place = &arena->places[target] };
	h->prng = prng_new(arena->seed, PRNG_HONEST, target, index);
	h->buf = mmap(NULL, BUF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->buf == MAP_FAILED) {
		arena_wrong("no memory");
		return;
	}
	memset(held, PATTERN_HELD, sizeof(held));
	pthread_create(&h->thread, NULL, honest_run, h);
}

void honest_join(struct honest *h)
{
	pthread_join(h->thread, NULL);
	munmap(h->buf, BUF_BYTES);
}
