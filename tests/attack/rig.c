// SPDX-License-Identifier: Apache-2.0
/*
 * A spawner to test, and the supervisor's part played towards it. Owns the run directory and all
 * processes that come of it, until the process that started it exits.
 */
#include "tests/attack/rig.h"
#include "dmuserd/messages/worker.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/proc.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define CGROUP	  "/sys/fs/cgroup/dmuser"
#define FIRST_UID 200000

static int wait_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

bool process_is_gone(int pidfd, int timeout_ms)
{
	return wait_readable(pidfd, timeout_ms) == 0;
}

static int connect_to(const char *path, int *ret_fd)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int rig_connect(struct rig *rig)
{
	char path[108];

	closep(&rig->link);
	rig->link = -EBADF;
	snprintf(path, sizeof(path), "%s/spawner.sock", rig->run_dir);
	return connect_to(path, &rig->link);
}

/*
 * What the steps have to undo must be there to be undone: groups, a umask, an ignored signal,
 * limits, and descriptors that nobody meant to give, left open the way a careless caller leaves
 * them.
 */
_Noreturn static void become_spawner(const struct rig *rig, unsigned int n_leaked)
{
	static const gid_t groups[] = { 4, 24, 27 };
	static const unsigned long ignore[4] = { (unsigned long)SIG_IGN };
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY }, memlock = { 0, 0 };
	char program[512];

	for (unsigned int i = 0; i < n_leaked; i++)
		if (open("/etc/passwd", O_RDONLY) < 0)
			_exit(5);
	umask(0022);
	signal(SIGPIPE, SIG_IGN);
	/* As libc's posix_spawn() leaves its own two signals in whom it starts. */
	for (int number = 32; number <= 33; number++)
		if (syscall(SYS_rt_sigaction, number, ignore, NULL, sizeof(ignore[3])) < 0)
			_exit(8);
	if (setgroups(ARRAY_SIZE(groups), groups) < 0 || setrlimit(RLIMIT_CORE, &core) < 0 ||
	    setrlimit(RLIMIT_MEMLOCK, &memlock) < 0)
		_exit(6);
	snprintf(program, sizeof(program), "%s/dmuserd/spawner/dmuser-spawner", rig->build);
	execl(program, program, "--run-dir", rig->run_dir, "--libexec-dir", rig->build, NULL);
	_exit(7);
}

/* It becomes a daemon, so it is the one who listens on the socket. */
static int find_spawner(struct rig *rig)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(rig->link, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	rig->spawner = peer.pid;
	rig->spawner_fd = (int)syscall(SYS_pidfd_open, peer.pid, 0U);
	return rig->spawner_fd < 0 ? -errno : 0;
}

int rig_start_spawner(struct rig *rig, unsigned int n_leaked)
{
	pid_t pid = fork();
	int status, r;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_spawner(rig, n_leaked);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return -ECHILD;
	r = rig_connect(rig);
	return r < 0 ? r : find_spawner(rig);
}

void rig_kill_spawner(struct rig *rig)
{
	if (rig->spawner_fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, rig->spawner_fd, SIGKILL, NULL, 0U);
	process_is_gone(rig->spawner_fd, RIG_TIMEOUT_MS);
	waitpid(rig->spawner, NULL, 0);
	closep(&rig->spawner_fd);
	rig->spawner_fd = -EBADF;
}

static struct rig *current;

static void stop_at_exit(void)
{
	_cleanup_(closep) int fd = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
	char command[128];

	if (fd >= 0 && write(fd, "1", 1) != 1)
		fprintf(stderr, CGROUP "/cgroup.kill: %m\n");
	rig_kill_spawner(current);
	/* Everyone who was below the spawner is a child of this process now. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	snprintf(command, sizeof(command), "rm -rf '%s'", current->run_dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", current->run_dir);
}

int rig_prepare(struct rig *rig, const char *build)
{
	*rig = (struct rig){ .build = build,
			     .link = -EBADF,
			     .spawner_fd = -EBADF,
			     .run_dir = "/tmp/dmuser-attack-XXXXXX" };
	if (!mkdtemp(rig->run_dir))
		return -errno;
	/* Orphans come here, so that a zombie does not pass for a process. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) < 0)
		return -errno;
	current = rig;
	if (atexit(stop_at_exit) != 0)
		return -ENOMEM;
	return 0;
}

int rig_start(struct rig *rig, const char *build, unsigned int n_leaked)
{
	int r = rig_prepare(rig, build);

	return r < 0 ? r : rig_start_spawner(rig, n_leaked);
}

int rig_hook(struct rig *rig, const char *file, const char *step)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", rig->run_dir, file);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	return fprintf(f, "%s\n", step) < 0 ? -EIO : 0;
}

static int bind_listener(const char *path, int *ret_fd)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int worker_init(struct rig *rig, struct worker *w)
{
	static unsigned int count;
	int pair[2];

	*w = (struct worker){ .uid = FIRST_UID + count,
			      .pidfd = -EBADF,
			      .setup = -EBADF,
			      .setup_child = -EBADF,
			      .listener = -EBADF,
			      .memfd = -EBADF,
			      .control = -EBADF };
	snprintf(w->name, sizeof(w->name), "00000000-0000-4000-8000-%012x", count++);
	snprintf(w->socket_path, sizeof(w->socket_path), "%s/%s", rig->run_dir, w->name + 24);
	snprintf(w->cgroup, sizeof(w->cgroup), RIG_GROUP "/%s", w->name);
	w->memfd = memfd_create("volume", MFD_CLOEXEC);
	if (w->memfd < 0 || ftruncate(w->memfd, RIG_VOLUME_BYTES) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->setup = pair[0];
	w->setup_child = pair[1];
	return bind_listener(w->socket_path, &w->listener);
}

void worker_fill_request(struct rig *rig, const struct worker *w,
			 struct spawner_request *ret_request)
{
	*ret_request = (struct spawner_request){
		.version = SPAWNER_MESSAGE_VERSION,
		.op = SPAWNER_SPAWN,
		.serial = ++rig->serial,
		.role = SPAWNER_WORKER,
		.uid = w->uid,
		.n_resources = 1,
		.pids_max = 8,
		.nofile_max = 64,
		.memory_max_bytes = 64 << 20,
		.memlock_max_bytes = RIG_MEMLOCK_BYTES,
		.group = RIG_GROUP,
	};
	snprintf(ret_request->name, sizeof(ret_request->name), "%s", w->name);
}

int rig_send(struct rig *rig, const struct spawner_request *request, const int *fds, size_t n_fds)
{
	return fd_send(rig->link, request, sizeof(*request), fds, n_fds, 0);
}

int rig_receive(struct rig *rig, struct spawner_reply *ret_reply, int *ret_fd)
{
	size_t n_fds = 0;
	int fd = -EBADF;
	int r = wait_readable(rig->link, RIG_TIMEOUT_MS);

	if (r == 0)
		r = fd_recv_exact(rig->link, ret_reply, sizeof(*ret_reply), &fd, 1, &n_fds, 0);
	if (r < 0)
		return r;
	*ret_fd = n_fds == 1 ? fd : -EBADF;
	return 0;
}

int rig_wait_for(struct rig *rig, enum spawner_event event, const char *name,
		 struct spawner_reply *ret_reply, int *ret_fd)
{
	for (;;) {
		int fd;
		int r = rig_receive(rig, ret_reply, &fd);

		if (r < 0)
			return r;
		if (ret_reply->event == event && (!name || strcmp(ret_reply->name, name) == 0)) {
			if (ret_fd)
				*ret_fd = fd;
			else
				closep(&fd);
			return 0;
		}
		closep(&fd);
	}
}

int rig_ask(struct rig *rig, enum spawner_op op, const char *name, struct spawner_reply *ret_reply)
{
	struct spawner_request request = { .version = SPAWNER_MESSAGE_VERSION,
					   .op = op,
					   .serial = ++rig->serial };
	int r;

	snprintf(request.name, sizeof(request.name), "%s", name);
	r = rig_send(rig, &request, NULL, 0);
	return r < 0 ? r : rig_wait_for(rig, SPAWNER_DONE, name, ret_reply, NULL);
}

static int open_below(const char *dir, const char *name, int *ret_fd)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

int worker_request(struct rig *rig, struct worker *w, const char *program, const char *profile)
{
	_cleanup_(closep) int program_fd = -EBADF, profile_fd = -EBADF;
	struct spawner_request request;
	int r = open_below(rig->build, program, &program_fd);

	if (r == 0)
		r = open_below(rig->build, profile, &profile_fd);
	if (r < 0)
		return r;
	worker_fill_request(rig, w, &request);
	r = rig_send(rig, &request,
		     (int[]){ program_fd, w->listener, w->setup_child, profile_fd, w->memfd }, 5);
	/* Its end must be seen here when the child closes it. */
	closep(&w->setup_child);
	w->setup_child = -EBADF;
	return r;
}

int worker_spawn(struct rig *rig, struct worker *w, const char *program, const char *profile,
		 struct spawner_reply *ret_reply)
{
	int r = worker_request(rig, w, program, profile);

	if (r == 0)
		r = rig_wait_for(rig, SPAWNER_SPAWNED, w->name, ret_reply, &w->pidfd);
	if (r == 0)
		w->pid = ret_reply->pid;
	return r;
}

int worker_wait_report(struct worker *w, struct confine_report *ret_report)
{
	int r = wait_readable(w->setup, RIG_TIMEOUT_MS);

	return r < 0 ? r
		     : fd_recv_exact(w->setup, ret_report, sizeof(*ret_report), NULL, 0, NULL, 0);
}

int worker_wait_end(struct worker *w)
{
	char end;
	int r = wait_readable(w->setup, RIG_TIMEOUT_MS);

	if (r < 0)
		return r;
	return recv(w->setup, &end, 1, MSG_DONTWAIT) == 0 ? 0 : -EPROTO;
}

static void cgroup_path(const struct worker *w, const char *file, char *path, size_t size)
{
	snprintf(path, size, CGROUP "/%s/%s", w->cgroup, file);
}

bool worker_has_cgroup(const struct worker *w)
{
	char path[256];

	cgroup_path(w, "", path, sizeof(path));
	return access(path, F_OK) == 0;
}

bool worker_has_process(const struct worker *w)
{
	char path[256], text[256];

	cgroup_path(w, "cgroup.events", path, sizeof(path));
	return proc_read(AT_FDCWD, path, text, sizeof(text)) == 0 && strstr(text, "populated 1");
}

int worker_connect(struct worker *w)
{
	return connect_to(w->socket_path, &w->control);
}

int worker_order(struct worker *w, const struct order *order, struct answer *ret_answer)
{
	int r = fd_send(w->control, order, sizeof(*order), NULL, 0, 0);

	if (r == 0)
		r = wait_readable(w->control, RIG_TIMEOUT_MS);
	return r < 0 ? r
		     : fd_recv_exact(w->control, ret_answer, sizeof(*ret_answer), NULL, 0, NULL, 0);
}

int worker_start(struct rig *rig, struct worker *w)
{
	struct order ping = { .kind = ORDER_PING };
	struct confine_report report;
	struct spawner_reply reply;
	struct answer answer;
	int r = worker_init(rig, w);

	if (r == 0)
		r = worker_spawn(rig, w, "tests/attack/attack-child", "seccomp/memory.bpf", &reply);
	if (r < 0)
		return r;
	if (reply.error < 0) {
		fprintf(stderr, "spawning failed at %s: %s\n", confine_step_name(reply.step),
			strerror(-reply.error));
		return reply.error;
	}
	r = worker_wait_report(w, &report);
	if (r < 0)
		return r;
	r = worker_wait_end(w);
	if (r < 0)
		return r;
	if (report.step != CONFINE_SEALED) {
		fprintf(stderr, "the child failed at %s: %s\n", confine_step_name(report.step),
			strerror(-report.error));
		return report.error;
	}
	r = worker_connect(w);
	return r < 0 ? r : worker_order(w, &ping, &answer);
}

static int send_setup(const struct worker *w)
{
	static struct worker_setup setup = {
		.version = WORKER_MESSAGE_VERSION,
		.block_size = 512,
		.size_bytes = RIG_VOLUME_BYTES,
		.generation = 1,
		.volume = "v",
		.n_resources = 1,
	};

	memcpy(setup.uuid, w->name, NAME_UUID_LEN);
	return fd_send(w->setup, &setup, sizeof(setup), NULL, 0, 0);
}

int worker_start_backend(struct rig *rig, struct worker *w, const char *type)
{
	struct confine_report report = {};
	struct spawner_reply reply = {};
	char program[64], profile[64];
	int r = worker_init(rig, w);

	snprintf(program, sizeof(program), "backends/%s/dmuser-backend-%s", type, type);
	snprintf(profile, sizeof(profile), "seccomp/%s.bpf", type);
	if (r == 0)
		r = worker_spawn(rig, w, program, profile, &reply);
	if (r == 0)
		r = reply.error;
	if (r == 0)
		r = send_setup(w);
	if (r == 0)
		r = worker_wait_report(w, &report);
	if (r == 0)
		r = worker_wait_end(w);
	return r < 0 ? r : report.step == CONFINE_SEALED ? 0 : report.error;
}

void worker_expect(const struct worker *w, struct gate_expectation *ret_expected)
{
	*ret_expected = (struct gate_expectation){
		.pid = w->pid,
		.pidfd = w->pidfd,
		.uid = w->uid,
		.filters = RIG_FILTERS,
		.memlock_min_bytes = 4096,
		.memlock_limit_bytes = RIG_MEMLOCK_BYTES,
		.nofile_limit = 16,
		.cgroup = w->cgroup,
		.n_fds = 2,
		.fds = { { CONFINE_FD_LINK, w->listener }, { CONFINE_FD_RESOURCES, w->memfd } },
	};
	if (w->control >= 0)
		ret_expected->fds[ret_expected->n_fds++] =
			(__typeof__(ret_expected->fds[0])){ CONFINE_FD_SETUP, -1 };
}
