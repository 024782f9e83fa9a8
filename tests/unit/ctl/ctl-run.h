/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program, as a process, on a scripted server: what it prints and how it ends. dmuserctl is the
 * one that DMUSERCTL names in the environment.
 */
#pragma once

#include "tests/unit/client/fake-server.h"

/* What a server says of volume a. */
#define VOLUME                                                                                     \
	"{\"name\":\"a\",\"owner\":0,\"uuid\":\"u\",\"state\":\"active\",\"backend\":\"memory\","  \
	"\"options\":{\"x\":\"\\u001b[2J\"},\"size_bytes\":67108864,\"block_size\":512,"           \
	"\"read_only\":false,\"keep\":true,\"blank\":true,\"device\":\"/dev/dm-3\","               \
	"\"generation\":1}"

/* stdout and stderr of the last run. */
extern char output[16384];

/* Runs argv, which ends with NULL, on that standard input. Returns its exit status. */
int run_program(const char *const *argv, const char *input);
/*
 * Calls run() with the address of a server that has that script, or never accepts (NULL). Returns
 * what run() did. The test fails if the script's side does.
 */
int run_with_server(fake_script script, int (*run)(const char *address, void *argument),
		    void *argument);
/*
 * Runs dmuserctl on a server with that script; words end with NULL. Returns its exit status. script
 * NULL: the server never accepts. The test fails if the script's side does.
 */
int run_on(fake_script script, const char *const *words);
#define RUN(script, ...) run_on(script, (const char *const[]){ __VA_ARGS__, NULL })

/* In a script: whatever is asked after an error, so that it can be told better, is answered so. */
void answer_the_rest(int s, const char *reply);
#define NOTHING_KNOWN "{\"error\":\"io.dmuser.PermissionDenied\",\"parameters\":{\"reason\":\"-\"}}"

void assert_printed(const char *text);
