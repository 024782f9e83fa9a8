/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A front with played volumes and parsers, and clients by the hand of the test.
 *
 * Everything is in this process and on sockets, so what has been said has been heard once the loop finds
 * nothing more to do: stage_settle().
 */
#pragma once

#include "dmuserd/supervisor/connection.h"
#include "fake-pool.h"
#include "fake-volumes.h"

struct stage {
	struct manager m;
	int listener;
};
extern struct stage stage;

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int stage_begin(void **state);
int stage_end(void **state);
void stage_settle(void);
/* Runs the loop until the client's end is closed, which must be before long. */
void stage_wait_closed(int client);

struct actor {
	int fd;     /* the client's own end */
	int parser; /* its parser's own end; -1: none yet */
	int socket; /* the copy of its socket that the parser was given */
};

/* A client of that uid, in the group, whose parser has its socket. */
struct actor client_new(uid_t uid);
void client_gone(struct actor *a);
/* What it is sent next, up to the NUL; NULL: nothing waits. Valid until the next call. */
const char *client_hears(const struct actor *a);
/* It is sent something, and that has these words. */
void heard(const struct actor *a, const char *words);
bool client_is_cut_off(const struct actor *a);

/* The parser's message. fd -1: none. */
void parser_says(const struct actor *a, const struct parser_message *message, int fd);
/* The same with a descriptor, which counts as a pidfd. */
void parser_says_with_fd(const struct actor *a, struct parser_message *message);
/* Whether it has been told NEXT since. */
bool parser_has_next(const struct actor *a);
/* One call and a word of its answer. */
void says(const struct actor *a, const struct parser_message *message, const char *answer);

/* Messages that a sound parser sends. */
struct parser_message *says_request(enum parser_method method);
struct parser_message *says_end(void);
struct parser_message *says_create(const char *name, bool keep);
struct parser_message *says_volume(enum parser_method method, const char *name);
struct parser_message *says_volume_of(enum parser_method method, const char *name,
				      const char *container);
