// SPDX-License-Identifier: Apache-2.0
/*
 * What goes wrong only in company: a flush that dm splits from its write, wake-ups that go to one,
 * polled I/O, memory that is not a user's pointer, and everything at once.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "stuck.h"
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

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_FLUSH, 0, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	flusher_start(&f, &t);
	submit_start(&s, &t, SUBMIT_WRITE_FUA, 0, 4096);
	CHECK_EQ(submit_wait(&s), -EIO);
	CHECK_EQ(target_remove(&t), 0);
	flusher_join(&f);
}

/* --- Wake-ups that go to one */

struct waiter {
	int fd;
	atomic_int tid;
	pthread_t thread;
	struct epoll_event event;
	int result;
	char buf[40];
};

static void *epoll_in_thread(void *userdata)
{
	struct waiter *w = userdata;

	w->tid = gettid();
	w->result = epoll_wait(w->fd, &w->event, 1, -1);
	return NULL;
}

static void *read_in_thread(void *userdata)
{
	struct waiter *w = userdata;

	w->tid = gettid();
	w->result = channel_read_all(w->fd, w->buf, sizeof(w->buf), 0);
	return NULL;
}

/* Returns once the thread sleeps in the system call. */
static void waiter_start(struct waiter *w, void *(*run)(void *), int fd, long call)
{
	char path[64], line[64];
	long now = -1;

	*w = (struct waiter){ .fd = fd };
	CHECK_EQ(pthread_create(&w->thread, NULL, run, w), 0);
	while (now != call) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", w->tid);
		int file = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = file < 0 ? 0 : read(file, line, sizeof(line) - 1);

		close(file);
		line[n > 0 ? n : 0] = 0;
		now = line[0] >= '0' && line[0] <= '9' ? strtol(line, NULL, 10) : -1;
		poll(NULL, 0, 1);
	}
}

/* An epoll for `fd` that a wake-up of one may be spent on. */
static int epoll_alone(int fd, uint32_t more_events)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE | more_events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
	return ep;
}

static void a_close_passes_on_a_wake_up_that_went_to_it_alone(void)
{
	struct target t;
	struct submit s;
	struct waiter told, reader;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int leaves = channel_open(&t, 0), stays = channel_open(&t, 0);
	int ep = epoll_alone(leaves, 0);
	waiter_start(&told, epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, stays, SYS_read);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(pthread_join(told.thread, NULL), 0);
	CHECK_EQ(told.event.events, EPOLLIN);

	close(leaves);
	CHECK_EQ(pthread_join(reader.thread, NULL), 0);
	CHECK_EQ(reader.result, 0);
	memcpy(&msg, reader.buf, sizeof(msg));
	CHECK_EQ(channel_read_all(stays, payload, 512, 0), 0);
	CHECK_EQ(channel_answer(stays, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	close(ep);
	close(stays);
	CHECK_EQ(target_remove(&t), 0);
}

static void a_held_channel_takes_no_wake_up_from_the_others(void)
{
	struct target t;
	struct submit s;
	struct waiter waits, reader;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int broken = channel_open(&t, 0), older = channel_open(&t, 0);
	CHECK_EQ(channel_answer(broken, 7, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	int held = channel_open(&t, 0), ep = epoll_alone(held, 0);
	waiter_start(&waits, epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, older, SYS_read);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(pthread_join(reader.thread, NULL), 0);
	CHECK_EQ(reader.result, 0);
	memcpy(&msg, reader.buf, sizeof(msg));
	CHECK_EQ(channel_read_all(older, payload, 512, 0), 0);
	CHECK_EQ(channel_answer(older, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);

	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(pthread_join(waits.thread, NULL), 0);
	CHECK(waits.event.events & EPOLLHUP);
	close(ep);
	close(broken);
	close(older);
	close(held);
}

/* Two of its threads are told of two requests, but it may have only one. */
static void a_channel_that_fills_up_passes_on_what_its_threads_were_woken_for(void)
{
	struct target t;
	struct submit s[2];
	struct waiter told[2], reader;
	struct dm_user_message msg;

	target_create_with(&t, 2048, "2 max_outstanding 1");
	int full = channel_open(&t, 0), other = channel_open(&t, 0);
	/* edge-triggered, so that each request wakes one thread */
	int ep = epoll_alone(full, EPOLLET);
	for (int i = 0; i < 2; i++)
		waiter_start(&told[i], epoll_in_thread, ep, SYS_epoll_wait);
	waiter_start(&reader, read_in_thread, other, SYS_read);
	for (int i = 0; i < 2; i++) {
		submit_start(&s[i], &t, SUBMIT_READ, 0, 512);
		target_await_queued(&t, i + 1);
	}
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(told[i].thread, NULL), 0);

	CHECK_EQ(channel_next(full, &msg, payload), 0);
	CHECK_EQ(pthread_join(reader.thread, NULL), 0);
	CHECK_EQ(reader.result, 0);
	CHECK_EQ(channel_answer(full, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	memcpy(&msg, reader.buf, sizeof(msg));
	CHECK_EQ(channel_answer(other, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	close(ep);
	close(full);
	close(other);
	CHECK_EQ(target_remove(&t), 0);
}

/* --- The end of what is being copied */

#define PAGE 4096

static void fail_ends_a_copy_that_waits_for_a_fault(void)
{
	for (int reading = 0; reading < 2; reading++) {
		struct target t;
		struct submit s;
		struct dm_user_message msg;
		struct stuck stuck;

		target_create(&t, 2048);
		int fd = channel_open(&t, 0);
		submit_start(&s, &t, reading ? SUBMIT_WRITE : SUBMIT_READ, 0, PAGE);
		CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (!reading)
			CHECK_EQ(write(fd, &msg, 40), 40);
		stuck_start(&stuck, fd, reading);
		CHECK_EQ(target_message(&t, "fail"), 0);
		CHECK_EQ(submit_wait(&s), -EIO);
		CHECK_EQ(target_status(&t).outstanding, 0);

		CHECK_EQ(stuck_end(&stuck), -EIO);
		close(fd);
		CHECK_EQ(target_remove(&t), 0);
	}
}

/* --- Ways in that are not a user's pointer */

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static void ring_open(struct ring *r, unsigned flags)
{
	*r = (struct ring){ .p.flags = flags };
	r->fd = syscall(SYS_io_uring_setup, 8, &r->p);
	CHECK(r->fd >= 0);
	r->sq = mmap(NULL, r->p.sq_off.array + 8 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, 8 * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	CHECK(r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqes != MAP_FAILED);
}

/* One operation to its end. */
static int ring_do(struct ring *r, int op, int fd, void *buf, unsigned len)
{
	atomic_uint *sq_tail = (void *)(r->sq + r->p.sq_off.tail);
	atomic_uint *cq_head = (void *)(r->cq + r->p.cq_off.head);
	atomic_uint *cq_tail = (void *)(r->cq + r->p.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(r->cq + r->p.cq_off.cqes);
	unsigned slot = *sq_tail & 7;

	r->sqes[slot] = (struct io_uring_sqe){ .opcode = op, .fd = fd, .len = len,
		.addr = (uintptr_t)buf,
		/* a channel is a stream; a device is read from its start */
		.off = r->p.flags & IORING_SETUP_IOPOLL ? 0 : -1 };
	((unsigned *)(r->sq + r->p.sq_off.array))[slot] = slot;
	*sq_tail = *sq_tail + 1;
	CHECK_EQ(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0), 1);
	while (*cq_head == *cq_tail)
		syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	int result = cqes[*cq_head & (r->p.cq_entries - 1)].res;
	*cq_head = *cq_head + 1;
	return result;
}

static void registered_buffers_carry_requests(void)
{
	static char buf[2 * PAGE] __attribute__((aligned(PAGE)));
	struct target t;
	struct submit s;
	struct ring r;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	ring_open(&r, 0);
	struct iovec iov = { buf, sizeof(buf) };
	CHECK_EQ(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &iov, 1), 0);

	submit_start(&s, &t, SUBMIT_WRITE, 0, PAGE);
	CHECK_EQ(ring_do(&r, IORING_OP_READ_FIXED, fd, buf + 7, 2 * PAGE - 7), 40);
	memcpy(&msg, buf + 7, sizeof(msg));
	CHECK_EQ(msg.len, PAGE);
	CHECK_EQ(ring_do(&r, IORING_OP_READ_FIXED, fd, buf + 7, 2 * PAGE - 7), PAGE);
	for (int i = 0; i < PAGE; i++)
		CHECK_EQ(buf[7 + i], submit_pattern(i));
	msg.type = DM_USER_RESP_SUCCESS;
	memcpy(buf, &msg, sizeof(msg));
	CHECK_EQ(ring_do(&r, IORING_OP_WRITE_FIXED, fd, buf, 40), 40);
	CHECK_EQ(submit_wait(&s), 0);

	submit_start(&s, &t, SUBMIT_READ, 0, PAGE);
	CHECK_EQ(ring_do(&r, IORING_OP_READ_FIXED, fd, buf, 40), 40);
	memcpy(&msg, buf, sizeof(msg));
	msg.type = DM_USER_RESP_SUCCESS;
	memcpy(buf + PAGE - 40, &msg, sizeof(msg));
	memset(buf + PAGE, 0x33, PAGE);
	CHECK_EQ(ring_do(&r, IORING_OP_WRITE_FIXED, fd, buf + PAGE - 40, PAGE + 40), PAGE + 40);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(s.buf[0], 0x33);
	CHECK_EQ(s.buf[PAGE - 1], 0x33);
	close(r.fd);
	close(fd);
	CHECK_EQ(target_remove(&t), 0);
}

static void splicing_is_refused(void)
{
	struct target t;
	int pipes[2];

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(pipe(pipes), 0);
	CHECK_EQ(write(pipes[1], payload, 40), 40);
	CHECK_EQ(splice(pipes[0], NULL, fd, NULL, 40, 0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(splice(fd, NULL, pipes[1], NULL, 40, 0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(channel_events(fd), POLLOUT);
	close(fd);
	CHECK_EQ(target_remove(&t), 0);
}

/* --- Polled I/O */

struct polled {
	const struct target *target;
	int result;
};

static void *read_polled(void *userdata)
{
	struct polled *p = userdata;
	struct ring r;
	void *buf = aligned_alloc(PAGE, PAGE);

	submit_let_go_of_channels();
	int fd = open(p->target->device, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(buf && fd >= 0);
	ring_open(&r, IORING_SETUP_IOPOLL);
	p->result = ring_do(&r, IORING_OP_READ, fd, buf, PAGE);
	close(r.fd);
	close(fd);
	free(buf);
	return NULL;
}

static void polled_io_goes_back_in_a_noflush_suspend_and_comes_again(void)
{
	struct target t;
	struct dm_user_message msg;
	pthread_t thread;

	target_create(&t, 2048);
	struct polled p = { .target = &t };
	CHECK_EQ(pthread_create(&thread, NULL, read_polled, &p), 0);
	target_await_queued(&t, 1);
	CHECK_EQ(target_suspend(&t, DM_NOFLUSH_FLAG), 0);
	CHECK_EQ(target_status(&t).queued, 0);
	CHECK_EQ(target_resume(&t), 0);
	int fd = channel_open(&t, 0);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, PAGE), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p.result, PAGE);
	close(fd);
	CHECK_EQ(target_remove(&t), 0);
}

static void polled_io_ends_when_it_is_failed(void)
{
	struct target t;
	pthread_t thread;

	target_create(&t, 2048);
	struct polled p = { .target = &t };
	CHECK_EQ(pthread_create(&thread, NULL, read_polled, &p), 0);
	target_await_queued(&t, 1);
	CHECK_EQ(target_message(&t, "fail"), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p.result, -EIO);
	/* and when it is refused */
	CHECK_EQ(pthread_create(&thread, NULL, read_polled, &p), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(p.result, -EIO);
	CHECK_EQ(target_remove(&t), 0);
}

/* --- Everything at once */

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

static void *storm_worker(void *userdata)
{
	struct storm *storm = userdata;
	unsigned seed = gettid();
	struct dm_user_message msg[4];
	char *data = malloc(PAYLOAD_MAX);
	int r = -ENOTBLK;

	CHECK(data);
	while (!storm->stop) {
		/* one that sleeps in read() must owe no answer, or a suspend could wait for it for ever */
		int held = 0, most = 1 + rand_r(&seed) % 4;
		int fd = open(storm->target.node, O_RDWR | O_CLOEXEC | (most > 1 ? O_NONBLOCK : 0));

		if (fd < 0)
			break;
		for (int i = rand_r(&seed) % 64; i >= 0 && !storm->stop; i--) {
			struct pollfd p = { .fd = fd, .events = POLLIN };

			if (poll(&p, 1, 50) == 0)
				continue;
			r = channel_next(fd, &msg[held], data);
			if (r == -EAGAIN)
				continue;
			if (r)
				break;
			storm->requests++;
			held++;
			if (held < most)
				continue;
			for (r = 0; held && r == 0; held--) {
				const struct dm_user_message *m = &msg[held - 1];
				bool bad = rand_r(&seed) % 64 == 0;
				uint64_t type = rand_r(&seed) % 16 == 0;

				r = channel_answer(fd, bad ? UINT64_MAX : m->seq, type, data,
						   type == 0 && m->type == DM_USER_REQ_MAP_READ ? m->len : 0);
			}
			if (r)
				break;
		}
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

const struct test_case review_cases[] = {
	CASE(a_failed_flush_fails_the_journal_commit_that_it_was_part_of),
	CASE(fua_fails_after_a_failed_flush_until_one_succeeds),
	CASE(a_flush_that_ends_with_its_channel_counts_as_failed),
	CASE(a_close_passes_on_a_wake_up_that_went_to_it_alone),
	CASE(a_held_channel_takes_no_wake_up_from_the_others),
	CASE(a_channel_that_fills_up_passes_on_what_its_threads_were_woken_for),
	CASE(fail_ends_a_copy_that_waits_for_a_fault),
	CASE(registered_buffers_carry_requests),
	CASE(splicing_is_refused),
	CASE(polled_io_goes_back_in_a_noflush_suspend_and_comes_again),
	CASE(polled_io_ends_when_it_is_failed),
	CASE(everything_at_once_neither_hangs_nor_leaks),
	{ 0 },
};
