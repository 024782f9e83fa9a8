/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps a volume's device open, and what ends that.
 *
 * Reads what dmuserd says of a holder ("mount /mnt (pid 1)", "pid 4711 (fio)", "device dm-3",
 * "swap /dev/dm-3", "volume b of uid 0, container c") and, of this machine, only whether a mount is
 * in the caller's mount namespace.
 */
#pragma once

#include <limits.h>
#include <stddef.h>

/* Enough for any path that is not full of what must be escaped. */
#define HOLDER_ADVICE_SIZE (PATH_MAX + 512)

/*
 * Writes what to do about a holder, escaped, as a person would type or read it: "umount /mnt".
 * Empty if nothing is known that helps. Returns out.
 */
char *holder_advice(const char *holder, char *out, size_t out_size);
/* The same, where nobody is known to hold the device, which is escaped. */
char *holder_advice_unseen(const char *device, char *out, size_t out_size);
