/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An installed-like backend, started as the spawner starts one but for the namespaces: the program,
 * its descriptors, its setup, its own compiled profile. The test plays supervisor and kernel.
 */
#pragma once

#include "dmuserd/messages/confine-step.h"
#include "dmuserd/messages/worker.h"

#include <sys/types.h>

#define CONFINED_SIZE_BYTES (2 * 1024 * 1024)
#define CONFINED_GENERATION 3

/* The root of the build, with backends/ and seccomp/. Set by main(). */
extern const char *confined_build;

struct confined {
	pid_t pid;
	int link;    /* bound; the worker listens on its copy */
	int setup;   /* our end */
	int control; /* connected, or -1 */
	int channel; /* the kernel's end, or -1 */
	char path[108];
};

/* The setup of a volume; a test may change it before confined_start(). */
void confined_fill_setup(struct worker_setup *ret_setup);

/* Starts the program with one resource; negative: none. argument: one for its command line, or NULL. */
void confined_start(struct confined *c, const char *type, const struct worker_setup *setup,
		    int resource, const char *argument);

/* Takes the report that a worker sends once. */
void confined_take_report(struct confined *c, struct confine_report *ret_report);

/* Connects to the link and hands the worker a channel. */
void confined_attach(struct confined *c);

/* One control request and its answer; fds may be NULL. */
void confined_ask(struct confined *c, uint32_t op, const int *fds, size_t n_fds,
		  struct worker_message *ret_answer);

/* Waits for the end; returns the status as waitpid() gives it. */
int confined_reap(struct confined *c);

/* Releases everything; kills what still runs. */
void confined_end(struct confined *c);
