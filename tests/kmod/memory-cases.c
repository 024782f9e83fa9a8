// SPDX-License-Identifier: Apache-2.0
/*
 * Memory: what happens when a worker's own pages are missing, and that its faults hold nobody's bio.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

#define PAGE 4096

static char *map_pages(size_t n, int protection)
{
	char *p = mmap(NULL, n * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void reading_into_memory_that_is_not_there_is_EFAULT_and_loses_nothing(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char *hole = map_pages(1, PROT_NONE);

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 2 * PAGE);
	CHECK_EQ(read(fd, hole, 40), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
	CHECK_EQ(read(fd, hole, PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(channel_read_all(fd, payload, 2 * PAGE, 0), 0);
	for (int i = 0; i < 2 * PAGE; i++)
		CHECK_EQ(payload[i], submit_pattern(i));
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void a_read_that_runs_into_a_hole_says_how_far_it_came(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char *pages = map_pages(2, PROT_READ | PROT_WRITE);

	CHECK_EQ(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, 2 * PAGE);
	CHECK_EQ(read(fd, pages + PAGE - 7, 40), 7);
	memcpy(&msg, pages + PAGE - 7, 7);
	CHECK_EQ(read(fd, pages + PAGE, 33), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(channel_read_all(fd, (char *)&msg + 7, 33, 0), 0);
	CHECK_EQ(msg.len, 2 * PAGE);
	CHECK_EQ(read(fd, pages + 100, 2 * PAGE), PAGE - 100);
	CHECK_EQ(channel_read_all(fd, payload, PAGE + 100, 0), 0);
	for (int i = 0; i < PAGE + 100; i++)
		CHECK_EQ(payload[i], submit_pattern(PAGE - 100 + i));
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void answering_from_memory_that_is_not_there_is_EFAULT_and_the_channel_lives(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char *pages = map_pages(3, PROT_READ | PROT_WRITE);

	CHECK_EQ(munmap(pages + PAGE, PAGE), 0);
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 2 * PAGE);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	msg.type = DM_USER_RESP_SUCCESS;

	/* in the header, then in the payload; the count first, the error on the next call */
	CHECK_EQ(write(fd, pages + PAGE, 40), -1);
	CHECK_EQ(errno, EFAULT);
	memcpy(pages + PAGE - 10, &msg, 10);
	CHECK_EQ(write(fd, pages + PAGE - 10, 40), 10);
	CHECK_EQ(write(fd, pages + PAGE, 30), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(channel_write_all(fd, (char *)&msg + 10, 30, 0), 0);

	for (int i = 0; i < 2 * PAGE; i++)
		payload[i] = submit_pattern(i);
	memcpy(pages + 1, payload, PAGE - 1);
	CHECK_EQ(write(fd, pages + 1, 2 * PAGE), PAGE - 1);
	CHECK_EQ(write(fd, pages + PAGE, PAGE), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(target_status(&t).outstanding, 1);
	CHECK_EQ(channel_write_all(fd, payload + PAGE - 1, PAGE + 1, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	CHECK_EQ(memcmp(s.buf, payload, 2 * PAGE), 0);
	fixture_end(&t, fd);
}

static void untouched_memory_takes_a_whole_payload_in_one_read(void)
{
	enum { LEN = 1 << 20 };
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	char *fresh = map_pages(LEN / PAGE, PROT_READ | PROT_WRITE);

	target_create(&t, 4096);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, LEN);
	CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
	CHECK_EQ(read(fd, fresh, LEN), LEN);
	for (int i = 0; i < LEN; i++)
		CHECK_EQ(fresh[i], submit_pattern(i));
	CHECK_EQ(channel_answer(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);
	/* and pages that only a read has touched give a whole answer in one write */
	submit_start(&s, &t, SUBMIT_READ, 0, LEN);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(write(fd, &msg, 40), 40);
	CHECK_EQ(madvise(fresh, LEN, MADV_DONTNEED), 0);
	CHECK_EQ(write(fd, fresh, LEN), LEN);
	CHECK_EQ(submit_wait(&s), 0);
	for (int i = 0; i < LEN; i++)
		CHECK_EQ(s.buf[i], 0);
	fixture_end(&t, fd);
}

/* A page whose fault waits until somebody provides it, which nobody here ever does. */
static char *map_stuck_page(int *ret_uffd)
{
	struct uffdio_api api = { .api = UFFD_API };
	char *page = map_pages(1, PROT_READ | PROT_WRITE);
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 && errno == ENOSYS) {
		fprintf(stderr, "this kernel has no userfaultfd\n");
		exit(SKIPPED);
	}
	CHECK(uffd >= 0);
	CHECK_EQ(ioctl(uffd, UFFDIO_API, &api), 0);
	struct uffdio_register reg = { .range = { (uintptr_t)page, PAGE },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	CHECK_EQ(ioctl(uffd, UFFDIO_REGISTER, &reg), 0);
	*ret_uffd = uffd;
	return page;
}

struct stuck {
	int fd;
	char *page;
	bool reading;
};

static void *transfer_stuck_page(void *userdata)
{
	struct stuck *s = userdata;

	if (s->reading)
		(void)!read(s->fd, s->page, PAGE);
	else
		(void)!write(s->fd, s->page, PAGE);
	return NULL;
}

/* A worker in a process of its own, stuck in a fault in the middle of a payload. */
static pid_t worker_stuck_in_a_fault(const struct target *t, enum submit_operation operation,
				     struct submit *s)
{
	int ready[2];
	char byte;

	CHECK_EQ(pipe(ready), 0);
	pid_t worker = fork();
	CHECK(worker >= 0);
	if (worker == 0) {
		struct dm_user_message msg;
		struct uffd_msg event;
		pthread_t thread;
		int uffd;
		struct stuck stuck = { .fd = channel_open(t, 0), .page = map_stuck_page(&uffd),
				       .reading = operation == SUBMIT_WRITE };

		CHECK_EQ(channel_read_all(stuck.fd, &msg, 40, 0), 0);
		msg.type = DM_USER_RESP_SUCCESS;
		if (!stuck.reading)
			CHECK_EQ(write(stuck.fd, &msg, 40), 40);
		CHECK_EQ(pthread_create(&thread, NULL, transfer_stuck_page, &stuck), 0);
		/* the kernel reports the fault: the thread waits in it now */
		CHECK_EQ(read(uffd, &event, sizeof(event)), sizeof(event));
		CHECK_EQ(event.event, UFFD_EVENT_PAGEFAULT);
		CHECK_EQ(write(ready[1], "", 1), 1);
		pause();
	}
	close(ready[1]);
	submit_start(s, t, operation, 0, PAGE);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return worker;
}

static void a_fault_that_never_ends_holds(enum submit_operation operation)
{
	struct target t;
	struct submit stuck, other;
	struct dm_user_message msg;

	target_create(&t, 2048);
	pid_t worker = worker_stuck_in_a_fault(&t, operation, &stuck);

	/* another channel serves everything else */
	int fd = channel_open(&t, 0);
	for (int i = 0; i < 3; i++) {
		submit_start(&other, &t, SUBMIT_WRITE, PAGE, PAGE);
		CHECK_EQ(channel_next(fd, &msg, payload), 0);
		CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, NULL, 0), 0);
		CHECK_EQ(submit_wait(&other), 0);
	}
	CHECK(!stuck.done);
	/* and killing the stuck worker is all it takes */
	CHECK_EQ(kill(worker, SIGKILL), 0);
	CHECK_EQ(submit_wait(&stuck), -EIO);
	CHECK_EQ(waitpid(worker, NULL, 0), worker);
	fixture_end(&t, fd);
}

static void a_fault_that_never_ends_holds_nobody_else_while_reading(void)
{
	a_fault_that_never_ends_holds(SUBMIT_WRITE);
}

static void a_fault_that_never_ends_holds_nobody_else_while_answering(void)
{
	a_fault_that_never_ends_holds(SUBMIT_READ);
}

static void a_break_fails_a_request_whose_copy_waits_for_a_fault(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;
	struct uffd_msg event;
	pthread_t thread;
	int uffd;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_WRITE, 0, PAGE);
	CHECK_EQ(channel_read_all(fd, &msg, 40, 0), 0);
	struct stuck stuck = { .fd = fd, .page = map_stuck_page(&uffd), .reading = true };
	CHECK_EQ(pthread_create(&thread, NULL, transfer_stuck_page, &stuck), 0);
	CHECK_EQ(read(uffd, &event, sizeof(event)), sizeof(event));

	/* the request is not claimed during the fault, so it ends at once */
	CHECK_EQ(channel_answer(fd, 99, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(submit_wait(&s), -EIO);

	struct uffdio_zeropage zero = { .range = { (uintptr_t)stuck.page, PAGE } };
	CHECK_EQ(ioctl(uffd, UFFDIO_ZEROPAGE, &zero), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	fixture_end(&t, fd);
}

static void an_answer_never_shows_what_the_worker_did_not_send(void)
{
	struct target t;
	struct submit s;
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	/* half a payload and a close: the submitter's page must not be believed */
	submit_start(&s, &t, SUBMIT_READ, 0, PAGE);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(write(fd, &msg, 40), 40);
	CHECK_EQ(write(fd, payload, 512), 512);
	CHECK(!s.done);
	close(fd);
	CHECK_EQ(submit_wait(&s), -EIO);
	for (int i = 512; i < PAGE; i++)
		CHECK_EQ(s.buf[i], 0x55);
	CHECK_EQ(target_remove(&t), 0);
}

const struct test_case memory_cases[] = {
	CASE(reading_into_memory_that_is_not_there_is_EFAULT_and_loses_nothing),
	CASE(a_read_that_runs_into_a_hole_says_how_far_it_came),
	CASE(answering_from_memory_that_is_not_there_is_EFAULT_and_the_channel_lives),
	CASE(untouched_memory_takes_a_whole_payload_in_one_read),
	CASE(a_fault_that_never_ends_holds_nobody_else_while_reading),
	CASE(a_fault_that_never_ends_holds_nobody_else_while_answering),
	CASE(a_break_fails_a_request_whose_copy_waits_for_a_fault),
	CASE(an_answer_never_shows_what_the_worker_did_not_send),
	{ 0 },
};
