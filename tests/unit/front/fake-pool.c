// SPDX-License-Identifier: Apache-2.0
/* A pool whose parsers are played; see fake-pool.h. */
#include "test.h"
#include "fake-pool.h"

#include <fcntl.h>
#include <sys/socket.h>

struct parser {
	int link;
};

bool fake_pool_is_full;
int fake_parsers[FAKE_PARSERS_MAX];
size_t fake_n_parsers, fake_n_ended;

static struct {
	parser_ready_fn ready;
	void *userdata;
} waiters[FAKE_PARSERS_MAX];
static size_t n_waiters;

void fake_pool_reset(void)
{
	for (size_t i = 0; i < fake_n_parsers; i++) {
		if (fake_parsers[i] >= 0)
			close(fake_parsers[i]);
	}
	fake_n_parsers = fake_n_ended = n_waiters = 0;
	fake_pool_is_full = true;
}

static struct parser *make(void)
{
	struct parser *p = calloc(1, sizeof(*p));
	int pair[2];

	assert_non_null(p);
	assert_true(fake_n_parsers < FAKE_PARSERS_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	p->link = pair[0];
	fake_parsers[fake_n_parsers++] = pair[1];
	return p;
}

int parser_pool_take(struct parser_pool *pool, parser_ready_fn ready, void *userdata,
		     struct parser **ret_parser)
{
	if (fake_pool_is_full) {
		*ret_parser = make();
		return 0;
	}
	waiters[n_waiters].ready = ready;
	waiters[n_waiters++].userdata = userdata;
	return 1;
}

void fake_pool_hands_out(int error)
{
	parser_ready_fn ready = waiters[0].ready;
	void *userdata = waiters[0].userdata;

	assert_true(n_waiters > 0);
	memmove(waiters, waiters + 1, --n_waiters * sizeof(waiters[0]));
	ready(userdata, error, error < 0 ? NULL : make());
}

void parser_pool_cancel(struct parser_pool *pool, const void *userdata)
{
	for (size_t i = 0; i < n_waiters; i++) {
		if (waiters[i].userdata == userdata) {
			memmove(&waiters[i], &waiters[i + 1],
				(--n_waiters - i) * sizeof(waiters[0]));
			return;
		}
	}
}

int parser_link(const struct parser *parser)
{
	return parser->link;
}

void parser_end(struct parser *parser)
{
	if (!parser)
		return;
	fake_n_ended++;
	close(parser->link);
	free(parser);
}
