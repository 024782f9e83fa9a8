// SPDX-License-Identifier: Apache-2.0
/* One worker process; see worker.h. */
#include "dmuserd/supervisor/worker.h"
#include "api/dmuser-worker.h"
#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/spawner-link.h"
#include "util/cleanup.h"
#include "util/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The spawner's own filter, the outer one and the inner one. */
#define FILTERS 3
/* Where the worker's descriptors come to lie: it accepts, then gets its channel, on the lowest free. */
#define ACCEPTED_FD CONFINE_FD_SETUP
#define CHANNEL_FD CONFINE_FD_PROFILE
/* The least that a process which locked its memory has locked. */
#define MEMLOCK_MIN_BYTES 4096
/* Once the pidfd told the death, how long the spawner has to tell the status. */
#define STATUS_USEC 500000

enum step { STEP_NONE, STEP_SPAWN, STEP_SEAL, STEP_HELLO, STEP_CHANNEL, STEP_RESOURCES };

struct worker {
	struct manager *m;
	struct worker_handlers handlers;
	char uuid[NAME_UUID_LEN + 1];
	uint64_t generation;
	struct sockaddr_un address;

	enum step step;
	bool attached; /* what HELLO must say */
	bool uncertain, ended;
	char last_words[256]; /* what it reported as it ended, or empty */
	pid_t pid;
	uid_t uid;
	char group[sizeof(((struct spawner_request *)NULL)->group)];

	int pidfd;
	int bound;       /* the control socket that the worker listens on, until it was checked */
	int setup;       /* our end of the setup pair */
	int child_setup; /* its end, until it was spawned */
	int control;     /* our connection */
	int resources[CONFINE_RESOURCES_MAX];
	size_t n_resources;

	sd_event_source *died, *status_wait, *setup_readable, *control_readable, *deadline;
};

static void worker_freep(struct worker **w)
{
	worker_free(*w);
}

int worker_new(struct manager *m, const char *uuid, uint64_t generation,
	       const struct worker_handlers *handlers, struct worker **ret_worker)
{
	_cleanup_(worker_freep) struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->m = m;
	w->handlers = *handlers;
	w->generation = generation;
	w->pidfd = w->bound = w->setup = w->child_setup = w->control = -EBADF;
	snprintf(w->uuid, sizeof(w->uuid), "%s", uuid);
	w->address.sun_family = AF_UNIX;
	/* A name that was cut would be another socket's. */
	if ((size_t)snprintf(w->address.sun_path, sizeof(w->address.sun_path),
			     "%s/workers/%s.sock", m->settings.run_dir,
			     uuid) >= sizeof(w->address.sun_path))
		return -ENAMETOOLONG;
	*ret_worker = take_ptr(&w);
	return 0;
}

static void close_setup(struct worker *w)
{
	w->setup_readable = sd_event_source_disable_unref(w->setup_readable);
	fd_close_many(&w->setup, 1);
}

static void close_control(struct worker *w)
{
	w->control_readable = sd_event_source_disable_unref(w->control_readable);
	fd_close_many(&w->control, 1);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->died);
	sd_event_source_disable_unref(w->status_wait);
	sd_event_source_disable_unref(w->deadline);
	close_setup(w);
	close_control(w);
	closep(&w->pidfd);
	closep(&w->bound);
	closep(&w->child_setup);
	fd_close_many(w->resources, w->n_resources);
	free(w);
}

/* The current step. */

static void cancel_deadline(struct worker *w)
{
	w->deadline = sd_event_source_disable_unref(w->deadline);
}

static void finish(struct worker *w, int error, const char *detail)
{
	w->step = STEP_NONE;
	cancel_deadline(w);
	w->handlers.done(w->handlers.userdata, error, detail);
}

static void finish_errno(struct worker *w, int error)
{
	finish(w, error, error < 0 ? strerror(-error) : "");
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	static const char *const what[] = {
		[STEP_SEAL] = "the worker was not sealed in time",
		[STEP_HELLO] = "the worker did not say HELLO in time",
		[STEP_CHANNEL] = "the worker did not take the channel in time",
		[STEP_RESOURCES] = "the worker did not give its resources in time",
	};
	struct worker *w = userdata;

	finish(w, -ETIMEDOUT, what[w->step]);
	return 0;
}

static int begin(struct worker *w, enum step step, uint64_t deadline_usec)
{
	int r = sd_event_add_time(w->m->event, &w->deadline, CLOCK_MONOTONIC, deadline_usec, 1,
				  on_deadline, w);

	if (r < 0)
		return r;
	w->step = step;
	return 0;
}

void worker_cancel_step(struct worker *w)
{
	if (w->step == STEP_SPAWN)
		return;
	w->step = STEP_NONE;
	cancel_deadline(w);
}

/* The process and its death. */

static bool is_sealed(const struct confine_report *report)
{
	return report->step == CONFINE_SEALED && report->error == 0;
}

/* What it says is for a person; an error that is none is one. */
static void describe_report(struct confine_report *report, size_t size, char *ret_text)
{
	report->detail[sizeof(report->detail) - 1] = '\0';
	if (report->error >= 0 || report->error < -4095)
		report->error = -EPROTO;
	snprintf(ret_text, size, "%s: %s%s%s", confine_step_name(report->step),
		 strerror(-report->error), report->detail[0] ? ": " : "", report->detail);
}

/*
 * A child that ended with its setup unread is an error first, which the kernel tells once, and only then what
 * it had said.
 */
static int receive_report(int fd, struct confine_report *ret_report)
{
	int r = fd_recv_exact(fd, ret_report, sizeof(*ret_report), NULL, 0, NULL, MSG_DONTWAIT);

	if (r == -ECONNRESET)
		r = fd_recv_exact(fd, ret_report, sizeof(*ret_report), NULL, 0, NULL, MSG_DONTWAIT);
	return r;
}

/* A child that fails reports it and exits, and its exit may be heard first. */
static void take_last_words(struct worker *w)
{
	struct confine_report message;

	if (w->setup >= 0 && receive_report(w->setup, &message) == 0 && !is_sealed(&message))
		describe_report(&message, sizeof(w->last_words), w->last_words);
}

static void end(struct worker *w, int status)
{
	if (w->ended)
		return;
	w->ended = true;
	w->step = STEP_NONE;
	cancel_deadline(w);
	take_last_words(w);
	close_setup(w);
	close_control(w);
	w->died = sd_event_source_disable_unref(w->died);
	w->status_wait = sd_event_source_disable_unref(w->status_wait);
	w->handlers.ended(w->handlers.userdata, status);
}

static void on_exited(void *userdata, int status)
{
	end(userdata, status);
}

static int on_status_missing(sd_event_source *source, uint64_t usec, void *userdata)
{
	end(userdata, -1);
	return 0;
}

static int on_died(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker *w = userdata;

	w->died = sd_event_source_disable_unref(w->died);
	if (sd_event_add_time_relative(w->m->event, &w->status_wait, CLOCK_MONOTONIC, STATUS_USEC, 0,
				       on_status_missing, w) < 0)
		end(w, -1);
	return 0;
}

/* Consumes pidfd in every case. */
static int watch_process(struct worker *w, pid_t pid, int pidfd)
{
	w->pid = pid;
	w->pidfd = pidfd;
	return sd_event_add_io(w->m->event, &w->died, pidfd, EPOLLIN, on_died, w);
}

/* Before the start: sockets. */

static int bind_control(struct worker *w)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char directory[sizeof(w->m->settings.run_dir) + 16];

	if (fd < 0)
		return -errno;
	snprintf(directory, sizeof(directory), "%s/workers", w->m->settings.run_dir);
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	unlink(w->address.sun_path);
	if (bind(fd, (struct sockaddr *)&w->address, sizeof(w->address)) < 0)
		return -errno;
	w->bound = take_fd(&fd);
	return 0;
}

int worker_prepare(struct worker *w, const struct worker_setup *setup)
{
	int pair[2], r;

	r = bind_control(w);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->setup = pair[0];
	w->child_setup = pair[1];
	return fd_send(w->setup, setup, sizeof(*setup), NULL, 0, MSG_DONTWAIT);
}

/* The spawn. */

static void on_spawned(void *userdata, int error, enum confine_step step, pid_t pid, int pidfd)
{
	struct worker *w = userdata;
	char detail[128] = "";

	/* Without it, the worker's death before its report would go unseen. */
	fd_close_many(&w->child_setup, 1);
	if (error == 0)
		error = watch_process(w, pid, pidfd);
	else if (spawner_is_unsure(error))
		w->uncertain = true;
	if (error < 0 && step != CONFINE_NONE)
		snprintf(detail, sizeof(detail), "%s: %s", confine_step_name(step),
			 strerror(-error));
	else if (error < 0)
		snprintf(detail, sizeof(detail), "spawner: %s", strerror(-error));
	finish(w, error, detail);
}

static int open_program(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int worker_spawn(struct worker *w, const struct backend *backend, struct spawner_request *request,
		 const int *resources, uint64_t deadline_usec, const char **ret_unopened)
{
	_cleanup_(closep) int executable = -EBADF, profile = -EBADF;
	int fds[SPAWNER_FD_RESOURCES + CONFINE_RESOURCES_MAX], r;
	size_t n = SPAWNER_FD_RESOURCES;

	r = open_program(backend->executable, &executable);
	*ret_unopened = r < 0 ? backend->executable : NULL;
	if (r < 0)
		return r;
	r = open_program(backend->profile, &profile);
	*ret_unopened = r < 0 ? backend->profile : NULL;
	if (r < 0)
		return r;
	fds[SPAWNER_FD_EXECUTABLE] = executable;
	fds[SPAWNER_FD_LINK] = w->bound;
	fds[SPAWNER_FD_SETUP] = w->child_setup;
	fds[SPAWNER_FD_PROFILE] = profile;
	for (uint32_t i = 0; i < request->n_resources; i++)
		fds[n++] = resources[i];

	w->uid = request->uid;
	memcpy(w->group, request->group, sizeof(w->group));
	snprintf(request->name, sizeof(request->name), "%s", w->uuid);
	w->step = STEP_SPAWN;
	r = spawner_spawn(w->m->spawner, request, fds, n, deadline_usec, on_spawned, on_exited, w);
	if (r < 0)
		w->step = STEP_NONE;
	return r;
}

/* The seal. */

static void report(struct worker *w, struct confine_report *report)
{
	char detail[256];

	if (is_sealed(report)) {
		finish(w, 0, "");
		return;
	}
	describe_report(report, sizeof(detail), detail);
	finish(w, report->error == -ETIMEDOUT ? -EIO : report->error, detail);
}

static int on_setup_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker *w = userdata;
	struct confine_report message;
	int r = receive_report(fd, &message);

	if (r == -EAGAIN)
		return 0;
	close_setup(w);
	/* Closed without a word: it has died, and its status, which comes soon, says more. */
	if (r == -ECONNRESET || w->step != STEP_SEAL)
		return 0;
	if (r < 0)
		finish(w, r, "the worker's report has the wrong size");
	else
		report(w, &message);
	return 0;
}

int worker_await_seal(struct worker *w, uint64_t deadline_usec)
{
	int r = sd_event_add_io(w->m->event, &w->setup_readable, w->setup, EPOLLIN,
				on_setup_readable, w);

	return r < 0 ? r : begin(w, STEP_SEAL, deadline_usec);
}

/* The control connection. */

static int send_request(struct worker *w, enum worker_op op, const int *fd)
{
	struct worker_message message = {
		.version = WORKER_MESSAGE_VERSION,
		.op = op,
		.generation = w->generation,
	};

	if (w->control < 0)
		return -ENOTCONN;
	memcpy(message.uuid, w->uuid, sizeof(w->uuid));
	return fd_send(w->control, &message, sizeof(message), fd, fd ? 1 : 0, MSG_DONTWAIT);
}

static enum worker_op expected_op(const struct worker *w)
{
	switch (w->step) {
	case STEP_HELLO:
		return WORKER_HELLO;
	case STEP_CHANNEL:
		return WORKER_CHANNEL;
	case STEP_RESOURCES:
		return WORKER_RESOURCES;
	default:
		return 0;
	}
}

static bool is_expected(const struct worker *w, const struct worker_message *message, size_t n_fds)
{
	size_t n_expected = w->step == STEP_RESOURCES && message->error == 0 ? message->count : 0;

	return message->version == WORKER_MESSAGE_VERSION && message->op != 0 &&
	       message->op == (uint32_t)expected_op(w) && n_fds == n_expected &&
	       message->error <= 0 && message->error >= -4095;
}

static bool hello_is_ours(const struct worker *w, const struct worker_message *hello)
{
	return hello->error == 0 && hello->generation == w->generation &&
	       hello->attached == (w->attached ? 1 : 0) &&
	       memcmp(hello->uuid, w->uuid, sizeof(w->uuid)) == 0;
}

static void answer(struct worker *w, const struct worker_message *message, const int *fds)
{
	if (w->step == STEP_HELLO && !hello_is_ours(w, message)) {
		finish(w, -EPROTO, "it is not the worker that was started for this volume");
		return;
	}
	if (w->step == STEP_RESOURCES && message->error == 0) {
		memcpy(w->resources, fds, message->count * sizeof(fds[0]));
		w->n_resources = message->count;
	}
	finish_errno(w, message->error == -ETIMEDOUT ? -EIO : message->error);
}

/* A worker that says what nobody asked, or in a form that nobody uses, is not in its right mind. */
static void misbehaved(struct worker *w)
{
	close_control(w);
	worker_kill(w);
	if (w->step != STEP_NONE && w->step != STEP_SPAWN)
		finish(w, -EPROTO, "the worker sent what it was not asked for");
}

static int on_control_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct worker *w = userdata;
	struct worker_message message;
	int fds[CONFINE_RESOURCES_MAX];
	size_t n_fds = 0;
	int r = fd_recv_exact(fd, &message, sizeof(message), fds, CONFINE_RESOURCES_MAX, &n_fds,
			      MSG_DONTWAIT);

	if (r == -EAGAIN)
		return 0;
	if (r == -ECONNRESET) {
		/* Its death, if it is one, is told otherwise; a step goes on until its deadline. */
		close_control(w);
	} else if (r < 0 || !is_expected(w, &message, n_fds)) {
		if (r == 0)
			fd_close_many(fds, n_fds);
		misbehaved(w);
	} else {
		answer(w, &message, fds);
	}
	return 0;
}

/* Whoever called listen() on the socket is who the kernel names; only the worker's own call counts. */
static int check_peer(const struct worker *w, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.pid == w->pid && peer.uid == w->uid ? 0 : -EPERM;
}

int worker_connect(struct worker *w, bool attached, uint64_t deadline_usec)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&w->address, sizeof(w->address)) < 0)
		return -errno;
	r = check_peer(w, fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(w->m->event, &w->control_readable, fd, EPOLLIN, on_control_readable, w);
	if (r < 0)
		return r;
	w->control = take_fd(&fd);
	w->attached = attached;
	r = send_request(w, WORKER_HELLO, NULL);
	return r < 0 ? r : begin(w, STEP_HELLO, deadline_usec);
}

int worker_give_channel(struct worker *w, int channel, uint64_t deadline_usec)
{
	int r = send_request(w, WORKER_CHANNEL, &channel);

	return r < 0 ? r : begin(w, STEP_CHANNEL, deadline_usec);
}

int worker_ask_resources(struct worker *w, uint64_t deadline_usec)
{
	int r = send_request(w, WORKER_RESOURCES, NULL);

	return r < 0 ? r : begin(w, STEP_RESOURCES, deadline_usec);
}

size_t worker_take_resources(struct worker *w, int *ret_fds, size_t n)
{
	size_t taken = w->n_resources < n ? w->n_resources : n;

	for (size_t i = 0; i < taken; i++)
		ret_fds[i] = take_fd(&w->resources[i]);
	return taken;
}

/* Taking over, checking, ending. */

int worker_adopt(struct worker *w, pid_t pid, int pidfd, uid_t uid, const char *group)
{
	int r = spawner_watch(w->m->spawner, w->uuid, on_exited, w);

	if (r < 0) {
		closep(&pidfd);
		return r;
	}
	w->uid = uid;
	snprintf(w->group, sizeof(w->group), "%s", group);
	return watch_process(w, pid, pidfd);
}

static void expect_fd(struct gate_expectation *e, int fd, int own_fd)
{
	e->fds[e->n_fds].fd = fd;
	e->fds[e->n_fds++].own_fd = own_fd;
}

int worker_check(struct worker *w, const struct worker_limits *limits, int channel,
		 const int *resources, size_t n_resources, size_t detail_size, char *ret_detail)
{
	struct gate_expectation expected = {
		.pid = w->pid,
		.pidfd = w->pidfd,
		.uid = w->uid,
		.filters = FILTERS,
		.memlock_min_bytes = MEMLOCK_MIN_BYTES,
		.memlock_limit_bytes = limits->memlock_max_bytes,
		.oom_score_known = limits->oom_score_known,
		.oom_score = limits->oom_score,
		.nofile_limit = CONFINE_NOFILE(n_resources),
		.fsize_limit_bytes = limits->file_max_bytes,
	};
	char cgroup[sizeof(w->group) + sizeof(w->uuid)];
	struct gate_verdict verdict = {};
	int r;

	snprintf(cgroup, sizeof(cgroup), "%s/%s", w->group, w->uuid);
	expected.cgroup = cgroup;
	expect_fd(&expected, CONFINE_FD_LINK, w->bound >= 0 ? w->bound : -1);
	expect_fd(&expected, ACCEPTED_FD, -1);
	if (channel >= 0)
		expect_fd(&expected, CHANNEL_FD, channel);
	for (size_t i = 0; i < n_resources; i++)
		expect_fd(&expected, CONFINE_FD_RESOURCES + (int)i, resources[i]);

	r = gate_check(&expected, &verdict);
	fd_close_many(&w->bound, 1);
	if (r == 0)
		return 0;
	if (r < 0)
		snprintf(ret_detail, detail_size, "cannot look: %s", strerror(-r));
	else
		snprintf(ret_detail, detail_size, "%s: %s", verdict.what, verdict.detail);
	return 1;
}

int worker_stop(struct worker *w)
{
	return send_request(w, WORKER_STOP, NULL);
}

void worker_kill(struct worker *w)
{
	spawner_kill(w->m->spawner, w->uuid);
}

void worker_forget(struct worker *w)
{
	unlink(w->address.sun_path);
	spawner_forget(w->m->spawner, w->uuid);
}

pid_t worker_pid(const struct worker *w)
{
	return w->pid;
}

bool worker_is_alive(const struct worker *w)
{
	return w->pid > 0 && !w->ended;
}

bool worker_is_uncertain(const struct worker *w)
{
	return w->uncertain;
}

const char *worker_last_words(const struct worker *w)
{
	return w->last_words;
}

void worker_describe_status(int status, size_t size, char *ret_text)
{
	if (status == -1)
		snprintf(ret_text, size, "ended, nobody knows how");
	else if (status & SPAWNER_STATUS_OOM)
		snprintf(ret_text, size,
			 "was killed by the kernel: out of memory (of the machine, or of what the worker may have)");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(ret_text, size,
			 "was killed by SIGSYS: it made a system call that its profile forbids; the kernel's audit log names it");
	else if (WIFSIGNALED(status))
		snprintf(ret_text, size, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == DMUSER_EXIT_CHANNEL_READ ||
		 WEXITSTATUS(status) == DMUSER_EXIT_CHANNEL_WRITE)
		snprintf(ret_text, size,
			 "lost its channel: it was slower than io_timeout_ms, or gave a bad answer (status %d)",
			 WEXITSTATUS(status));
	else
		snprintf(ret_text, size, "exited with status %d", WEXITSTATUS(status));
}
