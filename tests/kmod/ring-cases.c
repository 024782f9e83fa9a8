// SPDX-License-Identifier: Apache-2.0
/*
 * Ways in and out that are not a plain system call with a user's pointer: io_uring with registered
 * buffers on the worker's side, polled I/O on the submitter's, and splice, which there is none of.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

#define PAGE 4096

static char payload[PAYLOAD_MAX];

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
	fixture_end(&t, fd);
}

static void registered_buffers_carry_whole_messages(void)
{
	static char buf[4 * PAGE] __attribute__((aligned(PAGE)));
	struct dm_user_message *first = (void *)(buf + 8), *second = (void *)(first->buf + PAGE);
	struct target t;
	struct submit s[2];
	struct ring r;

	target_create(&t, 2048);
	int fd = channel_open_batch(&t, 0);
	ring_open(&r, 0);
	struct iovec iov = { buf, sizeof(buf) };
	CHECK_EQ(syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &iov, 1), 0);

	submit_start(&s[0], &t, SUBMIT_WRITE, 0, PAGE);
	target_await_queued(&t, 1);
	submit_start(&s[1], &t, SUBMIT_READ, PAGE, PAGE);
	target_await_queued(&t, 2);
	CHECK_EQ(ring_do(&r, IORING_OP_READ_FIXED, fd, first, 39), -EMSGSIZE);
	CHECK_EQ(ring_do(&r, IORING_OP_READ_FIXED, fd, first, 3 * PAGE), 80 + PAGE);
	CHECK_EQ(first->seq, 0);
	CHECK_EQ(second->seq, 1);
	for (int i = 0; i < PAGE; i++)
		CHECK_EQ((char)first->buf[i], submit_pattern(i));
	/* both answers, the READ's bytes across pages */
	*first = (struct dm_user_message){ .seq = 1, .len = PAGE };
	memset(first->buf, 0x44, PAGE);
	*second = (struct dm_user_message){ .seq = 0 };
	CHECK_EQ(ring_do(&r, IORING_OP_WRITE_FIXED, fd, first, 80 + PAGE), 80 + PAGE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(submit_wait(&s[i]), 0);
	for (int i = 0; i < PAGE; i++)
		CHECK_EQ(s[1].buf[i], 0x44);
	close(r.fd);
	fixture_end(&t, fd);
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
	fixture_end(&t, fd);
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
	fixture_end(&t, fd);
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

const struct test_case ring_cases[] = {
	CASE(registered_buffers_carry_requests),
	CASE(registered_buffers_carry_whole_messages),
	CASE(splicing_is_refused),
	CASE(polled_io_goes_back_in_a_noflush_suspend_and_comes_again),
	CASE(polled_io_ends_when_it_is_failed),
	{ 0 },
};
