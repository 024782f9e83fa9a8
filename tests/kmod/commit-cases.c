// SPDX-License-Identifier: Apache-2.0
/*
 * Flushes that fail, and what depends on them: a journal's commit, FUA, a flush that nobody answers.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

/* A worker that keeps the volume in memory and fails flushes as long as it is told to. */
struct flusher {
	int fd;
	char *store;
	pthread_t thread;
	atomic_bool fails;
	atomic_uint flushes, fua;
};

static void *flusher_serve(void *userdata)
{
	struct flusher *f = userdata;
	struct dm_user_message msg;
	char *data = malloc(PAYLOAD_MAX);
	int r;

	CHECK(data);
	while ((r = channel_next(f->fd, &msg, data)) == 0) {
		char *place = f->store + msg.sector * 512;
		uint64_t type = DM_USER_RESP_SUCCESS;
		size_t len = 0;

		switch (msg.type) {
		case DM_USER_REQ_MAP_READ:
			memcpy(data, place, len = msg.len);
			break;
		case DM_USER_REQ_MAP_WRITE:
			f->fua += !!(msg.flags & DM_USER_REQ_MAP_FLAG_FUA);
			memcpy(place, data, msg.len);
			break;
		case DM_USER_REQ_MAP_FLUSH:
			f->flushes++;
			if (f->fails)
				type = DM_USER_RESP_ERROR;
			break;
		default:
			type = DM_USER_RESP_UNSUPPORTED;
		}
		CHECK_EQ(channel_answer(f->fd, msg.seq, type, data, len), 0);
	}
	CHECK_EQ(r, -ENOTBLK);
	free(data);
	return NULL;
}

static void flusher_start(struct flusher *f, const struct target *t)
{
	*f = (struct flusher){ .fd = channel_open(t, 0), .store = calloc(t->sectors, 512) };
	CHECK(f->store);
	CHECK_EQ(pthread_create(&f->thread, NULL, flusher_serve, f), 0);
}

static void flusher_join(struct flusher *f)
{
	CHECK_EQ(pthread_join(f->thread, NULL), 0);
	close(f->fd);
	free(f->store);
}

static void a_failed_flush_fails_the_journal_commit_that_it_was_part_of(void)
{
	char directory[] = "/tmp/review-XXXXXX", command[256], path[64];
	struct target t;
	struct flusher f;

	target_create(&t, 32768);
	flusher_start(&f, &t);
	snprintf(command, sizeof(command), "mkfs.ext4 -q -b 1024 -J size=1 %s", t.device);
	CHECK_EQ(system(command), 0);
	CHECK(mkdtemp(directory));
	CHECK_EQ(mount(t.device, directory, "ext4", 0, NULL), 0);
	snprintf(path, sizeof(path), "%s/file", directory);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(umount2(directory, MNT_DETACH), 0);
	CHECK_EQ(rmdir(directory), 0);

	CHECK_EQ(write(fd, payload, 4096), 4096);
	CHECK_EQ(fsync(fd), 0);
	/* new blocks, so that fsync has to commit; the commit is one write with PREFLUSH and FUA */
	f.fails = true;
	unsigned flushes = f.flushes;
	CHECK_EQ(write(fd, payload, 65536), 65536);
	int r = fsync(fd) < 0 ? -errno : 0;
	CHECK(f.flushes > flushes);
	f.fails = false;
	close(fd);
	CHECK_EQ(r, -EIO);
	CHECK_EQ(target_remove(&t), 0);
	flusher_join(&f);
}

/* dm tells nobody of a flush that failed before a write: the write itself has to fail. */
static void fua_fails_after_a_failed_flush_until_one_succeeds(void)
{
	struct target t;
	struct flusher f;
	struct submit s;

	target_create(&t, 2048);
	flusher_start(&f, &t);
	f.fails = true;
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(submit_wait(&s), -EIO);
	f.fails = false;
	for (int i = 0; i < 2; i++) {
		submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
		CHECK_EQ(submit_wait(&s), -EIO);
	}
	CHECK_EQ(f.fua, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 4096);
	CHECK_EQ(submit_wait(&s), 0);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(submit_wait(&s), 0);
	submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(f.fua, 1);
	CHECK_EQ(target_remove(&t), 0);
	flusher_join(&f);
}

static void a_flush_that_ends_with_its_channel_counts_as_failed(void)
{
	struct target t;
	struct flusher f;
	struct submit s;
	struct dm_user_message msg;

	int fd = fixture_begin(&t, NULL, SUBMIT_FLUSH, 0, &s, &msg);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	flusher_start(&f, &t);
	submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_remove(&t), 0);
	flusher_join(&f);
}

const struct test_case commit_cases[] = {
	CASE(a_failed_flush_fails_the_journal_commit_that_it_was_part_of),
	CASE(fua_fails_after_a_failed_flush_until_one_succeeds),
	CASE(a_flush_that_ends_with_its_channel_counts_as_failed),
	{ 0 },
};
