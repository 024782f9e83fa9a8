/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made-up machine for the checks of dmuserctl doctor: a directory with the files that a test puts
 * there, and facts that it sets in the probe. At a test's start it is one that lacks nothing.
 */
#pragma once

#include "ctl/doctor/check.h"

#define TREE_RELEASE "6.12.1-test"

extern struct probe probe;
extern struct finding finding; /* of the last look() */

/* For cmocka: before and after each test. */
int tree_set_up(void **state);
int tree_tear_down(void **state);

/* Writes a file, with the folders above it; path is absolute. */
void tree_file(const char *path, const char *text);
void tree_bytes(const char *path, const void *data, size_t size);
void tree_program(const char *path);
/* Takes away a file, or a folder with all in it. */
void tree_remove(const char *path);

/*
 * Runs the check, and holds it to its word: that verdict; found has that in it; and there is
 * something to do (which has that in it), just if it is not ok.
 */
#define look(check, verdict, found, advice) \
	look_at(check, verdict, found, advice, __FILE__, __LINE__)
void look_at(void (*check)(struct probe *, struct finding *), enum verdict verdict,
	     const char *found, const char *advice, const char *file, int line);
