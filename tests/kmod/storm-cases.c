// SPDX-License-Identifier: Apache-2.0
/*
 * Everything at once: submitters, workers that answer well and badly on channels of both kinds, and
 * suspends and failures, all beside each other.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "submit.h"

#define PAGE 4096

struct storm {
	struct target target;
	atomic_bool stop;
	atomic_uint requests;
};

static void *storm_submitter(void *userdata)
{
	struct storm *storm = userdata;
	char *buf = aligned_alloc(PAGE, 65536);
	unsigned seed = gettid();

	CHECK(buf);
	submit_let_go_of_channels();
	int fd = open(storm->target.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(fd >= 0);
	while (!storm->stop) {
		uint64_t offset = rand_r(&seed) % 1024 * 512, len = (rand_r(&seed) % 128 + 1) * 512;
		uint64_t range[2] = { offset, len };
		struct iovec iov = { buf, len };

		/* what it is told is anything but a hang */
		switch (rand_r(&seed) % 8) {
		case 0:
			(void)!fsync(fd);
			break;
		case 1:
			(void)!ioctl(fd, BLKDISCARD, range);
			break;
		case 2:
			(void)!pwritev2(fd, &iov, 1, offset, RWF_DSYNC);
			break;
		case 3:
			(void)!preadv2(fd, &iov, 1, offset, RWF_NOWAIT);
			break;
		case 4:
		case 5:
			(void)!pwrite(fd, buf, len, offset);
			break;
		default:
			(void)!pread(fd, buf, len, offset);
		}
	}
	close(fd);
	free(buf);
	return NULL;
}

/* A few requests off a byte stream, then their answers. -EAGAIN: nothing came. */
static int storm_serve_stream(struct storm *storm, int fd, int most, char *data, unsigned *seed,
			      struct dm_user_message *msg, int *held)
{
	int r = channel_next(fd, &msg[*held], data);

	if (r)
		return r;
	storm->requests++;
	if (++*held < most)
		return 0;
	for (; *held && r == 0; --*held) {
		const struct dm_user_message *m = &msg[*held - 1];
		bool bad = rand_r(seed) % 64 == 0;
		uint64_t type = rand_r(seed) % 16 == 0;

		r = channel_answer(fd, bad ? UINT64_MAX : m->seq, type, data,
				   type == 0 && m->type == DM_USER_REQ_MAP_READ ? m->len : 0);
	}
	return r;
}

/* Whole messages, into a buffer that is sometimes too small; their answers in one write. As above. */
static int storm_serve_whole(struct storm *storm, int fd, char *data, unsigned *seed)
{
	static _Thread_local char out[1 << 20];
	size_t room = rand_r(seed) % 8 ? PAYLOAD_MAX : 40 + PAGE, filled = 0;
	ssize_t n = read(fd, data, room), at = 0;

	if (n < 0)
		return errno == EMSGSIZE ? -EAGAIN : -errno;
	while (at < n) {
		const struct dm_user_message *m = (const void *)(data + at);
		struct dm_user_message *answer = (void *)(out + filled);
		uint64_t type = rand_r(seed) % 16 == 0;
		size_t len = type == 0 && m->type == DM_USER_REQ_MAP_READ ? m->len : 0;

		/* more than there is room for go unanswered, and the channel is closed */
		if (filled + sizeof(*answer) + len > sizeof(out))
			break;
		*answer = (struct dm_user_message){
			.seq = m->seq, .type = type, .len = len + (rand_r(seed) % 64 == 0),
		};
		storm->requests++;
		filled += sizeof(*answer) + len;
		at += sizeof(*m) + (m->type == DM_USER_REQ_MAP_WRITE ? m->len : 0);
	}
	int r = channel_write_all(fd, out, filled, 0);
	return r == 0 && at < n ? 1 : r;
}

/* One channel's life. */
static void storm_serve(struct storm *storm, int fd, int most, char *data, unsigned *seed)
{
	struct dm_user_message msg[4];
	bool batch = rand_r(seed) % 2;
	int held = 0, r;

	if (batch && ioctl(fd, DM_USER_IOC_BATCH, &(struct dm_user_batch){ 0 }) < 0)
		return;
	for (int i = rand_r(seed) % 64; i >= 0 && !storm->stop; i--) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, 50) == 0)
			continue;
		r = batch ? storm_serve_whole(storm, fd, data, seed) :
			    storm_serve_stream(storm, fd, most, data, seed, msg, &held);
		if (r && r != -EAGAIN)
			break;
	}
}

static void *storm_worker(void *userdata)
{
	struct storm *storm = userdata;
	unsigned seed = gettid();
	char *data = malloc(PAYLOAD_MAX);

	CHECK(data);
	while (!storm->stop) {
		/* one that sleeps in read() must owe no answer, or a suspend could wait for it for ever */
		int most = 1 + rand_r(&seed) % 4;
		int fd = open(storm->target.node, O_RDWR | O_CLOEXEC | (most > 1 ? O_NONBLOCK : 0));

		if (fd < 0)
			break;
		storm_serve(storm, fd, most, data, &seed);
		close(fd);
	}
	free(data);
	return NULL;
}

static void everything_at_once_neither_hangs_nor_leaks(void)
{
	struct storm storm = { 0 };
	pthread_t threads[8];
	time_t end = time(NULL) + 15;

	target_create(&storm.target, 2048);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, i < 5 ? storm_submitter : storm_worker,
					&storm), 0);
	for (int i = 0; time(NULL) < end; i++) {
		int noflush = i % 2 ? DM_NOFLUSH_FLAG : 0;

		/* interrupted by nobody, so it succeeds, or waits for the workers to end it */
		CHECK_EQ(target_suspend(&storm.target, noflush), 0);
		CHECK_EQ(target_resume(&storm.target), 0);
		CHECK_EQ(target_message(&storm.target, "fail"), 0);
		poll(NULL, 0, 5);
		CHECK_EQ(target_message(&storm.target, "unfail"), 0);
		poll(NULL, 0, 50);
	}
	CHECK_EQ(target_message(&storm.target, "fail"), 0);
	storm.stop = true;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK(storm.requests > 0);
	CHECK_EQ(target_status(&storm.target).queued, 0);
	CHECK_EQ(target_status(&storm.target).outstanding, 0);
	CHECK_EQ(target_status(&storm.target).channels, 0);
	CHECK_EQ(target_remove(&storm.target), 0);
}

const struct test_case storm_cases[] = {
	CASE(everything_at_once_neither_hangs_nor_leaks),
	{ 0 },
};
