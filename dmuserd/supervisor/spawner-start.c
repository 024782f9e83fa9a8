// SPDX-License-Identifier: Apache-2.0
/*
 * Starting the spawner; see spawner-start.h.
 *
 * It gets stderr, to say what is wrong at its start, and nothing else of this process: no descriptor, no
 * environment, no blocked signal.
 */
#include "dmuserd/supervisor/spawner-start.h"
#include "dmuserd/supervisor/log.h"
#include "util/cleanup.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* posix_spawn's attributes: as a process starts that nobody has changed anything for. */
static int prepare(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes,
					     POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return -r;
}

/* What this process opens closes by itself; what it was started with may not. */
static int spawn(const char *path, char *const argv[], pid_t *ret_pid)
{
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = -posix_spawnattr_init(&attributes);

	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_init(&actions);
	if (r < 0) {
		posix_spawnattr_destroy(&attributes);
		return r;
	}
	r = prepare(&attributes);
	if (r == 0)
		r = -posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (r == 0)
		r = -posix_spawn(ret_pid, path, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

static int execute(const struct settings *s, pid_t *ret_pid)
{
	char path[sizeof(s->libexec_dir) + 32];
	char *const argv[] = { path, (char *)"--run-dir", (char *)s->run_dir,
			       (char *)"--libexec-dir", (char *)s->libexec_dir, NULL };
	int r;

	snprintf(path, sizeof(path), "%s/dmuser-spawner", s->libexec_dir);
	r = spawn(path, argv, ret_pid);
	if (r == -ENOENT)
		log_print(LOG_ERR, "%s is not there; programs in another directory DIR are found by "
				   "--set libexec_dir=DIR", path);
	else if (r < 0)
		log_print(LOG_ERR, "%s: %s", path, strerror(-r));
	return r;
}

/* It ends when the daemon that it has become is ready, or cannot be. */
static int wait_for_it(pid_t pid, unsigned int timeout_ms)
{
	_cleanup_(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int status, n;

	if (pidfd < 0)
		return -errno;
	do
		n = poll(&p, 1, (int)timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -ETIMEDOUT;
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int spawner_start(const struct settings *s, unsigned int timeout_ms)
{
	pid_t pid;
	int r = execute(s, &pid);

	return r < 0 ? r : wait_for_it(pid, timeout_ms);
}
