/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel module's file: where it is, and what it says of itself, without loading it.
 *
 * The file is root's, and is read as strictly as if it were not: every offset is checked.
 */
#pragma once

#include "ctl/doctor/probe.h"

struct module_file {
	char version[64];   /* MODULE_VERSION; empty if it says none, or the file is compressed */
	char vermagic[128]; /* of the kernel that it was built for; empty likewise */
	bool compressed;
	bool is_signed; /* with a signature at its end; not known if compressed */
};

/*
 * Looks up a module of the running kernel, as modprobe does; or, if it is not indexed there, where
 * modules are put by hand. 0 with its path; 1: it is there, and modprobe will not find it; -ENOENT.
 */
int module_file_find(struct probe *probe, const char *name, char *ret_path, size_t size);

/* 0, -EBADMSG: not a module, or another negative errno. */
int module_file_read(struct probe *probe, const char *path, struct module_file *ret_file);
