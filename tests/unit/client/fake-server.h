/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Varlink server that does one thing: a process of its own that accepts a connection and runs a test's
 * script on it. A script speaks through the functions here, which exit the process with
 * FAKE_SCRIPT_FAILED when the client does not do its part; fake_server_end() tells the test.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define FAKE_SCRIPT_FAILED 99

struct fake_server {
	char directory[64];
	char address[96];
	pid_t pid;
};

/* The script's socket is closed when it returns; the process exits with 0 then. */
typedef void (*fake_script)(int socket);

/* Listens before it returns. script NULL: never accepts. Aborts the test if it cannot. */
void fake_server_start(struct fake_server *server, fake_script script);

/* Waits for the script's end, removes the socket. Returns the exit status, or 128 + the signal. */
int fake_server_end(struct fake_server *server);

/* Waits for another connection, which is the script's to close. */
int fake_accept(void);
/* The next call's text, up to its NUL, in a static buffer; *n_fds descriptors into fds[0..8). */
const char *fake_expect_call(int socket, int *fds, size_t *n_fds);
/* The same, and it must be this text. */
void fake_expect_text(int socket, const char *text);
/* text and its NUL in one message, with descriptors. */
void fake_reply(int socket, const char *text, const int *fds, size_t n_fds);
/* Bytes as they are. */
void fake_send(int socket, const char *bytes, size_t size);
/* Waits until fd can be read; of a pidfd: until its process has ended. */
void fake_wait_readable(int fd);
/* Waits until the client has closed. */
void fake_expect_close(int socket);
