// SPDX-License-Identifier: Apache-2.0
/* A parser's process, asked of the spawner and looked at by the gate; see parser-process.h. */
#include "dmuserd/supervisor/parser-process.h"
#include "dmuserd/supervisor/gate.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"
#include "util/proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* The spawner's own filter, the outer and the inner one. */
#define FILTERS 3
/* A message of 1 MiB as text and as a tree, and the program itself. */
#define MEMORY_MAX_BYTES (64ull * 1024 * 1024)
/* 0 to 2, the link, the client, the descriptors of one message, the setup and the profile at start. */
#define NOFILE_MAX 16

int parser_process_pair(int *ret_ours, int *ret_its)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ret_ours = pair[0];
	*ret_its = pair[1];
	/* Ours alone: a parser waits for what comes. */
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_installed(const struct manager *m, const char *file)
{
	char path[sizeof(m->settings.libexec_dir) + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", m->settings.libexec_dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		int r = -errno;

		log_print(LOG_ERR, "%s: %s", path, strerror(errno));
		return r;
	}
	return fd;
}

int parser_process_request(struct manager *m, const char *name, uid_t uid, int its_link, int its_setup,
			   uint64_t deadline_usec, spawner_spawned_fn spawned,
			   spawner_exited_fn exited, void *userdata)
{
	_cleanup_(closep) int executable = open_installed(m, "dmuser-parser");
	_cleanup_(closep) int profile = open_installed(m, "seccomp/parser.bpf");
	const int fds[] = {
		[SPAWNER_FD_EXECUTABLE] = executable,
		[SPAWNER_FD_LINK] = its_link,
		[SPAWNER_FD_SETUP] = its_setup,
		[SPAWNER_FD_PROFILE] = profile,
	};
	struct spawner_request request = {
		.role = SPAWNER_PARSER,
		.uid = uid,
		.pids_max = 1,
		.nofile_max = NOFILE_MAX,
		.memory_max_bytes = MEMORY_MAX_BYTES,
		.group = SPAWNER_PARSERS,
	};

	if (executable < 0)
		return executable;
	if (profile < 0)
		return profile;
	snprintf(request.name, sizeof(request.name), "%s", name);
	return spawner_spawn(m->spawner, &request, fds, ARRAY_SIZE(fds), deadline_usec, spawned,
			     exited, userdata);
}

int parser_process_check(const struct parser_process *p)
{
	struct gate_verdict verdict = {};
	char cgroup[sizeof(SPAWNER_PARSERS) + SPAWNER_NAME_SIZE + 1];
	struct gate_expectation expected = {
		.pid = p->pid,
		.pidfd = p->pidfd,
		.uid = p->uid,
		.filters = FILTERS,
		.nofile_limit = NOFILE_MAX,
		.oom_score_known = true,
		.oom_score = OOM_SCORE_FIRST,
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
