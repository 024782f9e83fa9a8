/* SPDX-License-Identifier: Apache-2.0 */
/* What every test here needs: cmocka, a loop with a deadline, a place for files, a count of
 * descriptors. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <systemd/sd-event.h>

#define MIB ((uint64_t)1 << 20)

/* However busy the machine, nothing that we wait for takes this long, unless it never comes. */
#define TEST_DEADLINE_MS 60000

/* One that has already opened what it keeps open for itself, so that descriptors can be counted. */
sd_event *new_loop(void);

/* Runs the loop until *flag, and fails the test if that does not come. */
void run_until_flag(sd_event *event, const bool *flag);
/* The same for any condition. */
void run_until(sd_event *event, bool (*condition)(void *userdata), void *userdata);
/* Runs what is due, waits for nothing. */
void run_pending(sd_event *event);

size_t count_fds(void);
/* Runs the loop until no more than `expected` descriptors are open: children that were given up are
 * reaped. */
void run_until_fds(sd_event *event, size_t expected);

/* A directory of this test program, made anew; removed with all in it. */
char *make_directory(void);
void remove_directory(char *path);
bool directory_is_empty(const char *parent, const char *name);
