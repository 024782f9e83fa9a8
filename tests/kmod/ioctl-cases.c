// SPDX-License-Identifier: Apache-2.0
/*
 * ioctls on a channel: what INFO tells, how structures of other sizes are taken, who may opt in and
 * when.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"
#include "channel.h"
#include "fixture.h"
#include "submit.h"

static char payload[PAYLOAD_MAX];

/* An ioctl's number as a caller has it whose structure is of another size. */
#define SIZED(request, size) _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), size)

static int do_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static void info_tells_the_defaults(void)
{
	struct target t;
	struct dm_user_info info;

	memset(&info, 0xaa, sizeof(info));
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(info.version, 2);
	CHECK_EQ(info.flags, DM_USER_INFO_VOLATILE_CACHE);
	CHECK_EQ(info.features, DM_USER_FEATURE_BATCH);
	CHECK_EQ(info.sectors, 2048);
	CHECK_EQ(info.generation, 0);
	CHECK_EQ(info.block_size, 512);
	CHECK_EQ(info.max_io, DM_USER_MAX_IO_BYTES);
	CHECK_EQ(info.max_outstanding, 0);
	CHECK_EQ(info.attach_timeout_ms, 0);
	CHECK_EQ(info.request_timeout_ms, 0);
	CHECK_EQ(info.discard, 8386560);
	CHECK_EQ(info.discard_grain, 1);
	CHECK_EQ(info.secure_erase, 8386560);
	CHECK_EQ(info.write_zeroes, 8386560);
	CHECK_EQ(info.padding, 0);
	fixture_end(&t, fd);
}

static void info_tells_the_options(void)
{
	struct target t;
	struct dm_user_info info;

	target_create_with(&t, 2048,
			   "20 max_outstanding 9 on_close requeue volatile_cache off "
			   "attach_timeout_ms 30000 request_timeout_ms 5000 discard 2048:64 "
			   "secure_erase 512 write_zeroes off block_size 4096 max_io_kb 512");
	int fd = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(info.flags, DM_USER_INFO_REQUEUE);
	CHECK_EQ(info.block_size, 4096);
	CHECK_EQ(info.max_io, 512 << 10);
	CHECK_EQ(info.max_outstanding, 9);
	CHECK_EQ(info.attach_timeout_ms, 30000);
	CHECK_EQ(info.request_timeout_ms, 5000);
	CHECK_EQ(info.discard, 2048);
	CHECK_EQ(info.discard_grain, 64);
	CHECK_EQ(info.secure_erase, 512);
	CHECK_EQ(info.write_zeroes, 0);
	fixture_end(&t, fd);
}

static void info_tells_the_generation_and_works_after_the_end(void)
{
	struct target t;
	struct dm_user_info info;

	target_create(&t, 2048);
	int old = channel_open(&t, 0);
	CHECK_EQ(target_fence(&t), 1);
	CHECK_EQ(target_fence(&t), 2);
	int fd = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(info.generation, 2);
	CHECK_EQ(do_ioctl(old, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(info.generation, 0);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(info.generation, 2);
	CHECK_EQ(info.sectors, 2048);
	close(old);
	close(fd);
}

static void info_is_filled_up_to_the_callers_size(void)
{
	struct target t;
	unsigned char bytes[256];
	struct dm_user_info info;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	for (size_t size = sizeof(info); size <= 200; size += 4) {
		memset(bytes, 0xaa, sizeof(bytes));
		CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_INFO, size), bytes), 0);
		CHECK_EQ(memcmp(bytes, &info, sizeof(info)), 0);
		for (size_t i = sizeof(info); i < sizeof(bytes); i++)
			CHECK_EQ(bytes[i], i < size ? 0 : 0xaa);
	}
	fixture_end(&t, fd);
}

/* Nobody can have been built with one: an ioctl without a size is a mistake. */
static void a_structure_smaller_than_the_first_versions_is_refused(void)
{
	struct target t;
	unsigned char bytes[256], untouched[256];
	struct dm_user_info info;

	memset(untouched, 0, sizeof(untouched));
	memset(bytes, 0, sizeof(bytes));
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (size_t size = 0; size < 72; size++)
		CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_INFO, size), bytes), -EINVAL);
	for (size_t size = 0; size < 8; size++)
		CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_BATCH, size), bytes), -EINVAL);
	CHECK_EQ(memcmp(bytes, untouched, sizeof(bytes)), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK(!(info.flags & DM_USER_INFO_BATCH));
	fixture_end(&t, fd);
}

static void batch_takes_any_larger_size_if_what_is_not_known_is_0(void)
{
	struct target t;
	unsigned char bytes[64] = { 0 };
	struct dm_user_info info;

	target_create(&t, 2048);
	for (size_t size = sizeof(struct dm_user_batch); size <= sizeof(bytes); size += 4) {
		int fd = channel_open(&t, 0);

		CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_BATCH, size), bytes), 0);
		CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
		CHECK(info.flags & DM_USER_INFO_BATCH);
		close(fd);
	}
	int fd = channel_open(&t, 0);
	for (size_t at = 0; at < sizeof(bytes); at++) {
		bytes[at] = 1;
		CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_BATCH, sizeof(bytes)), bytes),
			 at < sizeof(struct dm_user_batch) ? -EINVAL : -E2BIG);
		bytes[at] = 0;
	}
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK(!(info.flags & DM_USER_INFO_BATCH));
	fixture_end(&t, fd);
}

static void an_ioctl_that_is_not_known_is_ENOTTY_and_a_bad_pointer_EFAULT(void)
{
	struct target t;
	struct dm_user_info info;
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(hole != MAP_FAILED);
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	for (unsigned nr = 0; nr < 256; nr++) {
		if (nr > 1)
			CHECK_EQ(do_ioctl(fd, _IOW(DM_USER_IOC_TYPE, nr, info), &info), -ENOTTY);
		CHECK_EQ(do_ioctl(fd, _IOW(DM_USER_IOC_TYPE - 1, nr, info), &info), -ENOTTY);
	}
	/* the direction is part of the number */
	CHECK_EQ(do_ioctl(fd, _IOW(DM_USER_IOC_TYPE, 0, info), &info), -ENOTTY);
	CHECK_EQ(do_ioctl(fd, _IOR(DM_USER_IOC_TYPE, 1, struct dm_user_batch), &info), -ENOTTY);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, hole), -EFAULT);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, hole), -EFAULT);
	CHECK_EQ(do_ioctl(fd, SIZED(DM_USER_IOC_INFO, 16383), hole), -EFAULT);
	fixture_end(&t, fd);
}

/* --- 32-bit callers */

/* A system call as a 32-bit program makes it; i386's numbers, and what fits into 32 bits. */
static int call_32(int number, uint32_t a, uint32_t b, uint32_t c)
{
#ifdef __x86_64__
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return result;
#else
	return -ENOSYS;
#endif
}

#define I386_GETPID 20
#define I386_IOCTL  54

/* A kernel that knows no 32-bit programs kills who tries. */
static void skip_without_32_bit_callers(void)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		_exit(call_32(I386_GETPID, 0, 0, 0) != getpid());
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (status == 0)
		return;
	fprintf(stderr, "this kernel has no 32-bit system calls\n");
	exit(SKIPPED);
}

static void a_32_bit_caller_has_both_ioctls(void)
{
	struct target t;
	struct submit s;
	struct dm_user_info info;

	skip_without_32_bit_callers();
	/* where 32 bits of an address are all of it */
	struct dm_user_info *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(low != MAP_FAILED);
	uint32_t address = (uintptr_t)low;
	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_INFO, &info), 0);
	CHECK_EQ(call_32(I386_IOCTL, fd, DM_USER_IOC_INFO, address), 0);
	CHECK_EQ(memcmp(low, &info, sizeof(info)), 0);
	CHECK_EQ(call_32(I386_IOCTL, fd, DM_USER_IOC_BATCH, address), -EINVAL);
	memset(low, 0, sizeof(struct dm_user_batch));
	CHECK_EQ(call_32(I386_IOCTL, fd, DM_USER_IOC_BATCH, address), 0);
	CHECK_EQ(call_32(I386_IOCTL, fd, DM_USER_IOC_INFO, address), 0);
	CHECK_EQ(low->flags, info.flags | DM_USER_INFO_BATCH);
	CHECK_EQ(call_32(I386_IOCTL, fd, DM_USER_IOC_INFO, 0), -EFAULT);

	submit_start(&s, &t, SUBMIT_WRITE, 0, 512);
	CHECK_EQ(read(fd, payload, sizeof(payload)), 40 + 512);
	CHECK_EQ(channel_answer_whole(fd, 0, DM_USER_RESP_SUCCESS, NULL, 0), 40);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

static void opting_in_twice_is_a_no_op_and_after_the_end_an_error(void)
{
	struct target t;
	struct dm_user_batch batch = { 0 };

	target_create(&t, 2048);
	int fd = channel_open(&t, 0), broken = channel_open(&t, 0), fenced = channel_open(&t, 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), 0);
	CHECK_EQ(channel_answer(broken, 9, DM_USER_RESP_SUCCESS, NULL, 0), -EINVAL);
	CHECK_EQ(do_ioctl(broken, DM_USER_IOC_BATCH, &batch), -EIO);
	target_fence(&t);
	CHECK_EQ(do_ioctl(fenced, DM_USER_IOC_BATCH, &batch), -ESTALE);
	CHECK_EQ(target_remove(&t), 0);
	CHECK_EQ(do_ioctl(fenced, DM_USER_IOC_BATCH, &batch), -ENOTBLK);
	close(fd);
	close(broken);
	close(fenced);
}

static void opting_in_is_refused_in_the_middle_of_a_message(void)
{
	struct target t;
	struct submit s;
	struct dm_user_batch batch = { 0 };
	struct dm_user_message msg;

	target_create(&t, 2048);
	int fd = channel_open(&t, 0);
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_read_all(fd, &msg, 1, 0), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), -EBUSY);
	CHECK_EQ(channel_read_all(fd, (char *)&msg + 1, 39, 0), 0);
	msg.type = DM_USER_RESP_SUCCESS;
	CHECK_EQ(channel_write_all(fd, &msg, 40, 0), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), -EBUSY);
	CHECK_EQ(channel_write_all(fd, payload, 511, 0), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), -EBUSY);
	CHECK_EQ(channel_write_all(fd, payload, 1, 0), 0);
	CHECK_EQ(submit_wait(&s), 0);

	/* with a request outstanding, it may: that one's answer is whole, too */
	submit_start(&s, &t, SUBMIT_READ, 0, 512);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(do_ioctl(fd, DM_USER_IOC_BATCH, &batch), 0);
	CHECK_EQ(channel_answer_whole(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, 512), 552);
	CHECK_EQ(submit_wait(&s), 0);
	fixture_end(&t, fd);
}

const struct test_case ioctl_cases[] = {
	CASE(info_tells_the_defaults),
	CASE(info_tells_the_options),
	CASE(info_tells_the_generation_and_works_after_the_end),
	CASE(info_is_filled_up_to_the_callers_size),
	CASE(a_structure_smaller_than_the_first_versions_is_refused),
	CASE(batch_takes_any_larger_size_if_what_is_not_known_is_0),
	CASE(a_32_bit_caller_has_both_ioctls),
	CASE(an_ioctl_that_is_not_known_is_ENOTTY_and_a_bad_pointer_EFAULT),
	CASE(opting_in_twice_is_a_no_op_and_after_the_end_an_error),
	CASE(opting_in_is_refused_in_the_middle_of_a_message),
	{ 0 },
};
