// SPDX-License-Identifier: Apache-2.0
/*
 * Channels in sockets: passed on, left behind in a socket that closes, and in a socket that only
 * the socket itself refers to, which the kernel's collector closes some time.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"
#include "holder.h"
#include "slots.h"

#define PASSED_MAX 4

struct packet {
	struct msghdr header;
	struct iovec iov;
	char byte;
	union {
		char space[CMSG_SPACE(sizeof(int) * PASSED_MAX)];
		struct cmsghdr aligned;
	} control;
};

static void packet_init(struct packet *p)
{
	memset(p, 0, sizeof(*p));
	p->iov = (struct iovec){ &p->byte, 1 };
	p->header.msg_iov = &p->iov;
	p->header.msg_iovlen = 1;
	p->header.msg_control = &p->control;
	p->header.msg_controllen = sizeof(p->control);
}

static long send_fds(int socket, const int *fds, unsigned n)
{
	struct packet p;

	packet_init(&p);
	p.header.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	struct cmsghdr *c = CMSG_FIRSTHDR(&p.header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	return tally_count(TALLY_PASS, sendmsg(socket, &p.header, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* What comes goes to the slots. */
static void receive_fds(struct holder *h, int socket, int flags)
{
	struct packet p;
	int fds[PASSED_MAX];

	packet_init(&p);
	if (tally_count(TALLY_PASS, recvmsg(socket, &p.header,
					    MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags)) < 0)
		return;
	struct cmsghdr *c = CMSG_FIRSTHDR(&p.header);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return;
	unsigned n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	for (unsigned i = 0; i < n; i++) {
		int old = slots_put(&h->prng, h->target, fds[i]);

		if (old >= 0)
			tally_count(TALLY_CLOSE, close(old));
	}
}

void pass_on(struct holder *h, int fd)
{
	int ends[2], fds[PASSED_MAX] = { fd, fd, fd, fd };
	unsigned n = 1 + prng_below(&h->prng, PASSED_MAX);

	if (socketpair(AF_UNIX,
		       (prng_one_in(&h->prng, 2) ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0,
		       ends) < 0)
		return;
	switch (prng_below(&h->prng, 4)) {
	case 0:
		/* the socket will hold itself, and the channel */
		fds[0] = ends[0];
		fds[1] = ends[1];
		n = PASSED_MAX;
		send_fds(ends[0], fds, n);
		send_fds(ends[1], fds, n);
		break;
	case 1:
		send_fds(ends[0], fds, n);
		break;
	case 2:
		if (send_fds(ends[0], fds, n) >= 0)
			receive_fds(h, ends[1], MSG_PEEK);
		break;
	default:
		if (send_fds(ends[0], fds, n) >= 0)
			receive_fds(h, ends[1], 0);
	}
	close(ends[0]);
	close(ends[1]);
}
