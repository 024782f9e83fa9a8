/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and the messages that carry them.
 *
 * Every descriptor received is O_CLOEXEC. A message is either taken whole, with all its descriptors,
 * or refused with all of them closed: a truncated one never leaves a descriptor behind.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* SCM_MAX_FD of the kernel: what one message can carry at most. */
#define FD_MESSAGE_MAX 253

/* Closes fds[0..n_fds) that are >= 0 and sets each to -EBADF. */
void fd_close_many(int *fds, size_t n_fds);

/*
 * Sends one message of size bytes with n_fds descriptors (which stay the caller's) on a socket.
 * flags: those of sendmsg; MSG_NOSIGNAL is implied.
 * Returns 0, or a negative errno (-EAGAIN under MSG_DONTWAIT; -EMSGSIZE if only a part went out).
 */
int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds, int flags);

/*
 * Receives one message of a SOCK_SEQPACKET socket of exactly `size` bytes, with up to max_fds
 * descriptors, which become the caller's; *ret_n_fds says how many came.
 * Returns 0; -ECONNRESET when the peer has closed; -EPROTO for another size, or more descriptors
 * than max_fds (all closed then); or a negative errno (-EAGAIN under MSG_DONTWAIT).
 */
int fd_recv_exact(int socket, void *data, size_t size, int *fds, size_t max_fds, size_t *ret_n_fds,
		  int flags);

/*
 * Receives up to `capacity` bytes and up to max_fds descriptors from any socket.
 * Returns the count of bytes (0: the peer has closed), or a negative errno; -EPROTO if descriptors or,
 * on SOCK_SEQPACKET, bytes were cut off (everything received is closed then).
 */
ssize_t fd_recv(int socket, void *data, size_t capacity, int *fds, size_t max_fds, size_t *ret_n_fds,
		int flags);

/*
 * What is known of an open file's type and number, without asking a server that may not answer. 0, or a negative
 * errno. Does not block.
 */
struct statx;
int fd_identify(int fd, struct statx *ret);

/*
 * A connection to a SOCK_SEQPACKET socket in the file system; flags: SOCK_NONBLOCK, to come back while it is made.
 * The descriptor, close-on-exec and the caller's, or a negative errno.
 */
int fd_connect(const char *path, int flags);

/* Closes every descriptor of this process but those in keep[], which must be ascending. */
int fd_close_all_but(const int *keep, size_t n_keep);
