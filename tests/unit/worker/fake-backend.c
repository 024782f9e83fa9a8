// SPDX-License-Identifier: Apache-2.0
/* A backend whose every outcome a test can choose; see fake-backend.h. */
#include "tests/unit/worker/test.h"
#include "tests/unit/worker/fake-backend.h"

#include "api/worker/request.h"
#include "api/worker/serve.h"
#include "util/fd.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fake *fake_new(void)
{
	struct fake *fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(fake != MAP_FAILED);
	return fake;
}

void fake_free(struct fake *fake)
{
	munmap(fake, sizeof(*fake));
}

/* prepare() gets no argument of ours; the child has one volume. */
static struct fake *prepared;

static int fake_prepare(struct dmuser_worker *worker, void **ret_volume)
{
	*ret_volume = prepared;
	return 0;
}

static void breathe(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int fake_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		     uint64_t offset)
{
	struct fake *fake = volume;

	atomic_fetch_add(&fake->n_inside, 1);
	while (atomic_load(&fake->n_inside) < atomic_load(&fake->n_together) &&
	       !atomic_load(&fake->release))
		breathe();
	memcpy(buffer, fake->data + offset, length);
	return atomic_load(&fake->read_result);
}

static int fake_write(void *volume, struct dmuser_request *request, const void *buffer,
		      size_t length, uint64_t offset)
{
	struct fake *fake = volume;

	atomic_store(&fake->flags_seen, dmuser_request_flags(request));
	atomic_fetch_add(&fake->n_writes, 1);
	memcpy(fake->data + offset, buffer, length);
	return 0;
}

static int fake_flush(void *volume, struct dmuser_request *request)
{
	return atomic_load(&((struct fake *)volume)->result);
}

static int fake_discard(void *volume, struct dmuser_request *request, uint64_t length,
			uint64_t offset)
{
	return atomic_load(&((struct fake *)volume)->result);
}

static int fake_write_zeroes(void *volume, struct dmuser_request *request, uint64_t length,
			     uint64_t offset)
{
	struct fake *fake = volume;

	atomic_store(&fake->flags_seen, dmuser_request_flags(request));
	memset(fake->data + offset, 0, length);
	return atomic_load(&fake->result);
}

static int fake_secure_erase(void *volume, struct dmuser_request *request, uint64_t length,
			     uint64_t offset)
{
	memset(((struct fake *)volume)->data + offset, 0xee, length);
	return 0;
}

const struct dmuser_worker_ops fake_ops = {
	.type = "fake",
	.summary = "For tests.",
	.n_threads = 2,
	.prepare = fake_prepare,
	.read = fake_read,
	.write = fake_write,
	.flush = fake_flush,
	.discard = fake_discard,
	.write_zeroes = fake_write_zeroes,
	.secure_erase = fake_secure_erase,
};

/* Reads that wait for their answer, all in the child. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct dmuser_request *requests[FAKE_LATER_BATCH];
	unsigned int count;
} later = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int later_read(void *volume, struct dmuser_request *request, void *buffer, size_t length,
		      uint64_t offset)
{
	memcpy(buffer, ((struct fake *)volume)->data + offset, length);
	pthread_mutex_lock(&later.lock);
	later.requests[later.count++] = request;
	pthread_cond_signal(&later.changed);
	pthread_mutex_unlock(&later.lock);
	return DMUSER_LATER;
}

static void *later_complete(void *userdata)
{
	pthread_mutex_lock(&later.lock);
	for (;;) {
		while (later.count < FAKE_LATER_BATCH)
			pthread_cond_wait(&later.changed, &later.lock);
		while (later.count > 0)
			dmuser_request_complete(later.requests[--later.count], 0);
	}
	return NULL;
}

static int later_start(void *volume)
{
	pthread_t thread;

	return -pthread_create(&thread, NULL, later_complete, NULL);
}

const struct dmuser_worker_ops fake_later_ops = {
	.type = "later",
	.summary = "For tests.",
	.n_threads = 1,
	.n_requests = FAKE_LATER_BATCH,
	.prepare = fake_prepare,
	.start = later_start,
	.read = later_read,
};

struct dmuser_worker *fake_worker(struct fake *fake, const struct dmuser_worker_ops *ops,
				  bool read_only)
{
	static struct dmuser_worker worker = {
		.confined = true, /* says nothing on stderr */
		.channel = {
			.fd = -EBADF,
			.read_lock = PTHREAD_MUTEX_INITIALIZER,
			.write_lock = PTHREAD_MUTEX_INITIALIZER,
		},
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};

	prepared = fake;
	worker.ops = ops;
	worker.setup = (struct worker_setup){
		.version = WORKER_MESSAGE_VERSION,
		.block_size = 512,
		.size_bytes = FAKE_SIZE_BYTES,
		.generation = 7,
		.uuid = "01234567-89ab-cdef-0123-456789abcdef",
		.volume = "fake",
		.read_only = read_only,
	};
	if (worker_prepare(&worker) < 0 || requests_allocate(&worker) < 0 ||
	    serve_start_threads(&worker) < 0)
		_exit(99);
	return &worker;
}

pid_t fake_serve(struct fake *fake, const struct dmuser_worker_ops *ops, bool read_only,
		 int channel)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		close(channel);
		return pid;
	}
	/* The test's own end must not stay open here, or the channel would never end. */
	dup2(channel, 3);
	fd_close_all_but((int[]){ 0, 1, 2, 3 }, 4);
	alarm(2 * TEST_PATIENCE_S);
	serve_attach(fake_worker(fake, ops, read_only), 3);
	for (;;)
		pause();
}

void fake_wait_for(atomic_uint *value, unsigned int wanted)
{
	for (unsigned int ms = 0; atomic_load(value) < wanted; ms++) {
		assert_true(ms < TEST_PATIENCE_S * 1000);
		breathe();
	}
}

int fake_reap(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
