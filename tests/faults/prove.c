// SPDX-License-Identifier: Apache-2.0
/*
 * That a target works, and that one is not there. No fault is injected into what happens here.
 */
#include "prove.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../kmod/case.h"
#include "../kmod/channel.h"
#include "../kmod/submit.h"
#include "device.h"

#define PROOF_BYTES   4096
#define PROOF_SECTORS 2048

static void prove_one(const struct target *t, int fd, enum submit_operation operation)
{
	static char payload[PAYLOAD_MAX];
	struct dm_user_message msg;
	struct submit s;
	size_t len = operation == SUBMIT_READ ? PROOF_BYTES : 0;

	submit_start(&s, t, operation, 0, PROOF_BYTES);
	CHECK_EQ(channel_next(fd, &msg, payload), 0);
	CHECK_EQ(msg.len, PROOF_BYTES);
	if (operation == SUBMIT_WRITE)
		CHECK_EQ(memcmp(payload, s.buf, PROOF_BYTES), 0);
	else
		memset(payload, 0x3c, PROOF_BYTES);
	CHECK_EQ(channel_answer(fd, msg.seq, DM_USER_RESP_SUCCESS, payload, len), 0);
	CHECK_EQ(submit_wait(&s), 0);
	if (operation == SUBMIT_READ)
		CHECK_EQ(memcmp(payload, s.buf, PROOF_BYTES), 0);
	free(s.buf);
}

void prove_serves(const struct target *t)
{
	int fd = channel_open(t, 0);

	prove_one(t, fd, SUBMIT_WRITE);
	prove_one(t, fd, SUBMIT_READ);
	CHECK_EQ(close(fd), 0);
}

bool prove_exists(const struct target *t)
{
	int r = device_status(t);

	CHECK(r == 0 || r == -ENXIO);
	return r == 0;
}

void prove_create(struct target *t)
{
	int r;

	/* the last one's minor may still be on its way back, which device-mapper calls ENXIO */
	while ((r = device_define(t)) == -ENXIO)
		nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
	CHECK_EQ(r, 0);
	CHECK_EQ(device_load(t, t->name), 0);
	CHECK_EQ(device_resume(t), 0);
}

void prove_remove(const struct target *t)
{
	char class[256];
	struct stat st;
	int r = device_remove(t, 0);

	CHECK(r == 0 || r == -ENXIO);
	snprintf(class, sizeof(class), "/sys/class/dm-user/%s", t->name);
	CHECK(stat(t->node, &st) < 0 && errno == ENOENT);
	CHECK(lstat(class, &st) < 0 && errno == ENOENT);
}

bool prove_has_node(const struct target *t)
{
	int fd = open(t->node, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0 || errno == ENOENT || errno == ENXIO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void prove_forget_node(const struct target *t)
{
	CHECK(unlink(t->node) == 0 || errno == ENOENT);
}

void prove_name(struct target *ret_t, const char *options)
{
	*ret_t = (struct target){ .name = PROVE_NAME,
				  .node = DM_USER_DIRECTORY "/" PROVE_NAME,
				  .sectors = PROOF_SECTORS,
				  .options = options };
	if (device_message(ret_t, "fail") != -ENXIO)
		CHECK_EQ(device_remove(ret_t, 0), 0);
}
