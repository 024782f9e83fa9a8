// SPDX-License-Identifier: Apache-2.0
/*
 * A parser that its client has taken over: sealed like any other, then tells the supervisor whatever it
 * likes. The client's first byte chooses what, the ones behind it are the seed. Goes on until the
 * supervisor has closed. Built in the real one's place, and under its profile.
 */
#include "api/worker/seal.h"
#include "dmuserd/messages/parser.h"
#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT (CONFINE_FD_LINK + 1)
#define VICTIM "victim"

static uint64_t state = 1;
static struct parser_message message;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 11;
}

/* What a client with root's rights could ask for; this one has none. */
static void write_sound(void)
{
	static const uint32_t methods[] = { PARSER_METHOD_DESCRIBE, PARSER_METHOD_RELEASE,
					    PARSER_METHOD_CREATE, PARSER_METHOD_LIST };

	message = (struct parser_message){ .version = PARSER_MESSAGE_VERSION,
					   .event = PARSER_REQUEST,
					   .method = methods[next_random() % 4] };
	if (message.method == PARSER_METHOD_CREATE) {
		strcpy(message.create.name, "stolen");
		strcpy(message.create.backend, "memory");
		message.create.size_bytes = 1 << 20;
		message.create.keep = 1;
	} else if (message.method != PARSER_METHOD_LIST) {
		strcpy(message.volume.name, VICTIM);
		message.volume.owner = 0;
		message.volume.timeout_ms = PARSER_UNSET;
	}
}

static void write_random(void)
{
	char *bytes = (char *)&message;

	for (size_t i = 0; i < sizeof(message); i++)
		bytes[i] = (char)next_random();
}

/* Sound but for some bytes, most of them where the numbers are. */
static void write_damaged(void)
{
	write_sound();
	for (int i = 0; i < 4; i++) {
		size_t range = next_random() % 2 ? 32 : sizeof(message);

		((char *)&message)[next_random() % range] = (char)next_random();
	}
}

static int tell(size_t size, size_t n_fds)
{
	const int fds[] = { CLIENT, CLIENT, CLIENT, CLIENT, CLIENT, CLIENT };

	return fd_send(CONFINE_FD_LINK, &message, size, fds, n_fds, 0);
}

static int tell_once(char kind)
{
	switch (kind) {
	case 'r':
		write_random();
		return tell(sizeof(message), 0);
	case 'd':
		write_damaged();
		return tell(sizeof(message), 0);
	case 's':
		write_random();
		return tell(1 + next_random() % sizeof(message), 0);
	case 'f':
		/* As many as it says, or not. */
		write_sound();
		message.n_fds = (uint32_t)(next_random() % 7);
		return tell(sizeof(message), next_random() % 7);
	default:
		/* In the right form, and nobody has asked. */
		write_sound();
		return tell(sizeof(message), 0);
	}
}

int main(void)
{
	static const struct seal seal = { .nofile_max = 16 };
	struct parser_order order;
	char words[64] = "";
	int client = -EBADF;
	size_t n = 0;

	seal_enter();
	seal_finish(&seal);
	if (fd_recv_exact(CONFINE_FD_LINK, &order, sizeof(order), &client, 1, &n, 0) < 0)
		_exit(0);
	(void)ppoll(&(struct pollfd){ .fd = client, .events = POLLIN }, 1, NULL, NULL);
	(void)fd_recv(client, words, sizeof(words) - 1, NULL, 0, NULL, MSG_DONTWAIT);
	for (const char *c = words; *c; c++)
		state = state * 31 + (unsigned char)*c;
	while (tell_once(words[0]) == 0)
		;
	_exit(0);
}
