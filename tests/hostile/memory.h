/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile thread's memory: some that is fine, and every kind that is not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "prng.h"

#define MEMORY_GOOD_BYTES (2 * 1024 * 1024)
#define MEMORY_PAGE 4096

struct memory {
	/* each with a page behind it that is not there */
	char *good;     /* MEMORY_GOOD_BYTES */
	char *giant;    /* as many, all PATTERN_HELD but for a header in front */
	char *half;     /* a page, of which an end is used */
	char *readonly; /* two pages */
	char *file;     /* two pages of `memfd`, which may be shorter */
	char *slow;     /* two pages, each fault of which waits for the fault server */
	int memfd;
};

/* 0 or -errno */
int memory_init(struct memory *m);
/* A place for `len` bytes that is bad in some way; what can be written there of `data` is. */
char *memory_bad(struct memory *m, struct prng *p, const void *data, size_t len);
/* Makes the file short, from any thread. */
void memory_cut_file(struct memory *m);

/* Serves the slow pages' faults, after a while each, until told to stop. 0 or -errno. */
int memory_faults_start(struct prng p);
void memory_faults_stop(void);
