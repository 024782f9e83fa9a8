/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who, besides volumes, uses a regular file as a disk already: the kernel, or a program that says so by a lock.
 *
 * For block devices the kernel refuses a second user by itself. Programs that take no lock are not found, nor is the
 * file under another name, as in another mount namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct image_places {
	const char *swaps;     /* /proc/swaps */
	const char *sys_block; /* /sys/block */
};
extern const struct image_places image_places_of_machine;

/*
 * Whether the file is swapped to, a loop device's, or locked by fcntl() against what is to be done with it: then who
 * has it is written, for a person.
 */
bool image_is_used(const struct image_places *places, int fd, bool read_only, size_t size, char *ret_by);
