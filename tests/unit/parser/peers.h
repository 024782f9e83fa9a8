/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser in a process of its own, and the two that it stands between, both played by the test.
 *
 * Every wait has an end, at which the test fails; the parser ends with the test.
 */
#pragma once

#include "expect.h"

#include <sys/types.h>

/* What does not happen within this time does not happen. */
#define PATIENCE_MS 20000

#define PING "{\"method\":\"io.dmuser.Ping\"}"
#define LIST "{\"method\":\"io.dmuser.List\"}"
#define BIND \
	"{\"method\":\"io.dmuser.Bind\",\"parameters\":{\"name\":\"v\"," \
	"\"container\":{\"id\":\"c\",\"pidfd\":0}}}"

struct peers {
	pid_t pid;
	int link;   /* the supervisor's end */
	int client; /* the client's end */
	int peer;   /* the other end of the client's connection, until it is assigned */
	struct parser_message message; /* the latest */
};

extern struct peers peers;

/* The child runs this with its end of the link; it does not return. */
void peers_start(void (*be_parser)(int link));
/* A teardown: whatever a test has left. */
int peers_stop(void **state);

void close_fd(int *fd);
void wait_for(int fd, short events);
/* The other side of this descriptor is closed. */
void is_closed(int fd);

void order_with(uint32_t version, uint32_t command, const int *fd);
void next(void);
void assign(void);
/* Assigns a file of these bytes. */
void assign_manifest(const char *bytes, size_t size);
void client_sends(const char *bytes, size_t size, const int *fds, size_t n_fds);

/* The next message, with its descriptors put into fds[]. */
const struct parser_message *told_with_fds(int *fds, size_t max_fds);
void told_request(enum parser_method method);
void told_refusal(enum parser_refusal refusal, bool fatal, const char *text);
void told_end(void);

/* The parser exits by itself. */
void exits_with(int expected);
/* The supervisor hangs up, and that is a good end. */
void ends_well(void);

/* A pipe whose writing end shows, by its closing, that no copy of it is left. */
struct witness {
	int seen, sent;
};

struct witness witness_new(void);
/* After the test's own copies have been closed. */
void witness_sees_all_closed(struct witness *w);
