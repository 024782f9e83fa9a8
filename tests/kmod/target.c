// SPDX-License-Identifier: Apache-2.0
/*
 * A target to test with. device-mapper's ioctls are called directly: they are what any tool ends
 * in, and a test that looks at a target's status a hundred times would spend its time starting
 * dmsetup.
 */
#include "target.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

struct operation {
	struct dm_ioctl dm;
	char data[4096];
};

/* 0 or -errno; what the kernel answers is in `o`. */
static int operation_do(struct operation *o, const char *name, unsigned long request, uint32_t flags)
{
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	CHECK(control >= 0);
	o->dm.version[0] = DM_VERSION_MAJOR;
	if (!o->dm.data_size)
		o->dm.data_size = sizeof(*o);
	o->dm.data_start = offsetof(struct operation, data);
	o->dm.flags = flags;
	snprintf(o->dm.name, sizeof(o->dm.name), "%s", name);
	int r = ioctl(control, request, o) < 0 ? -errno : 0;
	close(control);
	return r;
}

static int operation(const char *name, unsigned long request, uint32_t flags)
{
	struct operation o = { 0 };

	return operation_do(&o, name, request, flags);
}

/* Adds a `user` target to the table that `o` is going to load. */
static void operation_add_target(struct operation *o, uint64_t sectors, const char *node_name,
				 const char *options)
{
	size_t at = 0;
	struct dm_target_spec *spec;

	for (uint32_t i = 0; i < o->dm.target_count; i++)
		at += ((struct dm_target_spec *)(o->data + at))->next;
	spec = (void *)(o->data + at);
	CHECK(at + sizeof(*spec) + 512 < sizeof(o->data));
	spec->sector_start = o->dm.target_count * sectors;
	spec->length = sectors;
	strcpy(spec->target_type, "user");
	int len = snprintf((char *)(spec + 1), 512, "0 %llu %s %s", (unsigned long long)sectors,
			   node_name, options ? options : "");
	CHECK(len < 512);
	spec->next = (sizeof(*spec) + len + 1 + 7) / 8 * 8;
	o->dm.target_count++;
}

static void target_bring_up(struct target *t, struct operation *table)
{
	struct operation o = { 0 };

	CHECK_EQ(operation_do(&o, t->name, DM_DEV_CREATE, 0), 0);
	snprintf(t->device, sizeof(t->device), "/dev/dm-%u", minor(o.dm.dev));
	CHECK_EQ(operation_do(table, t->name, DM_TABLE_LOAD, 0), 0);
	CHECK_EQ(target_resume(t), 0);
}

static void target_name(struct target *ret_t, uint64_t sectors)
{
	static int made;

	snprintf(ret_t->name, sizeof(ret_t->name), "case-%d-%d", getpid(), made++);
	snprintf(ret_t->node, sizeof(ret_t->node), "/dev/dm-user/%s", ret_t->name);
	ret_t->sectors = sectors;
	ret_t->options = NULL;
}

void target_create_with(struct target *ret_t, uint64_t sectors, const char *options)
{
	struct operation table = { 0 };

	target_name(ret_t, sectors);
	ret_t->options = options;
	operation_add_target(&table, sectors, ret_t->name, options);
	target_bring_up(ret_t, &table);
}

void target_create(struct target *ret_t, uint64_t sectors)
{
	target_create_with(ret_t, sectors, NULL);
}

void target_create_several(struct target *ret_t, uint64_t sectors, int n)
{
	struct operation table = { 0 };
	char node_name[80];

	target_name(ret_t, sectors);
	for (int i = 0; i < n; i++) {
		snprintf(node_name, sizeof(node_name), "%s-%d", ret_t->name, i);
		operation_add_target(&table, sectors, node_name, NULL);
	}
	target_bring_up(ret_t, &table);
	strcat(ret_t->node, "-0");
}

struct target_status target_status(const struct target *t)
{
	struct operation o = { 0 };
	struct target_status s;

	/* a status with flush would wait for what the test holds back */
	CHECK_EQ(operation_do(&o, t->name, DM_TABLE_STATUS, DM_NOFLUSH_FLAG), 0);
	CHECK(o.dm.target_count >= 1);
	CHECK_EQ(sscanf((char *)&o + o.dm.data_start + sizeof(struct dm_target_spec),
			"%u %u %u %llu %llu %u %u %u %u %llu %llu", &s.queued, &s.outstanding,
			&s.channels, &s.generation, &s.errors, &s.failing, &s.broken, &s.deserted,
			&s.lost, &s.repeated, &s.timed_out), 11);
	return s;
}

void target_await_queued(const struct target *t, unsigned n)
{
	/* the case's own deadline ends this */
	while (target_status(t).queued != n)
		nanosleep(&(struct timespec){ .tv_nsec = 1000 * 1000 }, NULL);
}

int target_remove(const struct target *t)
{
	return operation(t->name, DM_DEV_REMOVE, 0);
}

int target_remove_deferred(const struct target *t)
{
	return operation(t->name, DM_DEV_REMOVE, DM_DEFERRED_REMOVE);
}

int target_suspend(const struct target *t, uint32_t flags)
{
	return operation(t->name, DM_DEV_SUSPEND, DM_SUSPEND_FLAG | flags);
}

int target_resume(const struct target *t)
{
	return operation(t->name, DM_DEV_SUSPEND, 0);
}

int target_load(const struct target *t, const char *node_name)
{
	struct operation table = { 0 };

	operation_add_target(&table, t->sectors, node_name, t->options);
	return operation_do(&table, t->name, DM_TABLE_LOAD, 0);
}

int target_clear(const struct target *t)
{
	return operation(t->name, DM_TABLE_CLEAR, 0);
}

static int target_send(struct operation *o, const struct target *t, const char *message)
{
	struct dm_target_msg *m = (void *)o->data;

	snprintf(m->message, sizeof(o->data) - sizeof(*m), "%s", message);
	return operation_do(o, t->name, DM_TARGET_MSG, 0);
}

int target_message(const struct target *t, const char *message)
{
	struct operation o = { 0 };

	return target_send(&o, t, message);
}

char *target_ask_with_room(const struct target *t, const char *message, size_t room, bool *ret_full)
{
	struct operation o = { .dm.data_size = offsetof(struct operation, data) + room };

	CHECK(room <= sizeof(o.data));
	CHECK_EQ(target_send(&o, t, message), 0);
	CHECK(o.dm.flags & DM_DATA_OUT_FLAG);
	char *answer = strndup((char *)&o + o.dm.data_start, room);
	CHECK(answer);
	*ret_full = o.dm.flags & DM_BUFFER_FULL_FLAG;
	return answer;
}

char *target_ask(const struct target *t, const char *message)
{
	bool full;
	char *answer = target_ask_with_room(t, message, sizeof(((struct operation *)0)->data), &full);

	CHECK(!full);
	return answer;
}

char *target_measure(const struct target *t)
{
	struct operation o = { 0 };

	CHECK_EQ(operation_do(&o, t->name, DM_TABLE_STATUS,
			      DM_NOFLUSH_FLAG | DM_IMA_MEASUREMENT_FLAG), 0);
	char *text = strdup((char *)&o + o.dm.data_start + sizeof(struct dm_target_spec));
	CHECK(text);
	return text;
}

unsigned target_events(const struct target *t)
{
	struct operation o = { 0 };

	CHECK_EQ(operation_do(&o, t->name, DM_DEV_STATUS, 0), 0);
	return o.dm.event_nr;
}

unsigned long long target_fence(const struct target *t)
{
	char *answer = target_ask(t, "fence");
	unsigned long long generation = strtoull(answer, NULL, 10);

	free(answer);
	return generation;
}

pid_t target_suspend_start(const struct target *t, uint32_t flags)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		/* it must not hold a channel that the case closes */
		close_range(3, ~0U, 0);
		_exit(target_suspend(t, flags) != 0);
	}
	return pid;
}
