// SPDX-License-Identifier: Apache-2.0
/*
 * Kills: workers that die by SIGKILL, one after the other, while every byte that is read back is
 * compared. Their data outlives them: it is in memory that they share with this process.
 *
 * $DMUSER_KILLS says how many (default 50).
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

#define SECTORS 2048
#define BLOCK 4096
#define SUBMITTERS 4
#define BLOCKS (SECTORS * 512 / BLOCK / SUBMITTERS)

struct kills {
	struct target target;
	char *store;
	atomic_bool stop;
	atomic_ulong verified;
};

/* The worker: one process, one channel; nothing that a fork of many threads must not do. */
static void worker_serve(const struct kills *k)
{
	static char data[PAYLOAD_MAX];
	struct dm_user_message msg;
	int fd = channel_open(&k->target, 0), r;

	while ((r = channel_next(fd, &msg, data)) == 0) {
		char *place = k->store + msg.sector * 512;
		bool is_read = msg.type == DM_USER_REQ_MAP_READ;

		if (is_read)
			memcpy(data, place, msg.len);
		else if (msg.type == DM_USER_REQ_MAP_WRITE)
			memcpy(place, data, msg.len);
		msg.type = DM_USER_RESP_SUCCESS;
		r = channel_write_all(fd, &msg, sizeof(msg), 0);
		if (r == 0 && is_read)
			r = channel_write_all(fd, data, msg.len, 0);
		if (r)
			break;
	}
	_exit(r != -ENOTBLK);
}

static void fill(char *buf, uint64_t block, uint64_t turn)
{
	for (int i = 0; i < BLOCK; i++)
		buf[i] = submit_pattern(i + block * 11 + turn * 101);
}

struct submitter {
	struct kills *kills;
	int number;
	pthread_t thread;
};

static void *submitter_verify(void *userdata)
{
	struct submitter *s = userdata;
	uint64_t turns[BLOCKS] = { 0 };
	unsigned seed = s->number;
	char *buf = aligned_alloc(BLOCK, BLOCK), *expected = malloc(BLOCK);

	submit_let_go_of_channels();
	int fd = open(s->kills->target.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(fd >= 0 && buf && expected);
	while (!s->kills->stop) {
		int i = rand_r(&seed) % BLOCKS;
		uint64_t block = s->number * BLOCKS + i;

		if (turns[i] == 0 || rand_r(&seed) % 2) {
			fill(buf, block, ++turns[i]);
			CHECK_EQ(pwrite(fd, buf, BLOCK, block * BLOCK), BLOCK);
			if (rand_r(&seed) % 16 == 0)
				CHECK_EQ(fsync(fd), 0);
			continue;
		}
		CHECK_EQ(pread(fd, buf, BLOCK, block * BLOCK), BLOCK);
		fill(expected, block, turns[i]);
		CHECK_EQ(memcmp(buf, expected, BLOCK), 0);
		s->kills->verified++;
	}
	close(fd);
	free(buf);
	free(expected);
	return NULL;
}

static pid_t worker_start(struct kills *k)
{
	pid_t worker = fork();

	CHECK(worker >= 0);
	if (worker == 0)
		worker_serve(k);
	return worker;
}

static void kills_of_workers_cost_no_error_and_no_byte(void)
{
	const char *wanted = getenv("DMUSER_KILLS");
	int n = wanted ? atoi(wanted) : 50;
	struct kills k = { .store = mmap(NULL, SECTORS * 512, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
	struct submitter submitters[SUBMITTERS];
	unsigned seed = 1;
	int status;

	CHECK(k.store != MAP_FAILED);
	target_create_with(&k.target, SECTORS, "4 on_close requeue volatile_cache off");
	for (int i = 0; i < SUBMITTERS; i++) {
		submitters[i] = (struct submitter){ .kills = &k, .number = i };
		CHECK_EQ(pthread_create(&submitters[i].thread, NULL, submitter_verify,
					&submitters[i]), 0);
	}
	for (int i = 0; i < n; i++) {
		pid_t worker = worker_start(&k);

		/* at any moment of its life, its start included */
		usleep(rand_r(&seed) % 40000);
		CHECK_EQ(kill(worker, SIGKILL), 0);
		CHECK_EQ(waitpid(worker, &status, 0), worker);
		CHECK(WIFSIGNALED(status));
	}
	pid_t worker = worker_start(&k);
	k.stop = true;
	for (int i = 0; i < SUBMITTERS; i++)
		CHECK_EQ(pthread_join(submitters[i].thread, NULL), 0);
	CHECK_EQ(target_status(&k.target).errors, 0);
	CHECK(target_status(&k.target).repeated > 0);
	CHECK(k.verified > 0);
	CHECK_EQ(target_remove(&k.target), 0);
	await_exit(worker, 0);
	printf("%d kills, %llu blocks verified\n", n, (unsigned long long)k.verified);
}

const struct test_case kill_cases[] = {
	CASE(kills_of_workers_cost_no_error_and_no_byte),
	{ 0 },
};
