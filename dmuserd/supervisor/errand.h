/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short-lived child that does one thing which may block, with a deadline.
 *
 * The event loop never waits for a device, a file system or udev: a forked child does. It keeps no
 * descriptor of the supervisor's but one end of a socket pair, writes what came of it there, and
 * exits. A child that cannot be killed at once (it sleeps in the kernel) is left to be reaped by
 * the loop whenever it ends; nobody waits for it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/* More than any errand has to tell. */
#define ERRAND_DATA_MAX (32 * 1024 * 1024)

struct errand;

/* Runs in the child, and may block. Tells by errand_send(); when it returns, the child exits. */
typedef void (*errand_fn)(int link, const void *arg);

/* In the child: sends data and, unless negative, one descriptor, with the first byte. */
int errand_send(int link, const void *data, size_t size, int fd);

/*
 * error: 0 when the child has ended, -ETIMEDOUT after the deadline, or a negative errno of the
 * receiving side. data: all that came until then; not only on success. fd: the descriptor that
 * came, consumed by the callback, or -EBADF.
 */
typedef void (*errand_done_fn)(void *userdata, int error, const void *data, size_t size, int fd);

/* arg needs to live only until this returns. `done` is called once, from the loop, unless
 * cancelled. */
int errand_start(sd_event *event, uint64_t timeout_ms, errand_fn fn, const void *arg,
		 errand_done_fn done, void *userdata, struct errand **ret_errand);

/* All that the child has sent so far. Valid until the next call. */
const void *errand_peek(struct errand *errand, size_t *ret_size);

/* No callback any more; the child is killed, and reaped by the loop. NULL is fine. */
void errand_cancel(struct errand *errand);
