// SPDX-License-Identifier: Apache-2.0
/*
 * What device-mapper can do to a target: its ioctls, called directly. libdevmapper is not for
 * several threads at a time, and here each target has two.
 */
#include "mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "arena.h"

struct operation {
	struct dm_ioctl dm;
	char data[2048];
};

/* As ioctl(2). */
static int operation_do(struct operation *o, unsigned target, unsigned long request, uint32_t flags)
{
	static atomic_int control = -1;

	if (control < 0) {
		int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
		int none = -1;

		if (fd < 0 || !atomic_compare_exchange_strong(&control, &none, fd))
			close(fd);
	}
	o->dm.version[0] = DM_VERSION_MAJOR;
	o->dm.data_size = sizeof(*o);
	o->dm.data_start = offsetof(struct operation, data);
	o->dm.flags = flags;
	snprintf(o->dm.name, sizeof(o->dm.name), "hostile-%u", target);
	return ioctl(control, request, o);
}

static int simple(enum tally_kind kind, unsigned target, unsigned long request, uint32_t flags)
{
	struct operation o = { 0 };

	return tally_count(kind, operation_do(&o, target, request, flags));
}

int mapper_create(unsigned target)
{
	struct operation o = { 0 };

	o.dm.dev = MAPPER_MINOR_BASE + target;
	return tally_count(TALLY_CREATE,
			   operation_do(&o, target, DM_DEV_CREATE, DM_PERSISTENT_DEV_FLAG));
}

int mapper_load(unsigned target, enum tally_kind kind, const char *words, uint32_t flags)
{
	struct operation o = { 0 };
	struct dm_target_spec *spec = (void *)o.data;

	spec->length = TARGET_SECTORS;
	strcpy(spec->target_type, "user");
	snprintf((char *)(spec + 1), sizeof(o.data) - sizeof(*spec), "%s", words);
	spec->next = sizeof(o.data);
	o.dm.target_count = 1;
	return tally_count(kind, operation_do(&o, target, DM_TABLE_LOAD, flags));
}

int mapper_clear(unsigned target)
{
	return simple(TALLY_CLEAR, target, DM_TABLE_CLEAR, 0);
}

int mapper_suspend(unsigned target, uint32_t flags)
{
	return simple(flags & DM_NOFLUSH_FLAG ? TALLY_SUSPEND_NOFLUSH : TALLY_SUSPEND, target,
		      DM_DEV_SUSPEND, DM_SUSPEND_FLAG | flags);
}

int mapper_resume(unsigned target, uint32_t flags)
{
	return simple(TALLY_RESUME, target, DM_DEV_SUSPEND, flags);
}

int mapper_remove(unsigned target, bool deferred)
{
	return deferred ? simple(TALLY_REMOVE_DEFERRED, target, DM_DEV_REMOVE, DM_DEFERRED_REMOVE) :
			  simple(TALLY_REMOVE, target, DM_DEV_REMOVE, 0);
}

int mapper_status(unsigned target, uint32_t flags)
{
	return simple(TALLY_STATUS, target, DM_TABLE_STATUS, flags);
}

int mapper_message(unsigned target, enum tally_kind kind, uint64_t sector, const char *message)
{
	struct operation o = { 0 };
	struct dm_target_msg *m = (void *)o.data;

	m->sector = sector;
	snprintf(m->message, sizeof(o.data) - sizeof(*m), "%s", message);
	return tally_count(kind, operation_do(&o, target, DM_TARGET_MSG, 0));
}

bool mapper_exists(unsigned target)
{
	struct operation o = { 0 };

	return operation_do(&o, target, DM_DEV_STATUS, 0) == 0;
}

bool mapper_is_suspended(unsigned target)
{
	struct operation o = { 0 };

	return operation_do(&o, target, DM_DEV_STATUS, 0) == 0 &&
	       (o.dm.flags & DM_SUSPEND_FLAG);
}

void mapper_print(unsigned target)
{
	for (int table = 0; table < 2; table++) {
		struct operation o = { 0 };
		const char *text = (char *)&o + offsetof(struct operation, data);

		if (operation_do(&o, target, DM_TABLE_STATUS,
				 DM_NOFLUSH_FLAG | (table ? DM_STATUS_TABLE_FLAG : 0)) < 0) {
			printf("  no such device: %s\n", strerrorname_np(errno));
			return;
		}
		printf("  flags %#x, open %d, targets %u: %s\n", o.dm.flags, o.dm.open_count,
		       o.dm.target_count,
		       o.dm.target_count ? text + sizeof(struct dm_target_spec) : "");
	}
}
