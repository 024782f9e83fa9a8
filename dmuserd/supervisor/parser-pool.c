// SPDX-License-Identifier: Apache-2.0
/*
 * Parsers, started ahead and used once; see parser-pool.h.
 *
 *   SPAWNING → SEALING → READY → TAKEN → ENDING
 *
 * SPAWNING: the spawner was asked. SEALING: the process runs; what it reports decides nothing but when to
 * look, and the gate decides. From then on the pidfd says when it is dead, and with it its uid is free.
 * LOST is one of which the spawner has not said whether it came to be; if it did, it ends with its link. Its
 * uid is free when a list that the spawner was asked for later does not name it, or when it is dead.
 *
 * Owns every parser's link, setup socket and pidfd, and who has which uid. Trusts the gate; takes from a
 * parser nothing but one confine_report. A start that fails costs the longest waiter its wait, and if no
 * other has gone well since, all of them; and starts pause for a while, so that a parser that cannot be
 * started neither spins nor leaves anybody hanging. One that was only too slow, while others were not, is
 * none of that: so is a busy machine.
 */
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/parser-process.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "dmuserd/supervisor/uid-pool.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* As long as a worker may take is more than a parser needs, whatever the machine is busy with. */
#define START_TIMEOUT_MS(m) ((m)->settings.worker_start_timeout_ms)
#define PAUSE_USEC UINT64_C(1000000)
/* Starts at a time, for each parser that the pool keeps ahead. */
#define STARTS_PER_SEAT 2

enum state { SPAWNING, SEALING, READY, TAKEN, LOST, ENDING };

struct parser {
	struct parser *next;
	struct parser_pool *pool;
	enum state state;
	bool reported;
	bool asked_for; /* LOST, and the spawner was asked for a list since */
	uid_t uid;
	char name[SPAWNER_NAME_SIZE];
	pid_t pid;
	int link;
	int its_link; /* its own end, kept only until the gate has compared it */
	int setup;
	int pidfd;
	sd_event_source *setup_io, *pidfd_io, *deadline;
};

struct waiter {
	struct waiter *next;
	parser_ready_fn ready;
	void *userdata;
};

struct parser_pool {
	struct manager *m;
	struct parser *parsers;
	struct waiter *waiters; /* longest first */
	size_t n_waiters, n_ready, n_starting;
	uint64_t number; /* of the last one's name; no supervisor before this one got so far */
	struct uid_pool *uids;
	bool listed;  /* what an earlier supervisor left is known */
	bool listing; /* the spawner has been asked */
	bool crowded; /* so that it is told of once */
	bool failing; /* so that a failure that goes on is told of once */
	sd_event_source *pause; /* enabled while starts pause */
	sd_event_source *work;  /* hands out and fills up, outside of everybody's calls */
};

/* Parsers */

static bool is_starting(const struct parser *p)
{
	return p->state == SPAWNING || p->state == SEALING;
}

static void set_state(struct parser *p, enum state state)
{
	struct parser_pool *pool = p->pool;

	pool->n_starting -= is_starting(p);
	pool->n_ready -= p->state == READY;
	p->state = state;
	pool->n_starting += is_starting(p);
	pool->n_ready += p->state == READY;
}

static void drop_sockets(struct parser *p)
{
	p->setup_io = sd_event_source_disable_unref(p->setup_io);
	p->deadline = sd_event_source_disable_unref(p->deadline);
	closep(&p->link);
	closep(&p->its_link);
	closep(&p->setup);
	p->link = p->its_link = p->setup = -EBADF;
}

static struct parser *parser_new(struct parser_pool *pool, const char *name, uid_t uid)
{
	struct parser *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct parser){ .next = pool->parsers, .pool = pool, .state = TAKEN, .uid = uid,
			      .link = -EBADF, .its_link = -EBADF, .setup = -EBADF, .pidfd = -EBADF };
	snprintf(p->name, sizeof(p->name), "%s", name);
	pool->parsers = p;
	return p;
}

static void parser_free(struct parser *p)
{
	struct parser **at = &p->pool->parsers;

	set_state(p, ENDING);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	drop_sockets(p);
	sd_event_source_disable_unref(p->pidfd_io);
	closep(&p->pidfd);
	free(p);
}

/* Nothing runs as it, or will. */
static void give_back(struct parser *p)
{
	uid_pool_release(p->pool->uids, p->uid);
	parser_free(p);
}

static void wake(struct parser_pool *pool)
{
	sd_event_source_set_enabled(pool->work, SD_EVENT_ONESHOT);
}

/* So that what goes wrong at once goes wrong once a second. */
static void pause_starts(struct parser_pool *pool)
{
	sd_event_source_set_time_relative(pool->pause, PAUSE_USEC);
	sd_event_source_set_enabled(pool->pause, SD_EVENT_ONESHOT);
}

static int on_death(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct parser *p = userdata;
	struct parser_pool *pool = p->pool;

	/* The holder of a taken one sees the link's end, after what was still in it. */
	if (p->state == TAKEN) {
		p->pidfd_io = sd_event_source_disable_unref(p->pidfd_io);
		return 0;
	}
	if (p->state == READY) {
		log_print(LOG_ERR, "%s has ended by itself", p->name);
		pause_starts(pool);
	}
	spawner_forget(pool->m->spawner, p->name);
	give_back(p);
	wake(pool);
	return 0;
}

void parser_end(struct parser *p)
{
	int r;

	if (!p || p->state == ENDING)
		return;
	set_state(p, ENDING);
	drop_sockets(p);
	/* A sound one ends by itself when its link does. */
	spawner_kill(p->pool->m->spawner, p->name);
	if (!p->pidfd_io && p->pidfd >= 0) {
		r = sd_event_add_io(p->pool->m->event, &p->pidfd_io, p->pidfd, EPOLLIN, on_death, p);
		if (r < 0)
			log_print(LOG_ERR, "%s cannot be watched: %s; its uid stays taken", p->name,
				  strerror(-r));
	}
	wake(p->pool);
}

int parser_link(const struct parser *parser)
{
	return parser->link;
}

/* Waiters */

static void waiter_serve(struct parser_pool *pool, int error, struct parser *parser)
{
	struct waiter *w = pool->waiters;

	pool->waiters = w->next;
	pool->n_waiters--;
	w->ready(w->userdata, error, parser);
	free(w);
}

/* Those who wait now; one who comes meanwhile waits for the next start. */
static void waiters_serve_all(struct parser_pool *pool, int error)
{
	for (size_t n = pool->n_waiters; n > 0 && pool->waiters; n--)
		waiter_serve(pool, error, NULL);
}

/* A start has failed. Who waits is told; were it not, it might wait for good. */
static void start_failed(struct parser_pool *pool, int error)
{
	bool again = pool->failing;

	if (!again)
		log_print(LOG_ERR, "no parser can be started; clients wait in vain until one can");
	pool->failing = true;
	pause_starts(pool);
	if (again || spawner_is_gone(error))
		waiters_serve_all(pool, error);
	else if (pool->waiters && error != -ETIMEDOUT)
		waiter_serve(pool, error, NULL);
}

/* From the process to a sealed parser */

static void fail_start(struct parser *p, int error)
{
	struct parser_pool *pool = p->pool;

	parser_end(p);
	start_failed(pool, error);
}

static int on_start_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct parser *p = userdata;

	log_print(LOG_ERR, "%s was not sealed in time", p->name);
	fail_start(p, -ETIMEDOUT);
	return 0;
}

/* It has closed its setup socket, and with that its last descriptor that the gate would not let pass. */
static void pass_gate(struct parser *p)
{
	const struct parser_process process = {
		.name = p->name,
		.uid = p->uid,
		.pid = p->pid,
		.pidfd = p->pidfd,
		.its_link = p->its_link,
	};
	int r = parser_process_check(&process);

	if (r < 0) {
		fail_start(p, r);
		return;
	}
	p->setup_io = sd_event_source_disable_unref(p->setup_io);
	p->deadline = sd_event_source_disable_unref(p->deadline);
	closep(&p->setup);
	closep(&p->its_link);
	p->setup = p->its_link = -EBADF;
	p->pool->failing = false;
	set_state(p, READY);
	wake(p->pool);
}

static int take_report(struct parser *p, const struct confine_report *report)
{
	if (p->reported)
		return -EPROTO;
	p->reported = true;
	if (report->step == CONFINE_SEALED && report->error == 0)
		return 0;
	/* Its words are its own, and it is not trusted: the step and the errno say enough. */
	log_print(LOG_ERR, "%s: step %s failed: %s", p->name, confine_step_name(report->step),
		  report->error < 0 && report->error > -4096 ? strerror(-report->error) : "?");
	return -EIO;
}

static int on_setup(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct parser *p = userdata;
	struct confine_report report;
	int r = fd_recv_exact(fd, &report, sizeof(report), NULL, 0, NULL, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return 0;
	if (r == -ECONNRESET && p->reported) {
		pass_gate(p);
		return 0;
	}
	if (r >= 0)
		r = take_report(p, &report);
	else
		log_print(LOG_ERR, "%s ended before it was sealed", p->name);
	if (r < 0)
		fail_start(p, r);
	return 0;
}

/* Watches a process that has just come to be. */
static int watch_start(struct parser *p)
{
	sd_event *event = p->pool->m->event;
	int r = sd_event_add_io(event, &p->pidfd_io, p->pidfd, EPOLLIN, on_death, p);

	if (r >= 0)
		r = sd_event_add_io(event, &p->setup_io, p->setup, EPOLLIN, on_setup, p);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &p->deadline, CLOCK_MONOTONIC,
					       START_TIMEOUT_MS(p->pool->m) * UINT64_C(1000), 0,
					       on_start_deadline, p);
	/* What it still has to say comes before its death. */
	if (r >= 0)
		r = sd_event_source_set_priority(p->pidfd_io, SD_EVENT_PRIORITY_NORMAL + 10);
	return r < 0 ? r : 0;
}

/* It may yet come to life, and finds its link ended. */
static void lose(struct parser *p)
{
	set_state(p, LOST);
	drop_sockets(p);
}

static void on_spawned(void *userdata, int error, enum confine_step step, pid_t pid, int pidfd)
{
	struct parser *p = userdata;
	struct parser_pool *pool = p->pool;
	int r;

	if (error < 0) {
		log_print(LOG_ERR, "%s: step %s failed: %s", p->name, confine_step_name(step),
			  strerror(-error));
		if (spawner_is_unsure(error))
			lose(p);
		else
			give_back(p);
		start_failed(pool, error);
		return;
	}
	p->pid = pid;
	p->pidfd = pidfd;
	set_state(p, SEALING);
	r = watch_start(p);
	if (r < 0)
		fail_start(p, r);
}

/* Starting one */

static void on_exited(void *userdata, int status)
{
	/* The pidfd has said so, or will. */
}

static int ask_for_process(struct parser *p)
{
	struct manager *m = p->pool->m;
	_cleanup_(closep) int its_setup = -EBADF;
	uint64_t now;
	int r = sd_event_now(m->event, CLOCK_MONOTONIC, &now);

	if (r >= 0)
		r = parser_process_pair(&p->link, &p->its_link);
	if (r >= 0)
		r = parser_process_pair(&p->setup, &its_setup);
	if (r >= 0)
		r = parser_process_request(m, p->name, p->uid, p->its_link, its_setup,
					   now + START_TIMEOUT_MS(m) * UINT64_C(1000), on_spawned,
					   on_exited, p);
	return r < 0 ? r : 0;
}

/* The uid becomes its own on success. */
static int parser_start(struct parser_pool *pool, uid_t uid)
{
	char name[SPAWNER_NAME_SIZE];
	struct parser *p;
	int r;

	snprintf(name, sizeof(name), "parser-%" PRIu64, ++pool->number);
	p = parser_new(pool, name, uid);
	if (!p)
		return -ENOMEM;
	set_state(p, SPAWNING);
	r = ask_for_process(p);
	if (r < 0)
		parser_free(p);
	return r;
}

/* The pool */

static struct parser *find_ready(struct parser_pool *pool)
{
	for (struct parser *p = pool->parsers; p; p = p->next) {
		if (p->state == READY)
			return p;
	}
	return NULL;
}

static bool wants_more(const struct parser_pool *pool)
{
	size_t ahead = pool->m->settings.parser_pool;

	return pool->n_starting < ahead * STARTS_PER_SEAT &&
	       pool->n_ready + pool->n_starting < ahead + pool->n_waiters;
}

static void tell_crowded(struct parser_pool *pool)
{
	if (!pool->crowded && pool->waiters)
		log_limited(LOG_WARNING, "each of the %u uids for parsers is in use (parser_uid_count); "
			    "clients wait until one is free", pool->m->settings.parser_uid_count);
	pool->crowded = pool->crowded || pool->waiters;
}

static void fill(struct parser_pool *pool)
{
	int paused = SD_EVENT_OFF;

	sd_event_source_get_enabled(pool->pause, &paused);
	while (pool->listed && paused == SD_EVENT_OFF && wants_more(pool)) {
		uid_t uid;
		int r;

		/* The next one that dies gives its uid back. */
		if (uid_pool_take(pool->uids, &uid) < 0) {
			tell_crowded(pool);
			return;
		}
		r = parser_start(pool, uid);
		if (r < 0) {
			uid_pool_release(pool->uids, uid);
			start_failed(pool, r);
			return;
		}
	}
	if (!wants_more(pool))
		pool->crowded = false;
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct parser_pool *pool = userdata;

	while (pool->waiters) {
		struct parser *p = find_ready(pool);

		if (!p)
			break;
		set_state(p, TAKEN);
		waiter_serve(pool, 0, p);
	}
	fill(pool);
	return 0;
}

int parser_pool_take(struct parser_pool *pool, parser_ready_fn ready, void *userdata,
		     struct parser **ret_parser)
{
	struct parser *p = pool->waiters ? NULL : find_ready(pool);
	struct waiter *w, **at = &pool->waiters;

	wake(pool);
	if (p) {
		set_state(p, TAKEN);
		*ret_parser = p;
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->ready = ready;
	w->userdata = userdata;
	while (*at)
		at = &(*at)->next;
	*at = w;
	pool->n_waiters++;
	return 1;
}

void parser_pool_cancel(struct parser_pool *pool, const void *userdata)
{
	for (struct waiter **at = &pool->waiters; *at; at = &(*at)->next) {
		struct waiter *w = *at;

		if (w->userdata != userdata)
			continue;
		*at = w->next;
		pool->n_waiters--;
		free(w);
		return;
	}
}

/* What the spawner has */

static struct parser *find_named(struct parser_pool *pool, const char *name)
{
	struct parser *p = pool->parsers;

	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	return p;
}

/* An earlier supervisor's: its link has ended with that supervisor. NULL: no memory; its uid stays taken. */
static struct parser *new_left_over(struct parser_pool *pool, const struct spawner_reply *child)
{
	uid_pool_claim(pool->uids, child->uid);
	return parser_new(pool, child->name, child->uid);
}

static void on_child(void *userdata, const struct spawner_reply *child, int pidfd)
{
	_cleanup_(closep) int consumed = pidfd;
	struct parser_pool *pool = userdata;
	struct parser *p = find_named(pool, child->name);

	if (child->role != SPAWNER_PARSER || (p && p->state != LOST))
		return;
	if (!child->alive) {
		spawner_forget(pool->m->spawner, child->name);
		if (p)
			give_back(p);
		return;
	}
	if (!p)
		p = new_left_over(pool, child);
	if (!p)
		return;
	p->pid = child->pid;
	p->pidfd = take_fd(&consumed);
	parser_end(p);
}

/* Those that it should have named, and has not, never came to be. */
static void give_back_unnamed(struct parser_pool *pool)
{
	struct parser *p, *next;

	for (p = pool->parsers; p; p = next) {
		next = p->next;
		if (p->state == LOST && p->asked_for)
			give_back(p);
	}
}

static bool has_lost(const struct parser_pool *pool)
{
	const struct parser *p = pool->parsers;

	while (p && p->state != LOST)
		p = p->next;
	return p;
}

/* Nobody knows which uids are free: none can be started. It is asked again when the pause is over. */
static void list_failed(struct parser_pool *pool, int error)
{
	pause_starts(pool);
	if (!pool->listed && spawner_is_gone(error))
		waiters_serve_all(pool, error);
}

static void on_listed(void *userdata, int error)
{
	struct parser_pool *pool = userdata;

	pool->listing = false;
	if (error == 0) {
		pool->listed = true;
		give_back_unnamed(pool);
		wake(pool);
	} else {
		log_print(LOG_ERR, "the spawner does not tell what it has started: %s",
			  spawner_describe_error(error));
		list_failed(pool, error);
	}
	if (has_lost(pool))
		pause_starts(pool);
}

/* It answers in turn: what was asked for before, and is not in its list, will not come. */
static int ask_for_list(struct parser_pool *pool)
{
	int r;

	for (struct parser *p = pool->parsers; p; p = p->next)
		p->asked_for = p->state == LOST;
	r = spawner_list(pool->m->spawner, on_child, on_listed, pool);
	pool->listing = r == 0;
	return r;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct parser_pool *pool = userdata;
	bool needs_list = !pool->listed || has_lost(pool);
	int r;

	wake(pool);
	if (!needs_list || pool->listing)
		return 0;
	r = ask_for_list(pool);
	if (r < 0)
		list_failed(pool, r);
	return 0;
}

static int prepare(struct parser_pool *pool)
{
	sd_event *event = pool->m->event;
	int r;

	r = uid_pool_new(pool->m->settings.parser_uid_base, pool->m->settings.parser_uid_count,
			 &pool->uids);
	if (r >= 0)
		r = sd_event_now(event, CLOCK_MONOTONIC, &pool->number);
	if (r >= 0)
		r = sd_event_add_time(event, &pool->pause, CLOCK_MONOTONIC, 0, 0, on_pause_over,
				      pool);
	if (r >= 0)
		r = sd_event_source_set_enabled(pool->pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &pool->work, on_work, pool);
	if (r >= 0)
		r = ask_for_list(pool);
	return r < 0 ? r : 0;
}

int parser_pool_new(struct manager *m, struct parser_pool **ret_pool)
{
	struct parser_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->m = m;
	r = prepare(pool);
	if (r < 0) {
		parser_pool_free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

void parser_pool_free(struct parser_pool *pool)
{
	if (!pool)
		return;
	while (pool->parsers) {
		parser_end(pool->parsers);
		parser_free(pool->parsers);
	}
	while (pool->waiters) {
		struct waiter *w = pool->waiters;

		pool->waiters = w->next;
		free(w);
	}
	sd_event_source_disable_unref(pool->work);
	sd_event_source_disable_unref(pool->pause);
	uid_pool_free(pool->uids);
	free(pool);
}
