/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool with a spawner and a gate that are played at link time: spawner_*() and gate_check(). A
 * parser is a child of the test that only waits, so that its pidfd is a real one; what it should
 * say, the test says.
 */
#pragma once

#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/spawner-link.h"

#include <stdbool.h>

#define POOL_CHILDREN_MAX 64
#define POOL_DEADLINE_USEC UINT64_C(10000000)

/* A start that was asked for. */
struct start {
	struct spawner_request request;
	int link, setup; /* the parser's own ends */
	spawner_spawned_fn spawned;
	void *userdata;
	pid_t pid;
	bool killed, forgotten;
};

struct pool_world {
	struct manager m;
	char directory[64];
	struct start starts[POOL_CHILDREN_MAX];
	size_t n_starts;
	int spawn_error, list_error; /* what asking for one gives */
	int gate;      /* what the gate says */
	size_t n_gate; /* how often it was asked */
	struct gate_expectation expected;
	spawner_child_fn child;
	spawner_listed_fn listed;
	void *list_userdata;
	size_t n_lists; /* that were asked for */

	/* What pool_take() has led to since it was last called. */
	struct {
		size_t n;
		int error;
		struct parser *parser;
	} got;
};
extern struct pool_world pool;

/* Sixteen uids, two parsers kept ready; begins when it is known that no uid is taken. */
int pool_begin(void **state);
/* The same with two uids. */
int pool_begin_with_two(void **state);
/* The same while it is not known yet which are taken. */
int pool_begin_unlisted(void **state);
int pool_end(void **state);

#define TEST(name) cmocka_unit_test_setup_teardown(name, pool_begin, pool_end)
#define TEST_WITH_TWO(name) cmocka_unit_test_setup_teardown(name, pool_begin_with_two, pool_end)
#define TEST_UNLISTED(name) cmocka_unit_test_setup_teardown(name, pool_begin_unlisted, pool_end)

/* Does what is due, waits for nothing. */
void pool_settle(void);

/* The spawner has named all that it has, or failed to. */
void list_ends(int error);
/* A process that only waits, and holds nothing of this one. */
pid_t start_waiter(void);

/* The i-th start has led to a process. */
void comes_to_life(size_t i);
/* It says how far it has got; it closes its setup socket; all that a sound one does; it is killed. */
void reports(size_t i, enum confine_step step, int error);
void closes_setup(size_t i);
void gets_ready(size_t i);
void dies(size_t i);

/* As parser_pool_take(); what comes later is in pool.got. */
int pool_take(struct parser **ret_parser);
