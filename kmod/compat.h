/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that differs between the kernels this module is built for (6.1 and later). Everything else in
 * here is written so that one source is right on each of them; no other file asks for a version.
 */
#ifndef DMU_COMPAT_H
#define DMU_COMPAT_H

#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "dm-user needs Linux 6.1 or later"
#endif

/* struct class.devnode takes a const device from 6.2 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define DMU_DEVNODE_DEVICE	const struct device
#else
#define DMU_DEVNODE_DEVICE	struct device
#endif

/* A table's mode is a blk_mode_t from 6.5 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define DMU_TABLE_WRITABLE(table)	(dm_table_get_mode(table) & BLK_OPEN_WRITE)
#else
#define DMU_TABLE_WRITABLE(table)	(dm_table_get_mode(table) & FMODE_WRITE)
#endif

/* A trace event's string is assigned from what it was declared with from 6.10 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define DMU_ASSIGN_STRING(field, value)	__assign_str(field)
#else
#define DMU_ASSIGN_STRING(field, value)	__assign_str(field, value)
#endif

/* A high-resolution timer gets its function together with its clock from 6.13 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define DMU_HRTIMER_SETUP(timer, fn, clock, mode)	hrtimer_setup(timer, fn, clock, mode)
#else
#define DMU_HRTIMER_SETUP(timer, fn, clock, mode) do { \
	hrtimer_init(timer, clock, mode); \
	(timer)->function = (fn); \
} while (0)
#endif

#endif /* DMU_COMPAT_H */
