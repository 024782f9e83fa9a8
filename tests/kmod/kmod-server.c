// SPDX-License-Identifier: Apache-2.0
/*
 * kmod-server NAME SECTORS THREADS CHUNK|batch [shared]: serves a target from memory until it goes,
 * then prints the requests it has seen: "reads N", "writes N", … For tests/kmod/run.
 */
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "server.h"

int main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: kmod-server NAME SECTORS THREADS CHUNK|batch [shared]\n");
		return 2;
	}
	struct target t = { .sectors = strtoull(argv[2], NULL, 10) };
	static struct server server;

	snprintf(t.node, sizeof(t.node), DM_USER_DIRECTORY "/%s", argv[1]);
	if (strcmp(argv[4], "batch") == 0)
		server_start_batch(&server, &t, atoi(argv[3]), argc > 5);
	else
		server_start(&server, &t, atoi(argv[3]), argc > 5, strtoul(argv[4], NULL, 10));
	/* whoever waits for this line may submit now */
	puts("ready");
	fflush(stdout);
	server_join(&server);
	printf("reads %llu\nwrites %llu\nflushes %llu\ndiscards %llu\nzeroes %llu\nfua %llu\n",
	       server.counts[DM_USER_REQ_MAP_READ], server.counts[DM_USER_REQ_MAP_WRITE],
	       server.counts[DM_USER_REQ_MAP_FLUSH], server.counts[DM_USER_REQ_MAP_DISCARD],
	       server.counts[DM_USER_REQ_MAP_WRITE_ZEROES], server.fua);
	return 0;
}
