// SPDX-License-Identifier: Apache-2.0
/*
 * write(2) and its siblings on a channel: answers that are right, and every kind that is not. All
 * that is written is PATTERN_HELD but for a seq and a type, both small; pattern.h says why.
 */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "holder.h"
#include "pattern.h"

#define HEADER sizeof(struct dm_user_message)

struct answer {
	struct dm_user_message *header; /* at the beginning of good memory */
	size_t len;                     /* with its payload */
};

/* Mostly what this channel should answer; else anything, also what another channel had. */
static struct known *choose(struct holder *h, int fd)
{
	unsigned first = prng_below(&h->prng, HOLDER_KNOWN);

	for (unsigned i = 0; i < HOLDER_KNOWN; i++) {
		struct known *k = &h->known[(first + i) % HOLDER_KNOWN];

		if (k->fd == fd && !k->answered)
			return k;
	}
	return &h->known[first];
}

/* To a request that was read, or to none. */
static struct answer build(struct holder *h, int fd)
{
	struct answer a = { (void *)h->memory.good, HEADER };
	struct known *k = prng_one_in(&h->prng, 10) ?
			  &h->known[prng_below(&h->prng, HOLDER_KNOWN)] : choose(h, fd);
	const struct dm_user_message *m = &k->message;

	k->answered = true;

	memset(a.header, PATTERN_HELD, HEADER);
	a.header->seq = m->seq;
	a.header->type = prng_one_in(&h->prng, 10) ? 1 + prng_below(&h->prng, 2) : 0;
	if (m->type == DM_USER_REQ_MAP_READ && a.header->type == DM_USER_RESP_SUCCESS)
		a.len += m->len;
	if (a.len > MEMORY_GOOD_BYTES / 2)
		a.len = MEMORY_GOOD_BYTES / 2;
	/* a channel of whole messages looks at it */
	a.header->len = a.len - HEADER + prng_one_in(&h->prng, 20);
	memset(a.header->buf, PATTERN_HELD, a.len - HEADER);
	return a;
}

static void put(enum tally_kind kind, int fd, struct answer a, size_t len)
{
	tally_count(kind, write(fd, a.header, len));
}

static void write_correct(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	/* to the end, as far as other threads let it */
	for (size_t done = 0; done < a.len;) {
		long n = tally_count(TALLY_WRITE_CORRECT,
				     write(fd, (char *)a.header + done, a.len - done));

		if (n <= 0)
			break;
		done += n;
	}
}

static void write_part(struct holder *h, int fd)
{
	struct answer a = build(h, fd);
	size_t part = prng_small(&h->prng, a.len + 1);

	put(TALLY_WRITE_PART, fd, a, part);
	/* the rest, after whatever others have done meanwhile; or none */
	if (!prng_one_in(&h->prng, 4))
		put(TALLY_WRITE_PART, fd, (struct answer){ (void *)((char *)a.header + part), 0 },
		    a.len - part);
}

static void write_surplus(struct holder *h, int fd)
{
	struct answer a = build(h, fd);
	size_t more = 1 + prng_small(&h->prng, 9000);

	memset((char *)a.header + a.len, PATTERN_HELD, more);
	put(TALLY_WRITE_SURPLUS, fd, a, a.len + more);
	/* the surplus is what would come next */
	put(TALLY_WRITE_SURPLUS, fd, (struct answer){ (void *)((char *)a.header + a.len), more },
	    more);
}

static void write_again(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	put(TALLY_WRITE_AGAIN, fd, a, a.len);
	put(TALLY_WRITE_AGAIN, fd, a, a.len);
}

static void write_unknown(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	if (prng_one_in(&h->prng, 2))
		a.header->seq += prng_small(&h->prng, 100000);
	else
		memset(&a.header->seq, PATTERN_HELD, sizeof(a.header->seq));
	put(TALLY_WRITE_UNKNOWN, fd, a, a.len);
}

static void write_type(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	a.header->type = 3 + prng_below(&h->prng, 250);
	if (prng_one_in(&h->prng, 3))
		memset(&a.header->type, PATTERN_HELD, sizeof(a.header->type));
	put(TALLY_WRITE_TYPE, fd, a, a.len);
}

static void write_giant(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	memset(&a.header->len, prng_one_in(&h->prng, 2) ? 0xff : 0, sizeof(a.header->len));
	/* where nothing is read to, so that all that follows need not be filled again */
	memcpy(h->memory.giant, a.header, HEADER);
	a.header = (void *)h->memory.giant;
	put(TALLY_WRITE_GIANT, fd, a, prng_one_in(&h->prng, 2) ? MEMORY_GOOD_BYTES : 0x7ffff000);
}

static void write_bytes(struct holder *h, int fd)
{
	struct answer a = build(h, fd);
	unsigned step = 1 + prng_small(&h->prng, 40);

	for (size_t done = 0; done < a.len && done < 64 * step; done += step) {
		size_t len = a.len - done < step ? a.len - done : step;

		if (tally_count(TALLY_WRITE_BYTES, write(fd, (char *)a.header + done, len)) < 0)
			break;
	}
}

/* What a channel that takes batches would take whole. */
static void write_several(struct holder *h, int fd)
{
	size_t len = 0;
	unsigned n = 2 + prng_below(&h->prng, 4);
	char *place = h->memory.good + MEMORY_GOOD_BYTES / 2;

	for (unsigned i = 0; i < n; i++) {
		struct answer a = build(h, fd);

		if (len + a.len > MEMORY_GOOD_BYTES / 2)
			break;
		memcpy(place + len, a.header, a.len);
		len += a.len;
	}
	tally_count(TALLY_WRITE_SEVERAL, write(fd, place, len));
}

static void write_odd(struct holder *h, int fd)
{
	static const int flags[] = { 0, 0, 0, 0, RWF_NOWAIT, RWF_DSYNC, RWF_APPEND, 0x4000 };
	struct answer a = build(h, fd);
	struct iovec iov[16];
	unsigned n = 0;
	size_t done = 0;

	while (n < 16 && done < a.len) {
		size_t len = n == 15 ? a.len - done : prng_small(&h->prng, a.len - done + 1);

		iov[n++] = (struct iovec){ (char *)a.header + done, len };
		done += len;
	}
	if (prng_one_in(&h->prng, 10))
		iov[prng_below(&h->prng, n)].iov_base =
			memory_bad(&h->memory, &h->prng, a.header, a.len);
	tally_count(TALLY_WRITE_ODD, pwritev2(fd, iov, prng_one_in(&h->prng, 50) ? 2000 : n, -1,
					      flags[prng_below(&h->prng, 8)]));
}

static void write_bad(struct holder *h, int fd)
{
	struct answer a = build(h, fd);

	/* the header arrives, and then the payload cannot */
	if (prng_one_in(&h->prng, 2)) {
		put(TALLY_WRITE_BAD, fd, a, HEADER);
		a.header = (void *)a.header->buf;
		a.len -= HEADER;
	}
	tally_count(TALLY_WRITE_BAD,
		    write(fd, memory_bad(&h->memory, &h->prng, a.header, a.len), a.len));
}

void miswrite(struct holder *h, int fd)
{
	static void (*const ways[])(struct holder *h, int fd) = {
		write_correct, write_correct, write_correct, write_correct, write_correct,
		write_correct, write_correct, write_correct, write_correct, write_correct,
		write_correct, write_correct, write_correct, write_correct, write_correct,
		write_correct, write_correct, write_part, write_part, write_surplus,
		write_again, write_unknown, write_type, write_giant, write_bytes, write_bytes,
		write_several, write_odd, write_odd, write_odd, write_bad, write_bad,
	};

	ways[prng_below(&h->prng, sizeof(ways) / sizeof(*ways))](h, fd);
}
