/* SPDX-License-Identifier: Apache-2.0 */
/* The spawner's socket, and the loop that serves one supervisor on it. */
#pragma once

#include "dmuserd/spawner/children.h"
#include "dmuserd/spawner/spawn.h"

struct server {
	struct spawn_context *context;
	struct children *children;
	int run_fd; /* the run directory */
	int listen_fd;
	int signal_fd; /* SIGTERM and SIGINT */
	int child_fd;  /* SIGCHLD */
	int epoll_fd;
	/* To the supervisor; -EBADF: none, and then the listening socket is watched. */
	int connection;
};

/* Binds and listens at <run_dir>/spawner.sock, mode 0600, in the place of an old one. */
int server_listen(const char *run_dir, int *ret_fd);

/* Makes epoll_fd and watches all there is. The descriptors before it are the caller's and open. */
int server_start(struct server *server);

/* Until a signal ends it: 0; or a negative errno. */
int server_run(struct server *server);
