// SPDX-License-Identifier: Apache-2.0
/*
 * device-mapper's operations. The control node stays open and the arguments lie in memory that the
 * process has locked, so that no fault is spent on either.
 */
#include "device.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "../kmod/case.h"

static struct call {
	struct dm_ioctl dm;
	char data[2048];
} call;

static int control = -1;

void device_begin(void)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0);
}

static void device_prepare(const struct target *t, uint32_t flags)
{
	memset(&call, 0, sizeof(call));
	call.dm.version[0] = DM_VERSION_MAJOR;
	call.dm.data_size = sizeof(call);
	call.dm.data_start = offsetof(struct call, data);
	call.dm.flags = flags;
	strcpy(call.dm.name, t->name);
}

static int device_call(unsigned long request)
{
	return ioctl(control, request, &call) < 0 ? -errno : 0;
}

int device_define(struct target *t)
{
	device_prepare(t, 0);
	int r = device_call(DM_DEV_CREATE);
	if (r == 0)
		snprintf(t->device, sizeof(t->device), "/dev/dm-%u", minor(call.dm.dev));
	return r;
}

int device_load(const struct target *t, const char *node_name)
{
	struct dm_target_spec *spec = (void *)call.data;

	device_prepare(t, 0);
	call.dm.target_count = 1;
	spec->length = t->sectors;
	strcpy(spec->target_type, "user");
	snprintf((char *)(spec + 1), 512, "0 %llu %s %s", (unsigned long long)t->sectors, node_name,
		 t->options ? t->options : "");
	return device_call(DM_TABLE_LOAD);
}

int device_suspend(const struct target *t, uint32_t flags)
{
	device_prepare(t, DM_SUSPEND_FLAG | flags);
	return device_call(DM_DEV_SUSPEND);
}

int device_resume(const struct target *t)
{
	device_prepare(t, 0);
	return device_call(DM_DEV_SUSPEND);
}

int device_remove(const struct target *t, uint32_t flags)
{
	device_prepare(t, flags);
	return device_call(DM_DEV_REMOVE);
}

int device_message(const struct target *t, const char *message)
{
	struct dm_target_msg *m = (void *)call.data;

	device_prepare(t, 0);
	strcpy(m->message, message);
	return device_call(DM_TARGET_MSG);
}

int device_status(const struct target *t)
{
	device_prepare(t, DM_NOFLUSH_FLAG);
	return device_call(DM_TABLE_STATUS);
}
