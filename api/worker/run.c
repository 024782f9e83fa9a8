// SPDX-License-Identifier: Apache-2.0
/*
 * A worker's life: setup, prepare, seal, serve. Its powers: none but the descriptors that it was started
 * with, and the channel that comes once it is sealed.
 *
 * Owns the one struct dmuser_worker of the process. Trusts the setup message, which the supervisor has
 * checked; never does anything between the seal and the control loop.
 */
#include "api/dmuser-worker.h"
#include "api/worker/control.h"
#include "api/worker/plain.h"
#include "api/worker/request.h"
#include "api/worker/resident.h"
#include "api/worker/seal.h"
#include "api/worker/serve.h"
#include "dmuserd/messages/test-hooks.h"
#include "util/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/*
 * The supervisor knows of the threads only; without this a worker that has more requests at once would fail when
 * it locks its memory, or be killed when it uses it.
 */
static void check_memory(const struct dmuser_worker *worker)
{
	unsigned int count = requests_count(worker->ops);
	char detail[120];

	if (worker->setup.requests_max == 0 || count <= worker->setup.requests_max)
		return;
	snprintf(detail, sizeof(detail),
		 "%u requests at once need memory_max_bytes %" PRIu64
		 " in the manifest, which has room for %u",
		 count, worker_memory_needed(worker->ops->n_threads, count),
		 worker->setup.requests_max);
	seal_fail(CONFINE_SETUP, -ENOMEM, detail);
}

static void take_setup(struct dmuser_worker *worker)
{
	struct worker_setup *setup = &worker->setup;
	int r = fd_recv_exact(CONFINE_FD_SETUP, setup, sizeof(*setup), NULL, 0, NULL, 0);

	if (r < 0)
		seal_fail(CONFINE_SETUP, r, NULL);
	if (setup->version != WORKER_MESSAGE_VERSION)
		seal_fail(CONFINE_SETUP, -EPROTONOSUPPORT, "worker and supervisor differ in version");
	/* The manifest and the program are installed apart. */
	if (setup->n_resources != worker->ops->n_resources)
		seal_fail(CONFINE_SETUP, -EINVAL, "the manifest has other resources than the backend");
	check_memory(worker);
	for (unsigned int i = 0; i < setup->n_resources; i++)
		worker->resources[i] = CONFINE_FD_RESOURCES + (int)i;
}

/* No backend makes a file larger than it was given: the supervisor looks for that limit. */
static uint64_t largest_file(const struct dmuser_worker *worker)
{
	uint64_t largest = worker->setup.size_bytes;

	for (unsigned int i = 0; i < worker->ops->n_resources; i++) {
		struct stat st;

		if (fstat(worker->resources[i], &st) == 0 && S_ISREG(st.st_mode) &&
		    (uint64_t)st.st_size > largest)
			largest = (uint64_t)st.st_size;
	}
	return largest;
}

static int start_threads(void *userdata)
{
	resident_program();
	return serve_start_threads(userdata);
}

_Noreturn static void confined_run(struct dmuser_worker *worker)
{
	struct seal seal = {
		.lock_memory = true,
		.nofile_max = CONFINE_NOFILE(worker->ops->n_resources),
		.listen = true,
		.start_threads = start_threads,
		.userdata = worker,
	};
	int r;

	seal_enter();
	worker->confined = true;
	take_setup(worker);
	r = worker_prepare(worker);
	if (r < 0)
		seal_fail(CONFINE_PREPARE, r, worker->refusal);
	r = requests_allocate(worker);
	if (r < 0)
		seal_fail(CONFINE_PREPARE, r, "buffers");
	/* A second fence behind serve.c's: not even a wrong offset can make an image grow. */
	seal.fsize_max = largest_file(worker);
	seal_finish(&seal);
	control_serve(worker);
}

/* The spawner starts a worker with nothing to say on the command line but a socket to listen to. */
static bool started_by_spawner(int argc, char **argv)
{
	struct stat st;

#ifdef DMUSER_TEST_HOOKS
	if (argc == 2 && strncmp(argv[1], HOOK_OPTION, strlen(HOOK_OPTION)) == 0)
		argc = 1;
#endif
	return argc == 1 && fstat(CONFINE_FD_SETUP, &st) == 0 && S_ISSOCK(st.st_mode);
}

int dmuser_worker_run(const struct dmuser_worker_ops *ops, int argc, char **argv)
{
	static struct dmuser_worker worker = {
		.channel = {
			.fd = -EBADF,
			.read_lock = PTHREAD_MUTEX_INITIALIZER,
			.write_lock = PTHREAD_MUTEX_INITIALIZER,
		},
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};

	worker.ops = ops;
	if (started_by_spawner(argc, argv))
		confined_run(&worker);
	return plain_run(&worker, argc, argv);
}
