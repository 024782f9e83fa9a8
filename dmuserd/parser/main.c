// SPDX-License-Identifier: Apache-2.0
/*
 * dmuser-parser: reads what one client sends, or one backend's manifest, and tells the supervisor.
 *
 * Its powers, once sealed: receive on the link and on the one descriptor it is assigned, send on
 * the link, wait, close, exit. It runs under a uid of its own in an empty root, cannot open
 * anything, and cannot get more memory than it starts with. It believes nobody; and nobody believes
 * it: what it sends is checked again. Started ahead of time, used once.
 */
#include "api/worker/seal.h"
#include "dmuserd/parser/call.h"
#include "dmuserd/parser/serve.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The worst message that text.h lets through takes json-c a fifth of this. Untouched, it
 * costs nothing. */
#define HEAP_BYTES (16 * 1024 * 1024)
/* 0, 1, 2, the link, the client, one message's descriptors, and the seal's two at the time of the
 * limit. */
#define NOFILE_MAX (3 + 2 + PARSER_FDS_MAX + 2)

static struct server server = {
	.link = CONFINE_FD_LINK,
	.client = -EBADF,
	.deadline_ms = PARSER_MESSAGE_DEADLINE_MS,
};

/* Gets all the memory there will be: afterwards malloc() has no need of the kernel. */
static int reserve_heap(void)
{
	void *heap;

	/* Only from the heap, and nothing of it back. */
	if (!mallopt(M_MMAP_MAX, 0) || !mallopt(M_TRIM_THRESHOLD, 2 * HEAP_BYTES))
		return -EINVAL;
	heap = malloc(HEAP_BYTES);
	if (!heap)
		return -ENOMEM;
	free(heap);
	return 0;
}

/* What is set up at its first use (json-c's hash seed, for one) has to be used before the seal. */
static int warm_up(void)
{
	static const char call[] =
		"{\"method\":\"io.dmuser.Create\",\"more\":true,\"parameters\":{\"name\":\"v\","
		"\"backend\":\"b\",\"size_bytes\":4096,\"options\":{\"path\":\"\\u00e9\"}}}";
	int r = call_parse(&server.text, call, sizeof(call) - 1, 0, &server.message);

	if (r < 0)
		return r;
	return server.message.event == PARSER_REQUEST ? 0 : -EINVAL;
}

/* To whoever starts it by hand. The spawner starts it with nothing to say on the command line. */
static bool asks_for_help(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], "--help") == 0;
}

static int help(void)
{
	static const char text[] =
		"Usage: dmuser-parser\n"
		"\n"
		"Reads what one client of dmuserd says, or one backend's manifest, with no power to do\n"
		"anything else. dmuserd has it started, by dmuser-spawner and confined, on descriptors\n"
		"that nobody else has: by hand it cannot be started. See dmuserd(8).\n";

	return write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct seal seal = { .nofile_max = NOFILE_MAX };
	int r;

	if (asks_for_help(argc, argv))
		return help();
	seal_enter();
	r = reserve_heap();
	if (r == 0)
		r = warm_up();
	if (r < 0)
		seal_fail(CONFINE_PREPARE, r, "memory and warm-up");
	seal_finish(&seal);
	_exit(serve(&server) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
