/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsers, started ahead and used once.
 *
 * A parser of the pool is sealed and has passed the gate; whoever takes one talks to it over its link
 * and gives it back to be ended. Each lives under a uid of its own, which no other process gets before
 * the parser is known to be dead.
 */
#pragma once

#include "dmuserd/supervisor/manager.h"

struct parser;
struct parser_pool;

/*
 * Ends what an earlier supervisor's pool has left, then begins to fill this one. Needs m->spawner, and
 * m->settings to stay as they are.
 */
int parser_pool_new(struct manager *m, struct parser_pool **ret_pool);
/* Every parser is ended, taken ones too. No callbacks any more. */
void parser_pool_free(struct parser_pool *pool);

/* parser: the caller's now; NULL with a negative errno when none could be started. */
typedef void (*parser_ready_fn)(void *userdata, int error, struct parser *parser);

/*
 * 0 with *ret_parser, which is the caller's now; 1: none is ready, `ready` will be called, once, from the
 * loop; or a negative errno. userdata tells waiters apart.
 */
int parser_pool_take(struct parser_pool *pool, parser_ready_fn ready, void *userdata,
		     struct parser **ret_parser);
/* The waiter with this userdata does not want one any more. No such waiter is fine. */
void parser_pool_cancel(struct parser_pool *pool, const void *userdata);

/* The supervisor's end of its link, a non-blocking SOCK_SEQPACKET socket; stays the parser's. */
int parser_link(const struct parser *parser);

/* Closes its link and has it killed. NULL is fine. */
void parser_end(struct parser *parser);
