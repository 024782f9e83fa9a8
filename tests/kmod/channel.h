/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's end of a channel, written from the ABI header alone.
 */
#pragma once

#include <linux/dm-user.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "target.h"

/* A READ or WRITE is never larger, so a buffer of this size takes any payload. */
#define PAYLOAD_MAX DM_USER_MAX_IO_BYTES

int channel_open(const struct target *t, int flags);
/* Reads or writes all of it, in pieces of `chunk` bytes (0: as much as goes). 0 or -errno. */
int channel_read_all(int fd, void *buf, size_t len, size_t chunk);
int channel_write_all(int fd, const void *buf, size_t len, size_t chunk);
/* A request: its header, and for a WRITE its payload into `payload` (PAYLOAD_MAX). 0 or -errno. */
int channel_next(int fd, struct dm_user_message *ret_msg, void *payload);
/* An answer, in one write() as far as the kernel takes it. 0 or -errno. */
int channel_answer(int fd, uint64_t seq, uint64_t type, const void *payload, size_t len);
/* A child that reads the next request, and exits with 0 if that ends with this -errno. */
pid_t channel_read_in_child(int fd, int error);
/* A channel that has opted in to whole messages. */
int channel_open_batch(const struct target *t, int flags);
/* An answer in one write(): the bytes that it took, or -errno. */
ssize_t channel_answer_whole(int fd, uint64_t seq, uint64_t type, const void *payload, size_t len);
/* An epoll for it; with EPOLLEXCLUSIVE, one that a wake-up of one may be spent on. */
int channel_epoll(int fd, uint32_t more_events);
/* What poll() says right now. */
short channel_events(int fd);
