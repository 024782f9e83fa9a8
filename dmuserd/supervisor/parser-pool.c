// SPDX-License-Identifier: Apache-2.0
/*
 * Parsers, started ahead and used once; see parser-pool.h.
 *
 *   SPAWNING → SEALING → READY → TAKEN → ENDING
 *
 * SPAWNING: the spawner was asked. SEALING: the process runs; what it reports decides nothing but when to
 * look, and the gate decides. From then on the pidfd says when it is dead, and with it its uid is free.
 *
 * Owns every parser's link, setup socket and pidfd, and who has which uid. Trusts the gate; takes from a
 * parser nothing but one confine_report. A start that fails costs the longest waiter its wait, and if no
 * other has gone well since, all of them; and starts pause for a while, so that a parser that cannot be
 * started neither spins nor leaves anybody hanging. One that was only too slow, while others were not, is
 * none of that: so is a busy machine.
 */
#include "dmuserd/supervisor/parser-pool.h"
#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/log.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* The spawner's own filter, the outer and the inner one. */
#define FILTERS 3
/* A message of 1 MiB as text and as a tree, and the program itself. */
#define MEMORY_MAX_BYTES (64ull * 1024 * 1024)
/* 0 to 2, the link, the client, the descriptors of one message, the setup and the profile at start. */
#define NOFILE_MAX 16
/* As long as a worker may take is more than a parser needs, whatever the machine is busy with. */
#define START_TIMEOUT_MS(m) ((m)->settings.worker_start_timeout_ms)
#define PAUSE_USEC UINT64_C(1000000)
/* Starts at a time, for each parser that the pool keeps ahead. */
#define STARTS_PER_SEAT 2

enum state { SPAWNING, SEALING, READY, TAKEN, ENDING };

struct parser {
	struct parser *next;
	struct parser_pool *pool;
	enum state state;
	bool reported;
	uint32_t seat; /* its uid is parser_uid_base + seat */
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
	uint32_t next_seat;
	bool *seats; /* taken ones */
	bool listed; /* what an earlier supervisor left is known */
	bool failing; /* so that a failure that goes on is told of once */
	sd_event_source *pause; /* enabled while starts pause */
	sd_event_source *work;  /* hands out and fills up, outside of everybody's calls */
};

/* Seats */

/* The next free one in turn, so that a uid rests for as long as it can. */
static int seat_take(struct parser_pool *pool, uint32_t *ret_seat)
{
	uint32_t count = pool->m->settings.parser_uid_count;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t seat = (pool->next_seat + i) % count;

		if (pool->seats[seat])
			continue;
		pool->seats[seat] = true;
		pool->next_seat = (seat + 1) % count;
		*ret_seat = seat;
		return 0;
	}
	return -EDQUOT;
}

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
	pool->seats[p->seat] = false;
	parser_free(p);
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

/* Without the spawner, the next start fails, too. */
static bool is_without_spawner(int error)
{
	return error == -ENOTCONN || error == -ECONNRESET;
}

/* A start has failed. Who waits is told; were it not, it might wait for good. */
static void start_failed(struct parser_pool *pool, int error)
{
	bool again = pool->failing;

	if (!again)
		log_print(LOG_ERR, "no parser can be started; clients wait in vain until one can");
	pool->failing = true;
	pause_starts(pool);
	if (again || is_without_spawner(error))
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

/* 0: it is confined, as seen from outside. */
static int look_at(const struct parser *p)
{
	struct gate_verdict verdict = {};
	char cgroup[sizeof(SPAWNER_PARSERS) + SPAWNER_NAME_SIZE + 1];
	struct gate_expectation expected = {
		.pid = p->pid,
		.pidfd = p->pidfd,
		.uid = p->pool->m->settings.parser_uid_base + p->seat,
		.filters = FILTERS,
		.nofile_limit = NOFILE_MAX,
		.cgroup = cgroup,
		.n_fds = 1,
		.fds = { { .fd = CONFINE_FD_LINK, .own_fd = p->its_link } },
	};
	int r;

	snprintf(cgroup, sizeof(cgroup), SPAWNER_PARSERS "/%s", p->name);
	r = gate_check(&expected, &verdict);
	if (r > 0) {
		log_print(LOG_ERR, "%s does not pass the gate: %.*s: %.*s", p->name,
			  (int)sizeof(verdict.what), verdict.what, (int)sizeof(verdict.detail),
			  verdict.detail);
		return -EPERM;
	}
	if (r < 0)
		log_print(LOG_ERR, "%s cannot be looked at: %s", p->name, strerror(-r));
	return r;
}

/* It has closed its setup socket, and with that its last descriptor that the gate would not let pass. */
static void pass_gate(struct parser *p)
{
	int r = look_at(p);

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

static void on_spawned(void *userdata, int error, enum confine_step step, pid_t pid, int pidfd)
{
	struct parser *p = userdata;
	struct parser_pool *pool = p->pool;
	int r;

	if (error < 0) {
		log_print(LOG_ERR, "%s: step %s failed: %s", p->name, confine_step_name(step),
			  strerror(-error));
		/* It may yet come to life: then the link kills it, and the uid is not given out again. */
		if (error != -ETIMEDOUT && error != -ECONNRESET)
			pool->seats[p->seat] = false;
		parser_free(p);
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

static int make_pair(int *ret_ours, int *ret_its)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_ours = pair[0];
	*ret_its = pair[1];
	/* Ours alone: a parser waits for what comes. */
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_installed(struct parser_pool *pool, const char *file)
{
	char path[sizeof(pool->m->settings.libexec_dir) + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pool->m->settings.libexec_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		int r = -errno;

		log_print(LOG_ERR, "%s: %s", path, strerror(errno));
		return r;
	}
	return fd;
}

/* Asks the spawner; the descriptors stay the caller's. */
static int request_start(struct parser *p, int executable, int its_setup, int profile)
{
	struct parser_pool *pool = p->pool;
	const int fds[] = {
		[SPAWNER_FD_EXECUTABLE] = executable,
		[SPAWNER_FD_LINK] = p->its_link,
		[SPAWNER_FD_SETUP] = its_setup,
		[SPAWNER_FD_PROFILE] = profile,
	};
	struct spawner_request request = {
		.role = SPAWNER_PARSER,
		.uid = pool->m->settings.parser_uid_base + p->seat,
		.pids_max = 1,
		.nofile_max = NOFILE_MAX,
		.memory_max_bytes = MEMORY_MAX_BYTES,
		.group = SPAWNER_PARSERS,
	};
	uint64_t now;
	int r = sd_event_now(pool->m->event, CLOCK_MONOTONIC, &now);

	if (r < 0)
		return r;
	memcpy(request.name, p->name, sizeof(request.name));
	return spawner_spawn(pool->m->spawner, &request, fds, ARRAY_SIZE(fds),
			     now + START_TIMEOUT_MS(pool->m) * UINT64_C(1000), on_spawned, on_exited,
			     p);
}

static int parser_fill_in(struct parser *p)
{
	_cleanup_(closep) int executable = open_installed(p->pool, "dmuser-parser");
	_cleanup_(closep) int profile = open_installed(p->pool, "seccomp/parser.bpf");
	_cleanup_(closep) int its_setup = -EBADF;
	int r;

	if (executable < 0)
		return executable;
	if (profile < 0)
		return profile;
	r = make_pair(&p->link, &p->its_link);
	if (r >= 0)
		r = make_pair(&p->setup, &its_setup);
	return r < 0 ? r : request_start(p, executable, its_setup, profile);
}

static int parser_start(struct parser_pool *pool)
{
	struct parser *p = calloc(1, sizeof(*p));
	uint32_t seat = 0;
	int r;

	if (!p)
		return -ENOMEM;
	r = seat_take(pool, &seat);
	if (r < 0) {
		free(p);
		return r;
	}
	*p = (struct parser){ .pool = pool, .state = ENDING, .seat = seat, .link = -EBADF,
			      .its_link = -EBADF, .setup = -EBADF, .pidfd = -EBADF };
	snprintf(p->name, sizeof(p->name), "parser-%" PRIu64, ++pool->number);
	p->next = pool->parsers;
	pool->parsers = p;
	set_state(p, SPAWNING);
	r = parser_fill_in(p);
	if (r < 0) {
		pool->seats[seat] = false;
		parser_free(p);
	}
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

static void fill(struct parser_pool *pool)
{
	int paused = SD_EVENT_OFF;

	sd_event_source_get_enabled(pool->pause, &paused);
	while (pool->listed && paused == SD_EVENT_OFF && wants_more(pool)) {
		int r = parser_start(pool);

		/* The next one that dies gives its uid back. */
		if (r == -EDQUOT)
			return;
		if (r < 0) {
			start_failed(pool, r);
			return;
		}
	}
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

/* An earlier supervisor's: its link has ended with that supervisor. */
static void on_left_over(void *userdata, const struct spawner_reply *child, int pidfd)
{
	struct parser_pool *pool = userdata;
	const struct settings *s = &pool->m->settings;
	struct parser *p;

	if (child->role != SPAWNER_PARSER || !child->alive || child->uid < s->parser_uid_base ||
	    child->uid - s->parser_uid_base >= s->parser_uid_count) {
		if (child->role == SPAWNER_PARSER) {
			spawner_kill(pool->m->spawner, child->name);
			spawner_forget(pool->m->spawner, child->name);
		}
		closep(&pidfd);
		return;
	}
	pool->seats[child->uid - s->parser_uid_base] = true;
	p = calloc(1, sizeof(*p));
	if (!p) {
		closep(&pidfd);
		return;
	}
	*p = (struct parser){ .pool = pool, .state = TAKEN, .link = -EBADF, .its_link = -EBADF,
			      .setup = -EBADF, .pid = child->pid, .pidfd = pidfd,
			      .seat = child->uid - s->parser_uid_base };
	memcpy(p->name, child->name, sizeof(p->name));
	p->next = pool->parsers;
	pool->parsers = p;
	parser_end(p);
}

static void on_listed(void *userdata, int error)
{
	struct parser_pool *pool = userdata;

	pool->listed = error == 0;
	if (pool->listed) {
		wake(pool);
		return;
	}
	/* Nobody knows which uids are free. It is asked again when the pause is over. */
	log_print(LOG_ERR, "the spawner does not tell what it has started: %s", strerror(-error));
	pause_starts(pool);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct parser_pool *pool = userdata;

	wake(pool);
	if (!pool->listed && spawner_list(pool->m->spawner, on_left_over, on_listed, pool) < 0)
		pause_starts(pool);
	return 0;
}

static int prepare(struct parser_pool *pool)
{
	sd_event *event = pool->m->event;
	int r;

	pool->seats = calloc(pool->m->settings.parser_uid_count, sizeof(*pool->seats));
	if (!pool->seats)
		return -ENOMEM;
	r = sd_event_now(event, CLOCK_MONOTONIC, &pool->number);
	if (r >= 0)
		r = sd_event_add_time(event, &pool->pause, CLOCK_MONOTONIC, 0, 0, on_pause_over,
				      pool);
	if (r >= 0)
		r = sd_event_source_set_enabled(pool->pause, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &pool->work, on_work, pool);
	if (r >= 0)
		r = spawner_list(pool->m->spawner, on_left_over, on_listed, pool);
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
	free(pool->seats);
	free(pool);
}
