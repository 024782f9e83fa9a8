// SPDX-License-Identifier: Apache-2.0
/*
 * read(2) and its siblings on a channel: of any size, into any memory.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena.h"
#include "holder.h"

#define HEADER sizeof(struct dm_user_message)

static size_t random_size(struct holder *h)
{
	static const size_t sizes[] = { 0,
					1,
					HEADER - 1,
					HEADER,
					HEADER,
					HEADER,
					HEADER,
					HEADER,
					HEADER,
					HEADER + 1,
					HEADER + 512,
					HEADER + 4096,
					4096,
					65536,
					MEMORY_GOOD_BYTES,
					0x7ffff000,
					(size_t)-1 };

	if (prng_one_in(&h->prng, 5))
		return prng_small(&h->prng, MEMORY_GOOD_BYTES);
	return sizes[prng_below(&h->prng, sizeof(sizes) / sizeof(*sizes))];
}

/* What looks like a header is remembered, to be answered. */
static const struct dm_user_message *remember(struct holder *h, int fd, const void *data, long len)
{
	struct known *k = &h->known[h->nr_known % HOLDER_KNOWN];

	if (len < (long)HEADER)
		return NULL;
	memcpy(&k->message, data, HEADER);
	if (k->message.type > DM_USER_REQ_MAP_WRITE_ZEROES || k->message.len > TARGET_BYTES)
		return NULL;
	k->fd = fd;
	k->answered = false;
	h->nr_known++;
	return &k->message;
}

static void read_plain(struct holder *h, int fd)
{
	const struct dm_user_message *m;
	size_t size = random_size(h);
	char *place = h->memory.good;
	long n;

	/* its end is where nothing is */
	if (size < MEMORY_GOOD_BYTES && prng_one_in(&h->prng, 10))
		place += MEMORY_GOOD_BYTES - size;
	n = tally_count(TALLY_READ, read(fd, place, size));
	m = remember(h, fd, place, n);
	/* mostly the next read is to find a header again */
	if (m && m->type == DM_USER_REQ_MAP_WRITE && m->len && n == HEADER &&
	    !prng_one_in(&h->prng, 4))
		tally_count(TALLY_READ, read(fd, h->memory.good, m->len));
}

static unsigned random_iov(struct holder *h, struct iovec iov[8])
{
	unsigned n = prng_below(&h->prng, 9);
	char *place = h->memory.good;

	for (unsigned i = 0; i < n; i++) {
		size_t len = prng_one_in(&h->prng, 4) ? 0 : prng_small(&h->prng, 9000);

		iov[i] = (struct iovec){ place, len };
		if (prng_one_in(&h->prng, 20))
			iov[i].iov_base = memory_bad(&h->memory, &h->prng, NULL, len);
		place += len;
	}
	return n;
}

static void read_odd(struct holder *h, int fd)
{
	static const int flags[] = { 0, 0, 0, 0, RWF_NOWAIT, RWF_HIPRI, RWF_DSYNC, 0x4000 };
	struct iovec iov[8];
	unsigned n = random_iov(h, iov);

	if (prng_one_in(&h->prng, 50))
		n = 2000;
	remember(h, fd, h->memory.good,
		 tally_count(TALLY_READ_ODD, preadv2(fd, iov, n, -1,
						     flags[prng_below(&h->prng, 8)])));
}

static void read_bad(struct holder *h, int fd)
{
	size_t len = prng_one_in(&h->prng, 2) ? HEADER : random_size(h) % 16384;

	tally_count(TALLY_READ_BAD, read(fd, memory_bad(&h->memory, &h->prng, NULL, len), len));
}

void misread(struct holder *h, int fd)
{
	switch (prng_below(&h->prng, 10)) {
	case 0:
		read_bad(h, fd);
		break;
	case 1:
	case 2:
		read_odd(h, fd);
		break;
	default:
		read_plain(h, fd);
	}
}
