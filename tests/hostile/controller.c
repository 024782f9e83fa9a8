// SPDX-License-Identifier: Apache-2.0
/*
 * A target's lives, one after the other. Each ends as DESIGN's release does: `fail`, resume, and
 * then whatever was submitted must be over, and the device must be removable, without any holder's
 * help. That is where a hang is found.
 */
#include "controller.h"

#include <errno.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "mapper.h"
#include "table.h"

/* Far more than an end takes under emulation, on a kernel that checks itself. */
#define END_MS 100000

/* --- Whole lives */

static int load(struct controller *c, bool read_only)
{
	char words[TABLE_WORDS_MAX];
	unsigned node = ++c->nr_nodes;
	int r;

	table_words(&c->prng, c->target, node, c->block_size, read_only, words);
	r = mapper_load(c->target, TALLY_LOAD, words, read_only ? DM_READONLY_FLAG : 0);
	if (r == 0)
		c->place->node_loaded = node;
	return r;
}

static int resume(struct controller *c, uint32_t flags)
{
	unsigned node = c->place->node_loaded;
	int r;

	c->busy_since = arena_now_ms();
	r = mapper_resume(c->target, flags);
	c->busy_since = 0;
	if (r == 0 && node) {
		arena_tell(&c->place->node_live, node);
		c->place->node_loaded = 0;
	}
	return r;
}

static bool begin(struct controller *c)
{
	uint64_t deadline = arena_now_ms() + END_MS;
	int r;

	c->block_size = prng_one_in(&c->prng, 4) ? 4096 : 512;
	/* the last one's minor may still be on its way back, which device-mapper calls ENXIO */
	while ((r = mapper_create(c->target)) == -ENXIO && arena_now_ms() < deadline)
		arena_rest(20);
	if (r < 0 || (r = load(c, false)) < 0 || (r = resume(c, 0)) < 0) {
		arena_wrong("target %u cannot be created: %s", c->target, strerrorname_np(-r));
		return false;
	}
	arena_tell(&c->place->open, true);
	return true;
}

static void await_submitters(struct controller *c)
{
	uint64_t deadline = arena_now_ms() + END_MS;

	while (c->place->inside && !arena->quit) {
		if (arena_now_ms() >= deadline)
			arena_wrong("target %u has failed, and %u submitters still wait",
				    c->target, c->place->inside);
		arena_rest(5);
	}
}

static void await_gone(struct controller *c, bool deferred)
{
	uint64_t deadline = arena_now_ms() + END_MS;
	int r;

	while (mapper_exists(c->target) && !arena->quit) {
		r = deferred ? -EBUSY : mapper_remove(c->target, false);
		if (r == 0 || r == -ENXIO)
			break;
		if (r != -EBUSY || arena_now_ms() >= deadline)
			arena_wrong("target %u has no user any more, and is not removed: %s",
				    c->target, strerrorname_np(-r));
		arena_rest(5);
	}
	c->place->node_live = 0;
	c->place->node_loaded = 0;
}

/* The target ends, with or without its holders. */
static void end(struct controller *c)
{
	bool deferred = prng_one_in(&c->prng, 3);

	pthread_mutex_lock(&c->talking);
	c->place->open = false;
	pthread_mutex_unlock(&c->talking);

	if (deferred)
		deferred = mapper_remove(c->target, true) == 0;
	/* or the resume would make a target live that has not failed */
	mapper_clear(c->target);
	c->place->node_loaded = 0;
	mapper_message(c->target, TALLY_FAIL, 0, "fail");
	while (resume(c, 0) == -EINTR)
		;
	await_submitters(c);
	await_gone(c, deferred);
}

/* --- What happens in between */

static void do_suspend(struct controller *c)
{
	uint32_t flags = prng_one_in(&c->prng, 2) ? DM_NOFLUSH_FLAG : 0;

	if (prng_one_in(&c->prng, 2))
		flags |= DM_SKIP_LOCKFS_FLAG;
	c->busy_since = arena_now_ms();
	mapper_suspend(c->target, flags);
	c->busy_since = 0;
}

static void do_resume(struct controller *c)
{
	resume(c, prng_one_in(&c->prng, 2) ? DM_NOFLUSH_FLAG : 0);
}

static void do_load(struct controller *c)
{
	load(c, prng_one_in(&c->prng, 20));
}

static void do_reload(struct controller *c)
{
	if (load(c, false) == 0)
		do_resume(c);
}

static void do_clear(struct controller *c)
{
	if (mapper_clear(c->target) == 0)
		c->place->node_loaded = 0;
}

static void do_load_bad(struct controller *c)
{
	char words[TABLE_WORDS_MAX];

	bool bad = table_bad_words(&c->prng, c->target, c->place->node_live, words);

	if (mapper_load(c->target, TALLY_LOAD_BAD, words, 0) < 0)
		return;
	if (bad)
		arena_wrong("this table was not refused: %s", words);
	do_clear(c);
}

static void do_status(struct controller *c)
{
	static const uint32_t flags[] = { 0, DM_NOFLUSH_FLAG, DM_STATUS_TABLE_FLAG,
					  DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG,
					  DM_QUERY_INACTIVE_TABLE_FLAG | DM_NOFLUSH_FLAG,
					  DM_IMA_MEASUREMENT_FLAG };

	mapper_status(c->target, flags[prng_below(&c->prng, sizeof(flags) / sizeof(*flags))]);
}

/* Mostly refused, since the device is open; if not, that was this life. Whether it still lives. */
static bool do_remove(struct controller *c)
{
	if (mapper_remove(c->target, false) < 0)
		return true;
	c->place->open = false;
	await_submitters(c);
	await_gone(c, true);
	return false;
}

static void step(struct controller *c, unsigned choice)
{
	if (mapper_is_suspended(c->target) && prng_one_in(&c->prng, 2))
		do_resume(c);
	else if (choice < 25)
		do_suspend(c);
	else if (choice < 50)
		do_resume(c);
	else if (choice < 60)
		do_load(c);
	else if (choice < 75)
		do_reload(c);
	else if (choice < 80)
		do_load_bad(c);
	else if (choice < 85)
		do_clear(c);
	else
		do_status(c);
}

static void live(struct controller *c)
{
	unsigned steps = 1 + prng_small(&c->prng, 400);

	for (unsigned i = 0; i < steps && !arena->stop && !arena->quit; i++) {
		/* each takes as long as hundreds of its users' operations; and a suspend stops them */
		arena_rest_operations(prng_small(&c->prng,
						 mapper_is_suspended(c->target) ? 1000 : 30000));
		if (prng_one_in(&c->prng, 50)) {
			if (!do_remove(c))
				return;
		} else {
			step(c, prng_below(&c->prng, 100));
		}
	}
	end(c);
}

static void *controller_run(void *userdata)
{
	struct controller *c = userdata;

	arena_name_thread("control", c->target, 0);
	while (!arena->stop && !arena->quit) {
		if (begin(c))
			live(c);
	}
	return NULL;
}

void controller_start(struct controller *c, unsigned target)
{
	*c = (struct controller){ .target = target, .place = &arena->places[target] };
	c->prng = prng_new(arena->seed, PRNG_CONTROLLER, target, 0);
	c->messages = prng_new(arena->seed, PRNG_MESSENGER, target, 0);
	c->place->mood = MOOD_HONEST;
	pthread_mutex_init(&c->talking, NULL);
	pthread_create(&c->thread, NULL, controller_run, c);
	pthread_create(&c->messenger, NULL, messenger_run, c);
}

void controller_join(struct controller *c)
{
	pthread_join(c->thread, NULL);
	pthread_join(c->messenger, NULL);
}
