// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a target's messages, whatever else is being done to it; decides who may hold channels of it
 * for a while; and sees that no suspend waits for ever for a holder that does not answer.
 */
#include <signal.h>
#include <string.h>

#include "arena.h"
#include "controller.h"
#include "mapper.h"

/* So long a suspend may wait for holders, mostly. */
#define PATIENCE_MS 500
/* So often everything fails at the latest: what nobody answers must not look like a hang. */
#define FAIL_EVERY_MS 20000

static void message(struct controller *c, enum tally_kind kind, uint64_t sector, const char *text)
{
	pthread_mutex_lock(&c->talking);
	if (c->place->open)
		mapper_message(c->target, kind, sector, text);
	pthread_mutex_unlock(&c->talking);
}

static void send_fail(struct controller *c)
{
	message(c, TALLY_FAIL, 0, "fail");
	c->failing = true;
}

static void send_junk(struct controller *c)
{
	static const char *const junk[] = {
		"", " ", "fail now", "fail fail", "FAIL\\", "unfail 1", "fence 3", "stats", "x",
		"@cancel_deferred_remove", "@x", "\xff\xff", "reset_stats",
		"a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9 10 11 12 13",
		"%s%s%n",
	};
	char big[1500];
	uint64_t sector = prng_one_in(&c->messages, 4) ? prng_next(&c->messages) : 0;

	memset(big, 'f', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	message(c, TALLY_MESSAGE, sector,
		prng_one_in(&c->messages, 10) ? big :
		junk[prng_below(&c->messages, sizeof(junk) / sizeof(*junk))]);
}

/* Somebody's I/O holds a suspend up: end it, or the suspend. */
static void help_out(struct controller *c)
{
	if (prng_one_in(&c->messages, 3))
		send_fail(c);
	else
		tally_count(TALLY_INTERRUPT, pthread_kill(c->thread, SIGUSR1));
}

static void change_mood(struct controller *c)
{
	static const unsigned moods[] = { MOOD_HONEST, MOOD_HONEST, MOOD_HONEST, MOOD_HOSTILE, 0,
					  MOOD_HONEST | MOOD_HOSTILE, MOOD_HONEST | MOOD_HOSTILE,
					  MOOD_HONEST | MOOD_HOSTILE, MOOD_HONEST | MOOD_HOSTILE };

	arena_tell(&c->place->mood,
		   moods[prng_below(&c->messages, sizeof(moods) / sizeof(*moods))]);
	c->mood_until = arena_now_ms() + 1 + prng_small(&c->messages, 2000);
}

static void step(struct controller *c, uint64_t *next_fail)
{
	unsigned choice = prng_below(&c->messages, 1000);
	uint64_t since = c->busy_since, now = arena_now_ms();

	if (now >= c->mood_until)
		change_mood(c);
	if (c->failing && prng_one_in(&c->messages, 4)) {
		message(c, TALLY_UNFAIL, 0, "unfail");
		c->failing = false;
	} else if (now >= *next_fail || choice < 3) {
		*next_fail = now + FAIL_EVERY_MS;
		send_fail(c);
	} else if (since && prng_one_in(&c->messages, now > since + PATIENCE_MS ? 4 : 100)) {
		help_out(c);
	} else if (choice < 6) {
		message(c, TALLY_UNFAIL, 0, "unfail");
	} else if (choice < 30) {
		message(c, TALLY_FENCE, 0, "fence");
	} else if (choice < 60) {
		send_junk(c);
	} else if (choice < 150) {
		mapper_status(c->target, prng_one_in(&c->messages, 2) ? 0 : 1 << 4);
	}
}

void *messenger_run(void *userdata)
{
	struct controller *c = userdata;
	uint64_t next_fail = arena_now_ms() + FAIL_EVERY_MS;

	arena_name_thread("message", c->target, 0);
	while (!arena->stop && !arena->quit) {
		arena_rest_operations(prng_small(&c->messages, 1000));
		step(c, &next_fail);
	}
	/* the other thread may be in a suspend, which has to end before the target can */
	while (!arena->quit && c->place->open) {
		send_fail(c);
		arena_rest(50);
	}
	return NULL;
}
