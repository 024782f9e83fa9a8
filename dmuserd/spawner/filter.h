/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled seccomp profiles: read while files can still be opened, loaded when the time has come.
 */
#pragma once

#include <linux/filter.h>

/*
 * Reads a .bpf file whole. ret_program->filter is the caller's, from malloc. 0 or a negative errno.
 */
int filter_read(const char *path, struct sock_fprog *ret_program);

/* Binds the calling thread for good. Allocates nothing. 0 or a negative errno. */
int filter_load(const struct sock_fprog *program);
