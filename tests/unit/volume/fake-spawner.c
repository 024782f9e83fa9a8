// SPDX-License-Identifier: Apache-2.0
/* The spawner, the gate and the installed backends, as the world plays them. */
#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "tests/unit/volume/fake-silence.h"
#include "tests/unit/volume/fake-worker.h"
#include "util/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* What the link knows of one child; ends with it. */
struct watch {
	struct world_child *child;
	spawner_exited_fn exited;
	void *userdata;
	sd_event_source *source;
	struct watch *next;
};

static struct watch *watches;

struct answer {
	spawner_spawned_fn spawned;
	spawner_child_fn child;
	spawner_listed_fn listed;
	void *userdata;
	int error;
	enum confine_step step;
	struct world_child *spawned_child;
	sd_event_source *source;
	struct answer *next;
};

/* Not given yet; they end with the link. */
static struct answer *answers;

struct world_child *world_child(const char *name)
{
	struct world_child *c;

	for (c = world->children; c; c = c->next)
		if (strcmp(c->name, name) == 0)
			break;
	return c;
}

size_t world_n_children_alive(void)
{
	size_t n = 0;

	for (struct world_child *c = world->children; c; c = c->next)
		n += c->alive;
	return n;
}

void world_kill(struct world_child *child, int signal)
{
	assert_non_null(child);
	assert_true(child->alive);
	kill(child->pid, signal);
}

static struct watch *find_watch(const struct world_child *child)
{
	struct watch *w;

	for (w = watches; w; w = w->next)
		if (w->child == child)
			break;
	return w;
}

static void drop(struct world_child *c)
{
	struct world_child **at = &world->children;
	struct watch *w = find_watch(c), **w_at = &watches;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (w) {
		while (*w_at != w)
			w_at = &(*w_at)->next;
		*w_at = w->next;
		sd_event_source_disable_unref(w->source);
		free(w);
	}
	closep(&c->pidfd);
	free(c);
}

static int on_child_exit(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct watch *w = userdata;
	struct world_child *c = w->child;

	if (waitpid(c->pid, &c->status, WNOHANG) != c->pid)
		return 0;
	if (world->oom_kills && WIFSIGNALED(c->status))
		c->status |= SPAWNER_STATUS_OOM;
	c->alive = false;
	w->source = sd_event_source_disable_unref(w->source);
	if (c->forgotten)
		drop(c);
	else if (w->exited)
		w->exited(w->userdata, c->status);
	return 0;
}

/* What waits there for the worker, which still gets it. */
static uint32_t peek_requests_max(int setup_fd)
{
	static struct worker_setup setup;

	assert_int_equal(recv(setup_fd, &setup, sizeof(setup), MSG_PEEK), sizeof(setup));
	return setup.requests_max;
}

static struct world_child *start(const struct spawner_request *request, const int *fds)
{
	struct world_child *c = calloc(1, sizeof(*c));
	struct watch *w = calloc(1, sizeof(*w));
	enum worker_manner manner = world->manner;

	assert_non_null(c);
	assert_non_null(w);
	strcpy(c->name, request->name);
	strcpy(c->group, request->group);
	c->uid = request->uid;
	c->memory_max = request->memory_max_bytes;
	c->memlock_max = request->memlock_max_bytes;
	c->holds_memory = request->holds_memory;
	c->requests_max = peek_requests_max(fds[SPAWNER_FD_SETUP]);
	c->alive = true;
	c->pid = fork();
	if (c->pid == 0)
		fake_worker_run(manner, request->uid, fds[SPAWNER_FD_LINK], fds[SPAWNER_FD_SETUP],
				&fds[SPAWNER_FD_RESOURCES], request->n_resources);
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	c->next = world->children;
	world->children = c;
	w->child = c;
	w->next = watches;
	watches = w;
	assert_return_code(
		sd_event_add_io(world->m.event, &w->source, c->pidfd, EPOLLIN, on_child_exit, w),
		0);
	return c;
}

static void tell_spawned(struct answer *a)
{
	if (a->error < 0)
		a->spawned(a->userdata, a->error, a->step, 0, -EBADF);
	else
		a->spawned(a->userdata, 0, CONFINE_NONE, a->spawned_child->pid,
			   fcntl(a->spawned_child->pidfd, F_DUPFD_CLOEXEC, 0));
}

static void tell_list(struct answer *a)
{
	bool tells = a->error == 0 || a->error == -ETIMEDOUT;

	for (struct world_child *c = world->children; tells && c; c = c->next) {
		struct spawner_reply told = {
			.role = SPAWNER_WORKER,
			.pid = c->pid,
			.uid = c->uid,
			.status = c->status,
			.alive = c->alive,
		};

		strcpy(told.name, c->name);
		a->child(a->userdata, &told,
			 c->alive ? fcntl(c->pidfd, F_DUPFD_CLOEXEC, 0) : -EBADF);
	}
	a->listed(a->userdata, a->error);
}

static void take_off(struct answer *a)
{
	struct answer **at = &answers;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	sd_event_source_disable_unref(a->source);
}

static struct answer *new_answer(void)
{
	struct answer *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->next = answers;
	answers = a;
	return a;
}

static void tell(struct answer *a)
{
	take_off(a);
	if (a->spawned)
		tell_spawned(a);
	else
		tell_list(a);
	free(a);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
	tell(userdata);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	tell(userdata);
	return 0;
}

void fake_spawner_end_silence(void)
{
	for (struct answer *a = answers; a; a = a->next)
		if (a->spawned && a->error == -ETIMEDOUT)
			assert_return_code(sd_event_source_set_time(a->source, 0), 0);
}

int spawner_spawn(struct spawner_link *link, const struct spawner_request *request, const int *fds,
		  size_t n_fds, uint64_t deadline_usec, spawner_spawned_fn spawned,
		  spawner_exited_fn exited, void *userdata)
{
	struct answer *a;

	if (world->spawn_refused < 0)
		return world->spawn_refused;
	assert_int_equal(n_fds, SPAWNER_FD_RESOURCES + request->n_resources);
	assert_int_equal(request->role, SPAWNER_WORKER);
	a = new_answer();
	a->spawned = spawned;
	a->userdata = userdata;
	if (world->spawn_silent) {
		a->error = -ETIMEDOUT;
		assert_return_code(sd_event_add_time(world->m.event, &a->source, CLOCK_MONOTONIC,
						     deadline_usec, 1, on_deadline, a),
				   0);
		return 0;
	}
	if (world->spawn_error < 0) {
		a->error = world->spawn_error;
		a->step = CONFINE_CGROUP;
	} else {
		struct watch *w;

		a->spawned_child = start(request, fds);
		w = find_watch(a->spawned_child);
		w->exited = exited;
		w->userdata = userdata;
	}
	assert_return_code(sd_event_add_defer(world->m.event, &a->source, on_deferred, a), 0);
	/* As in life: nothing is said of a child before it is said that there is one. */
	sd_event_source_set_priority(a->source, SD_EVENT_PRIORITY_IMPORTANT);
	return 0;
}

int spawner_list(struct spawner_link *link, spawner_child_fn child, spawner_listed_fn listed,
		 void *userdata)
{
	struct answer *a = new_answer();

	a->child = child;
	a->listed = listed;
	a->userdata = userdata;
	a->error = world->list_error;
	if (a->error == -ETIMEDOUT)
		world->list_error = 0;
	assert_return_code(sd_event_add_defer(world->m.event, &a->source, on_deferred, a), 0);
	return 0;
}

int spawner_watch(struct spawner_link *link, const char *name, spawner_exited_fn exited,
		  void *userdata)
{
	struct world_child *c = world_child(name);
	struct watch *w = c ? find_watch(c) : NULL;

	if (!w)
		return -ESRCH;
	w->exited = exited;
	w->userdata = userdata;
	return 0;
}

int spawner_hold(struct spawner_link *link, const char *name)
{
	struct world_child *c = world_child(name);

	if (!c)
		return -ESRCH;
	c->held = true;
	return 0;
}

int spawner_kill(struct spawner_link *link, const char *name)
{
	struct world_child *c = world_child(name);

	if (world->kills_lost > 0) {
		world->kills_lost--;
		return -ENOTCONN;
	}
	if (c && c->alive)
		kill(c->pid, SIGKILL);
	return 0;
}

int spawner_forget(struct spawner_link *link, const char *name)
{
	struct world_child *c = world_child(name);
	struct watch *w;

	if (!c)
		return -ESRCH;
	c->forgotten = true;
	w = find_watch(c);
	w->exited = NULL;
	if (!c->alive)
		drop(c);
	return 0;
}

void spawner_link_free(struct spawner_link *link)
{
	for (struct watch *w = watches; w; w = w->next)
		w->exited = NULL;
	while (answers) {
		struct answer *a = answers;

		take_off(a);
		free(a);
	}
}

int gate_check(const struct gate_expectation *expected, struct gate_verdict *ret_verdict)
{
	world->gate_calls++;
	world->gate_fds = expected->n_fds;
	snprintf(world->gate_cgroup, sizeof(world->gate_cgroup), "%s", expected->cgroup);
	world->gate_fsize = expected->fsize_limit_bytes;
	assert_int_equal(expected->filters, 3);
	assert_true(expected->memlock_min_bytes > 0);
	assert_true(expected->pid > 1);
	world->gate_oom_score = expected->oom_score_known ? expected->oom_score : WORLD_NOT_ASKED;
	if (!world->gate_closed)
		return 0;
	strcpy(ret_verdict->what, "capabilities");
	strcpy(ret_verdict->detail, "expected none, found all");
	return 1;
}

static struct backend backends[] = {
	{
		.executable = "/dev/null",
		.profile = "/dev/null",
		.manifest = {
			.type = "memory",
			.min_size_bytes = 4096,
			.max_size_bytes = 1ull << 40,
			.memory_max_bytes = 16 << 20,
			.n_resources = 1,
			.resources = { MANIFEST_MEMFD },
			.n_threads = 2,
		},
	},
	{
		.executable = "/dev/null",
		.profile = "/dev/null",
		.manifest = {
			.type = "file",
			.min_size_bytes = 4096,
			.max_size_bytes = 1ull << 40,
			.n_resources = 1,
			.resources = { MANIFEST_FILE },
			.n_threads = 1,
			.n_options = 1,
			.options = { { .name = "path", .kind = MANIFEST_STRING, .opens = 1 } },
		},
	},
	{
		.executable = "/dev/null",
		.profile = "/dev/null",
		.manifest = { .type = "null", .n_threads = 1 },
	},
	{
		.executable = "/nonexistent/dmuser-backend-broken",
		.profile = "/dev/null",
		.manifest = { .type = "broken", .n_threads = 1 },
	},
	{
		.executable = "/dev/null",
		.profile = "/nonexistent/unsealed.bpf",
		.manifest = { .type = "unsealed", .n_threads = 1 },
	},
};

const struct backend *backend_find(const struct manager *m, const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i].manifest.type, type) == 0)
			return &backends[i];
	return NULL;
}
